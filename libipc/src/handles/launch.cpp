#include "handles/launch.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <climits>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <vector>

#ifndef MUSTER_BINDIR
#define MUSTER_BINDIR "/usr/bin"
#endif

extern char** environ;

namespace muster::detail {
namespace {

constexpr std::chrono::seconds ready_patience{20};
// The daemon gives its workers their grace first.
constexpr std::chrono::seconds end_patience{15};

bool executable(const std::string& path) { return ::access(path.c_str(), X_OK) == 0; }

// $MUSTER_DAEMON, beside this program, where it was installed; else as the shell would.
std::string find_program(const std::string& given) {
    if (!given.empty()) return given;
    if (const char* named = ::secure_getenv("MUSTER_DAEMON"); named != nullptr && *named != '\0') return named;
    char self[PATH_MAX];
    const ssize_t size = ::readlink("/proc/self/exe", self, sizeof self);
    if (size > 0) {
        std::string beside(self, static_cast<std::size_t>(size));
        beside.replace(beside.rfind('/') + 1, std::string::npos, "musterd");
        if (executable(beside)) return beside;
    }
    if (executable(MUSTER_BINDIR "/musterd")) return MUSTER_BINDIR "/musterd";
    return "musterd";
}

std::string make_directory() {
    const char* runtime = ::secure_getenv("XDG_RUNTIME_DIR");
    std::string path = runtime != nullptr && *runtime == '/' ? runtime : "/tmp";
    // A socket's path must fit sockaddr_un.
    if (path.size() > 60 || ::access(path.c_str(), W_OK) != 0) path = "/tmp";
    path += "/muster-XXXXXX";
    if (::mkdtemp(path.data()) == nullptr) base::throw_errno(errno, "launch", "private daemon", "mkdtemp");
    return path;
}

void make_pipe(base::UniqueFd& read_end, base::UniqueFd& write_end) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) base::throw_errno(errno, "launch", "private daemon", "pipe2");
    read_end.reset(ends[0]);
    write_end.reset(ends[1]);
}

}  // namespace

PrivateDaemon::PrivateDaemon(const std::string& program, const std::string& memory) : owner_(::getpid()) {
    try {
        start(program, memory);
    } catch (...) {
        if (pid_ > 0) {
            ::kill(pid_, SIGKILL);
            ::waitpid(pid_, nullptr, 0);
        }
        remove_directory();
        throw;
    }
}

void PrivateDaemon::start(const std::string& program, const std::string& memory) {
    const std::string path = find_program(program);
    directory_ = make_directory();
    address_ = "unix:" + directory_ + "/muster.sock";
    base::UniqueFd ready, ready_write;
    make_pipe(ready, ready_write);

    constexpr int ready_in_child = 3;
    std::vector<std::string> words{"musterd", "--private", "--address", address_, "--memory", memory,
                                   "--owner", std::to_string(owner_), "--ready-fd", std::to_string(ready_in_child),
                                   "--log-level", "warning"};
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);

    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawnattr_init(&attributes);
    ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&actions, ready_write.get(), ready_in_child);
    // A session of its own: the terminal's Ctrl-C is not for it.
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    sigset_t none, all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    ::posix_spawnattr_setsigmask(&attributes, &none);
    ::posix_spawnattr_setsigdefault(&attributes, &all);
    const int error = ::posix_spawnp(&pid_, path.c_str(), &actions, &attributes, argv.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
    if (error != 0) {
        pid_ = 0;
        throw Error(Errc::start_failed, "launch", "private daemon",
                    "exec " + path + ": " + base::errno_text(error) + "; set $MUSTER_DAEMON to where musterd is");
    }
    pidfd_.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
    if (!pidfd_) base::throw_errno(errno, "launch", "private daemon", "pidfd_open");
    ready_write.reset();
    wait_ready(std::move(ready));
}

void PrivateDaemon::wait_ready(base::UniqueFd ready) {
    const auto patience = std::chrono::duration_cast<std::chrono::milliseconds>(ready_patience);
    pollfd polled{ready.get(), POLLIN, 0};
    const int found = base::retry_interrupted([&] { return ::poll(&polled, 1, static_cast<int>(patience.count())); });
    char word[16];
    if (found > 0 && ::read(ready.get(), word, sizeof word) > 0) return;
    throw Error(Errc::start_failed, "launch", "private daemon",
                found > 0 ? "it ended before it was ready; its message is on stderr" : "it was not ready in time");
}

PrivateDaemon::~PrivateDaemon() {
    if (owner_ != ::getpid()) return;  // a forked child's copy
    ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGTERM, nullptr, 0);
    const auto wait = std::chrono::duration_cast<std::chrono::milliseconds>(end_patience);
    pollfd ended{pidfd_.get(), POLLIN, 0};
    if (base::retry_interrupted([&] { return ::poll(&ended, 1, static_cast<int>(wait.count())); }) == 0)
        ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
    ::waitpid(pid_, nullptr, 0);
    remove_directory();
}

void PrivateDaemon::remove_directory() noexcept {
    if (directory_.empty()) return;
    for (const char* name : {"muster.sock", "muster.sock.lock"}) {
        char path[256];  // on the stack: there may be no memory
        std::snprintf(path, sizeof path, "%s/%s", directory_.c_str(), name);
        ::unlink(path);
    }
    ::rmdir(directory_.c_str());
}

}  // namespace muster::detail
