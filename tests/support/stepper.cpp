#include "support/stepper.hpp"

#include <linux/futex.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <system_error>

namespace muster::test {
namespace {

// Where every operation begins and ends: two addresses, so neither inlined nor, being different, merged.
[[gnu::noinline]] void operation_begins() { asm volatile("" ::: "memory"); }
[[gnu::noinline]] void operation_ends() { asm volatile("nop" ::: "memory"); }

// Both take turns: on one processor that is several times faster.
class OnOneProcessor {
  public:
    explicit OnOneProcessor(pid_t child) : child_(child) {
        ::sched_getaffinity(0, sizeof before_, &before_);
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(static_cast<std::size_t>(std::max(::sched_getcpu(), 0)), &one);
        set(one);
    }
    OnOneProcessor(const OnOneProcessor&) = delete;
    OnOneProcessor& operator=(const OnOneProcessor&) = delete;
    ~OnOneProcessor() { set(before_); }

  private:
    void set(const cpu_set_t& processors) const {
        for (const pid_t which : {0, child_}) ::sched_setaffinity(which, sizeof processors, &processors);
    }

    const pid_t child_;
    cpu_set_t before_;
};

// While it stands, SIGCHLD, which tells of a child's stop, waits to be asked for.
class ChildSignal {
  public:
    ChildSignal() {
        sigemptyset(&set_);
        sigaddset(&set_, SIGCHLD);
        ::pthread_sigmask(SIG_BLOCK, &set_, &before_);
    }
    ChildSignal(const ChildSignal&) = delete;
    ChildSignal& operator=(const ChildSignal&) = delete;
    ~ChildSignal() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

    bool came_within(std::chrono::nanoseconds patience) const {
        const timespec time{0, static_cast<long>(patience.count())};
        return ::sigtimedwait(&set_, nullptr, &time) == SIGCHLD;
    }

  private:
    sigset_t set_{}, before_{};
};

std::uint64_t address_of(void (*function)()) { return reinterpret_cast<std::uint64_t>(function); }

}  // namespace

#if defined(__x86_64__)
namespace {

constexpr unsigned long futex_waitv = 449;

std::size_t debug_register(std::size_t n) { return offsetof(user, u_debugreg) + n * sizeof(user::u_debugreg[0]); }

}  // namespace

std::uint64_t Stepped::address() {
    return static_cast<std::uint64_t>(::ptrace(PTRACE_PEEKUSER, pid_, offsetof(user, regs.rip), nullptr));
}

bool Stepped::run_to(std::uint64_t target, std::uint32_t earlier) {
    static constexpr unsigned long execute_in_0 = 1;  // R/W0 = LEN0 = 0: before an instruction is executed
    ::ptrace(PTRACE_POKEUSER, pid_, debug_register(0), target);
    ::ptrace(PTRACE_POKEUSER, pid_, debug_register(7), execute_in_0);
    bool there = address() == target;  // a breakpoint does not stop who stands on it
    if (there && earlier != 0) --earlier, there = false;
    while (!there && resume(PTRACE_CONT) && wait_awake()) {
        if (address() != target) break;  // it sleeps, or another signal's stop: not the recorded way
        if (earlier == 0) there = true;
        if (!there) --earlier;
    }
    if (stopped_) ::ptrace(PTRACE_POKEUSER, pid_, debug_register(7), 0UL);
    return there;
}

bool Stepped::before_sleep() {
    if (!stopped_) return false;
    const long word = ::ptrace(PTRACE_PEEKTEXT, pid_, address(), nullptr);
    if ((word & 0xffff) != 0x050f) return false;  // syscall
    user_regs_struct registers{};
    if (::ptrace(PTRACE_GETREGS, pid_, nullptr, &registers) != 0) return false;
    if (registers.rax == futex_waitv) return true;
    if (registers.rax != SYS_futex) return false;
    const auto operation = registers.rsi & static_cast<unsigned>(FUTEX_CMD_MASK);
    return operation == FUTEX_WAIT || operation == FUTEX_WAIT_BITSET;
}

// Both calls' fourth argument, and all that we make name a time of the monotonic clock.
void Stepped::put_off_deadline() {
    const auto at = static_cast<std::uint64_t>(::ptrace(PTRACE_PEEKUSER, pid_, offsetof(user, regs.r10), nullptr));
    if (!before_sleep() || at == 0) return;
    timespec time{};
    const iovec here{&time, sizeof time}, there{reinterpret_cast<void*>(at), sizeof time};  // NOLINT: another's address
    if (::process_vm_readv(pid_, &here, 1, &there, 1, 0) != sizeof time) return;
    const auto then = std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec) + clock_->behind();
    time.tv_sec = std::chrono::floor<std::chrono::seconds>(then).count();
    time.tv_nsec = (then % std::chrono::seconds(1)).count();
    ::process_vm_writev(pid_, &here, 1, &there, 1, 0);
}
#else
std::uint64_t Stepped::address() { return 0; }
void Stepped::put_off_deadline() {}
bool Stepped::run_to(std::uint64_t, std::uint32_t) { return false; }
bool Stepped::before_sleep() { return false; }
#endif

std::string no_stepping_here() {
#if !defined(__x86_64__)
    return "processes are moved on by instructions on x86-64 only";
#elif defined(__SANITIZE_THREAD__)
    return "ThreadSanitizer's runtime is not moved on by instructions";
#else
    try {
        int passes = 0;
        const Stepped::Run thrice = [&] {
            for (int i = 0; i < 3; ++i) {
                ++passes;
                asm volatile("" ::: "memory");
            }
        };
        Path path;
        {
            Stepped child({}, thrice);
            path = child.record();
            if (path.size() < 10 || !child.at_end()) return "ptrace(SINGLESTEP) does not step";
        }
        Stepped child({}, thrice);
        if (!child.go(path, path.size() - 1)) return "the processor's breakpoints do not work here";
        return {};
    } catch (const std::system_error& error) {
        return error.what();
    }
#endif
}

