// What the tests of muster::Process share: reports from children, and a deadline for everything.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstring>
#include <fstream>
#include <optional>
#include <string>
#include <thread>
#include <type_traits>

#include <catch2/catch.hpp>
#include <muster/error.hpp>
#include <muster/process.hpp>

#include "base/unique_fd.hpp"
#include "support/skip.hpp"

namespace process_test {

using namespace std::chrono_literals;

// Generous: a deadline for what must happen, never a measure of speed.
inline constexpr auto patience = 30s;

template <typename Predicate>
bool eventually(Predicate&& holds) {
    const auto until = std::chrono::steady_clock::now() + patience;
    while (!holds()) {
        if (std::chrono::steady_clock::now() > until) return false;
        std::this_thread::sleep_for(2ms);
    }
    return true;
}

// The code of the muster::Error that `call` throws, none when it throws nothing.
template <typename Call>
std::optional<muster::Errc> error_of(Call&& call) {
    try {
        call();
    } catch (const muster::Error& error) {
        return error.errc();
    }
    return std::nullopt;
}

// A pipe for small values from any process to the test.
class Channel {
  public:
    Channel() {
        int ends[2];
        if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
        read_.reset(ends[0]);
        write_.reset(ends[1]);
    }
    template <typename T>
    void send(const T& value) const {
        static_assert(std::is_trivially_copyable_v<T>);
        [[maybe_unused]] const auto written = ::write(write_.get(), &value, sizeof value);
    }
    // None when nothing came in time.
    template <typename T>
    std::optional<T> receive(std::chrono::milliseconds timeout = patience) const {
        pollfd watched{read_.get(), POLLIN, 0};
        T value{};
        if (::poll(&watched, 1, static_cast<int>(timeout.count())) != 1) return std::nullopt;
        if (::read(read_.get(), &value, sizeof value) != static_cast<ssize_t>(sizeof value))
            return std::nullopt;
        return value;
    }
    // In a child: not to hold open what the test process wants to close.
    void close_all_others() const {
        for (int fd = 3; fd < 1024; ++fd)
            if (fd != read_.get() && fd != write_.get()) ::close(fd);
    }

  private:
    muster::base::UniqueFd read_, write_;
};

// An anonymous file: put it on a child's stdout or stderr, then read what was written.
class Capture {
  public:
    Capture() : file_(::memfd_create("capture", MFD_CLOEXEC)) {}
    void replace(int fd) const { ::dup2(file_.get(), fd); }
    std::string text() const {
        std::string found;
        char buffer[4096];
        for (off_t at = 0;;) {
            const ssize_t n = ::pread(file_.get(), buffer, sizeof buffer, at);
            if (n <= 0) return found;
            found.append(buffer, static_cast<std::size_t>(n));
            at += n;
        }
    }

  private:
    muster::base::UniqueFd file_;
};

// 'R', 'S', 'T', 'Z' ... as /proc says, 0 when there is no such process.
inline char process_state(pid_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::string line;
    if (!std::getline(file, line)) return 0;
    return line[line.rfind(')') + 2];
}
// TSan takes the thread of a child for the thread of its parent that had the same place in memory, and ends
// it.
inline void need_threads_after_fork() {
#if defined(__SANITIZE_THREAD__)
    muster::test::skip("TSan bears no threads in the child of a program that had threads");
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
    muster::test::skip("TSan bears no threads in the child of a program that had threads");
#endif
#endif
}

// Waits until a child has ended, all of its threads, and leaves it a zombie.
inline bool becomes_zombie(pid_t child) {
    siginfo_t info{};
    return ::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOWAIT) == 0;
}
inline bool gone(pid_t pid) { return process_state(pid) == 0; }
inline bool gone_or_zombie(pid_t pid) { return gone(pid) || process_state(pid) == 'Z'; }

// Blocks the calling process for ever, but not beyond the tests' patience.
inline void hang() { std::this_thread::sleep_for(patience); }

// A bare fork that runs `body` and ends by std::exit, as a main function does. The status as waitpid gives
// it.
template <typename Body>
pid_t fork_main(Body&& body) {
    const pid_t pid = ::fork();
    if (pid == 0) {
        body();
        std::exit(0);
    }
    return pid;
}
inline int wait_status(pid_t pid) {
    int status = -1;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
}

}  // namespace process_test