void Path::add(std::uint64_t address) {
    const std::uint32_t before = seen_[address]++;
    const std::size_t i = at_.size();
    at_.push_back(address);
    earlier_.push_back(before);
    const std::size_t stepped = i == 0 ? 0 : earlier_[from_[i - 1]] + (i - from_[i - 1]);
    from_.push_back(i == 0 || before <= stepped ? i : from_[i - 1]);
}

Stepped::Stepped(const Run& prepare, const Run& operation, Clock* clock) : clock_(clock) {
    pid_ = ::fork();
    if (pid_ < 0) throw std::system_error(errno, std::generic_category(), "fork");
    if (pid_ == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        try {
            if (prepare) prepare();
            if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) ::_exit(2);
            ::raise(SIGSTOP);
            operation_begins();
            operation();
            operation_ends();
        } catch (const std::exception& error) {
            std::fprintf(stderr, "the operation threw: %s\n", error.what());
        } catch (...) {
        }
        ::_exit(1);
    }
    if (!wait() || !run_to(address_of(operation_begins), 0)) {
        const int status = kill();
        throw std::system_error(ECHILD, std::generic_category(),
                                "ptrace: the child did not come to its operation, status " + std::to_string(status));
    }
}

bool Stepped::resume(int request) {
    if (!stopped_) return false;
    const int signal = signal_;
    signal_ = 0;
    if (::ptrace(static_cast<__ptrace_request>(request), pid_, nullptr, static_cast<long>(signal)) != 0) return false;
    stopped_ = false;
    return true;
}

bool Stepped::wait() {
    pid_t found;
    do found = ::waitpid(pid_, &status_, 0);
    while (found < 0 && errno == EINTR);
    stopped_ = found == pid_ && WIFSTOPPED(status_);
    if (stopped_ && WSTOPSIG(status_) != SIGTRAP && WSTOPSIG(status_) != SIGSTOP) signal_ = WSTOPSIG(status_);
    if (found == pid_ && !stopped_) pid_ = -1;
    return stopped_;
}

char Stepped::state() const {
    char name[64], text[512] = "";
    std::snprintf(name, sizeof name, "/proc/%d/stat", static_cast<int>(pid_));
    if (std::FILE* file = std::fopen(name, "re")) {
        text[std::fread(text, 1, sizeof text - 1, file)] = '\0';
        std::fclose(file);
    }
    const char* bracket = std::strrchr(text, ')');
    return bracket != nullptr && bracket[1] != '\0' ? bracket[2] : 'X';
}

// Who has gone another way than the recorded one may sleep, on and on, and never come by.
bool Stepped::wait_awake() {
    static constexpr int long_asleep = 30;  // looks, a millisecond between them: longer than any lock is held
    const ChildSignal stops;
    for (int looks = 0, asleep = 0; asleep < long_asleep; ++looks) {
        siginfo_t info{};
        if (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WSTOPPED | WNOHANG | WNOWAIT) != 0 ||
            info.si_pid == pid_)
            return wait();
        if (looks < 100) {
            ::sched_yield();
            continue;
        }
        if (!stops.came_within(std::chrono::milliseconds(1))) asleep = state() == 'S' ? asleep + 1 : 0;
    }
    ::kill(pid_, SIGSTOP);
    return wait();
}

bool Stepped::at_end() { return stopped_ && address() == address_of(operation_ends); }

bool Stepped::step() { return resume(PTRACE_SINGLESTEP) && wait(); }

Path Stepped::record(const std::function<bool()>& arrived) {
    Path path;
    std::uint64_t before = 0;
    const OnOneProcessor pinned(pid_);
    if (clock_ != nullptr) clock_->stand_still();
    while (stopped_) {
        const std::uint64_t now = address();
        if (now == address_of(operation_ends)) break;
        if (now != before) {
            if (arrived && arrived()) break;
            path.add(now);
        }
        before = now;
        if (!step()) break;
    }
    if (clock_ != nullptr) clock_->go_on();
    return path;
}

bool Stepped::go(const Path& path, std::size_t i) {
    std::size_t at = path.from_[i];
    if (!run_to(path.at_[at], path.earlier_[at])) return false;
    if (at == i) return true;
    const OnOneProcessor pinned(pid_);
    while (at < i) {
        if (!step()) return false;
        if (address() == path.at_[at]) continue;  // repeats itself
        if (address() != path.at_[++at]) return false;
    }
    return true;
}

bool Stepped::sleep() {
    if (clock_ != nullptr) put_off_deadline();
    if (!resume(PTRACE_SINGLESTEP)) return false;
    for (;; ::usleep(20)) {
        const char now = state();
        if (now == 'S') return true;
        if (now == 't' || now == 'X' || now == 'Z') return false;  // it did not sleep
    }
}

int Stepped::kill() {
    if (pid_ > 0) {
        ::kill(pid_, SIGKILL);
        while (::waitpid(pid_, &status_, 0) < 0 && errno == EINTR) {
        }
        // A stop that was under way may be reported first.
        while (WIFSTOPPED(status_) && ::waitpid(pid_, &status_, 0) == pid_) {
        }
        pid_ = -1;
        stopped_ = false;
    }
    return status_;
}

}  // namespace muster::test
