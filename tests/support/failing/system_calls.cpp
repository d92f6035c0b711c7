#include "support/failing/system_calls.hpp"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <system_error>
#include <vector>

namespace muster::test {

#if !defined(__x86_64__)
std::string no_tracing_here() { return "system calls are made to fail on x86-64 only"; }
CallTracer::CallTracer(pid_t pid) : pid_(pid) { throw std::system_error(ENOSYS, std::generic_category()); }
CallTracer::~CallTracer() = default;
void CallTracer::fail(int, int, Counts) {}
bool CallTracer::step(bool) { return false; }
Counted::Counted() = default;
Counted::~Counted() = default;
Outcome with_failing_call(int, int, const std::function<std::string()>&) { return {}; }
#else
namespace {

constexpr std::uint64_t begin_mark = 0x6d757301, end_mark = 0x6d757302;  // no system calls: ENOSYS
constexpr std::size_t found_bytes = 16 * 1024;

struct Known {
    std::uint64_t number;
    const char* name;
    int exhausted;  // 0: not counted
    int path = -1;  // the argument that is one
};

constexpr Known known_calls[] = {
    {SYS_clone3, "clone3", EAGAIN},
    {SYS_clone, "clone", EAGAIN},
    {SYS_vfork, "vfork", EAGAIN},
    {SYS_setsid, "setsid", EPERM},
    {SYS_prctl, "prctl", EINVAL},
    {SYS_prlimit64, "prlimit64", EINVAL},
    {SYS_setgroups, "setgroups", ENOMEM},
    {SYS_setresgid, "setresgid", ENOMEM},
    {SYS_setresuid, "setresuid", EAGAIN},
    {SYS_chdir, "chdir", ENOMEM, 0},
    {SYS_openat, "openat", EMFILE, 1},
    {SYS_dup3, "dup3", EMFILE},
    {SYS_fcntl, "fcntl", ENOMEM},
    {SYS_close_range, "close_range", ENOMEM},
    {SYS_execve, "execve", ENOMEM, 0},
    {SYS_pipe2, "pipe2", EMFILE},
    {SYS_fchown, "fchown", ENOMEM},
    {SYS_mmap, "mmap", ENOMEM},
    {SYS_mprotect, "mprotect", ENOMEM},
    {SYS_pidfd_open, "pidfd_open", EMFILE},
    {SYS_getrandom, "getrandom", EAGAIN},
    {SYS_memfd_create, "memfd_create", EMFILE},
    {SYS_ftruncate, "ftruncate", ENOSPC},
    {SYS_fallocate, "fallocate", ENOSPC},
    {SYS_mkdir, "mkdir", ENOSPC, 0},
    {SYS_newfstatat, "newfstatat", ENOMEM, 1},
    {SYS_read, "read", EIO},
    {SYS_write, "write", EIO},
    {SYS_socket, "socket", EMFILE},
    {SYS_socketpair, "socketpair", EMFILE},
    {SYS_connect, "connect", EAGAIN},
    {SYS_sendto, "sendto", ENOBUFS},
    {SYS_sendmsg, "sendmsg", ENOBUFS},
    {SYS_recvmsg, "recvmsg", ENOMEM},
    {SYS_eventfd2, "eventfd2", EMFILE},
    {SYS_poll, "poll", ENOMEM},
    {SYS_ppoll, "ppoll", ENOMEM},
    {SYS_epoll_wait, "epoll_wait", EINTR},
    {SYS_epoll_ctl, "epoll_ctl", ENOMEM},
    {SYS_kill, "kill", EPERM},
    {SYS_pidfd_send_signal, "pidfd_send_signal", EPERM},

    // They release what there is; nobody could do anything about a failure.
    {SYS_close, "close", 0},
    {SYS_munmap, "munmap", 0},
    {SYS_exit, "exit", 0},
    {SYS_exit_group, "exit_group", 0},
    // They fail for wrong arguments alone, and ours are constant.
    {SYS_lseek, "lseek", 0},
    {SYS_dup2, "dup2", 0},
    {SYS_rt_sigaction, "rt_sigaction", 0},
    {SYS_rt_sigprocmask, "rt_sigprocmask", 0},
    {SYS_rt_sigreturn, "rt_sigreturn", 0},
    {SYS_sigaltstack, "sigaltstack", 0},
    {SYS_clock_gettime, "clock_gettime", 0},
    {SYS_set_robust_list, "set_robust_list", 0},
    {SYS_rseq, "rseq", 0},
    {SYS_sched_yield, "sched_yield", 0},
    // They never fail.
    {SYS_getpid, "getpid", 0},
    {SYS_getppid, "getppid", 0},
    {SYS_gettid, "gettid", 0},
    {SYS_getuid, "getuid", 0},
    {SYS_geteuid, "geteuid", 0},
    {SYS_getgid, "getgid", 0},
    {SYS_getegid, "getegid", 0},
    // They fail when there is nothing to wait for, or wake.
    {SYS_wait4, "wait4", 0},
    {SYS_waitid, "waitid", 0},
    {SYS_futex, "futex", 0},
    {SYS_nanosleep, "nanosleep", 0},
    {SYS_clock_nanosleep, "clock_nanosleep", 0},
    {SYS_restart_syscall, "restart_syscall", 0},
    // malloc tries mmap next, so no failure of it means anything; and that a filter forbids it nobody survives.
    {SYS_brk, "brk", 0},
    {SYS_madvise, "madvise", 0},
};

const Known* known(std::uint64_t number) {
    const auto found = std::find_if(std::begin(known_calls), std::end(known_calls),
                                    [&](const Known& call) { return call.number == number; });
    return found == std::end(known_calls) ? nullptr : &*found;
}

bool is_counted(std::uint64_t number) {
    return known(number) == nullptr || known(number)->exhausted != 0;
}

std::string text_at(pid_t pid, std::uint64_t address) {
    std::string text;
    while (address != 0 && text.size() < 4096) {
        errno = 0;
        const long word = ::ptrace(PTRACE_PEEKDATA, pid, address + text.size(), nullptr);
        if (word == -1 && errno != 0) break;
        char bytes[sizeof word];
        std::memcpy(bytes, &word, sizeof word);
        const std::size_t length = ::strnlen(bytes, sizeof bytes);
        text.append(bytes, length);
        if (length < sizeof bytes) break;
    }
    return text;
}

// Not the process's own: a sanitizer's runtime asks with a pipe whether an address can be read, and believes the answer; and
// it ends when it gets no memory, which is of no file.
bool is_of_a_runtime([[maybe_unused]] std::uint64_t number, [[maybe_unused]] const std::uint64_t* arguments) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return (number == SYS_pipe2 && arguments[1] == 0) || number == SYS_write || number == SYS_mprotect ||
           (number == SYS_mmap && (arguments[3] & MAP_ANONYMOUS) != 0);
#else
    return false;
#endif
}

// Until a child stops or ends, whoever it is.
void wait_for_some_child() {
    siginfo_t info{};
    ::waitid(P_ALL, 0, &info, WEXITED | WSTOPPED | WNOWAIT | __WALL);
}

[[noreturn]] void cannot(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

void put_register(pid_t pid, std::size_t offset, std::int64_t value) {
    if (::ptrace(PTRACE_POKEUSER, pid, offset, value) != 0 && errno != ESRCH) cannot("ptrace(POKEUSER)");
}

}  // namespace

std::string no_tracing_here() {
    try {
        const Outcome outcome = with_failing_call(1, as_it_would, [] {
            int fd;
            {
                const Counted counted;
                fd = static_cast<int>(::syscall(SYS_socket, -1, -1, -1));
            }
            return std::string(fd < 0 && errno == EMFILE ? "failed" : "it does not");
        });
        if (outcome.call.fired && outcome.call.name == "socket" && outcome.found == "failed") return {};
        return "ptrace(SYSCALL) does not make a call fail";
    } catch (const std::system_error& error) {
        return error.what();
    }
}

CallTracer::CallTracer(pid_t pid) : pid_(pid) {
    constexpr unsigned long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                                      PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC;
    if (::ptrace(PTRACE_SEIZE, pid, nullptr, options) != 0) cannot("ptrace(SEIZE)");
    traced_[pid] = false;
    // From a stop on it stops at each call.
    if (::ptrace(PTRACE_INTERRUPT, pid, nullptr, nullptr) != 0) cannot("ptrace(INTERRUPT)");
    step();
}

CallTracer::~CallTracer() {
    left_ = 0;
    for (const auto& [pid, failing] : traced_) ::ptrace(PTRACE_INTERRUPT, pid, nullptr, nullptr);
    while (!traced_.empty()) {
        const auto all = traced_;
        for (const auto& [pid, failing] : all) {
            int status = 0;
            const pid_t found = ::waitpid(pid, &status, __WALL | WNOHANG);
            if (found == 0) continue;
            if (found == pid && WIFSTOPPED(status)) {
                // Any stop will do, as any takes the place of the one that was asked for; a failing call is ended first.
                stopped(pid, status, PTRACE_DETACH);
                continue;
            }
            if (pid == pid_) ended_ = status;
            traced_.erase(pid);
        }
        if (!traced_.empty()) wait_for_some_child();
    }
}

void CallTracer::fail(int nth, int error, Counts counts) {
    left_ = nth;
    error_ = error;
    counts_ = std::move(counts);
    call_ = {};
}

bool CallTracer::step(bool wait) {
    bool any = false;
    while (!traced_.empty()) {
        int status = 0;
        // Each by its number: the caller may have other children.
        for (auto it = traced_.begin(); it != traced_.end();) {
            const pid_t pid = (it++)->first;
            const pid_t found = ::waitpid(pid, &status, __WALL | WNOHANG);
            if (found == 0) continue;
            any = true;
            if (found < 0 || !WIFSTOPPED(status)) {
                if (pid == pid_) ended_ = status;
                traced_.erase(pid);
            } else {
                stopped(pid, status, PTRACE_SYSCALL);
                break;  // there may be one more, or one less
            }
        }
        if (any || !wait) return any;
        wait_for_some_child();
    }
    return any;
}

void CallTracer::stopped(pid_t pid, int status, int request) {
    const int event = status >> 16;
    const bool at_a_call = event == 0 && WSTOPSIG(status) == (SIGTRAP | 0x80);
    if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK || event == PTRACE_EVENT_CLONE) {
        unsigned long child = 0;
        ::ptrace(PTRACE_GETEVENTMSG, pid, nullptr, &child);
        traced_[static_cast<pid_t>(child)] = false;
    }
    if (at_a_call) at_call(pid);
    if (event == PTRACE_EVENT_EXEC) request = PTRACE_DETACH;
    if (traced_[pid]) request = PTRACE_SYSCALL;
    const long signal = event == 0 && !at_a_call ? WSTOPSIG(status) : 0;
    // ESRCH: it was killed meanwhile, and its end is to be waited for.
    if (::ptrace(static_cast<__ptrace_request>(request), pid, nullptr, signal) != 0 && errno != ESRCH) cannot("ptrace");
    if (request == PTRACE_DETACH) traced_.erase(pid);
}

void CallTracer::at_call(pid_t pid) {
    __ptrace_syscall_info info{};
    if (::ptrace(static_cast<__ptrace_request>(PTRACE_GET_SYSCALL_INFO), pid, sizeof info, &info) < 0) {
        if (errno == ESRCH) return;  // it was killed meanwhile
        cannot("ptrace(GET_SYSCALL_INFO)");
    }
    if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
        std::uint64_t arguments[6];
        std::copy(std::begin(info.entry.args), std::end(info.entry.args), arguments);
        entered(pid, info.entry.nr, arguments);
    } else if (traced_[pid]) {
        put_register(pid, offsetof(user_regs_struct, rax), -call_.error);
        traced_[pid] = false;
    }
}

void CallTracer::entered(pid_t pid, std::uint64_t number, const std::uint64_t* arguments) {
    if (number == begin_mark || number == end_mark) {
        marked_ = number == begin_mark;
        bystanders_.clear();
        for (const auto& [other, failing] : traced_)
            if (other != pid) bystanders_.insert(other);
        return;
    }
    if (left_ <= 0 || !is_counted(number) || is_of_a_runtime(number, arguments)) return;
    if (number == SYS_write && arguments[2] == sizeof(std::uint64_t)) return;  // to an eventfd, which has room for a one
    const Known* const call = known(number);
    std::string name = call != nullptr ? call->name : "call " + std::to_string(number);
    if (counts_ ? !counts_(pid, name) : !marked_ || bystanders_.contains(pid)) return;
    if (--left_ > 0) return;
    call_.fired = true;
    call_.error = error_ != as_it_would ? error_ : call != nullptr ? call->exhausted : ENOMEM;
    call_.in_child = pid != pid_;
    call_.name = std::move(name);
    if (call != nullptr && call->path >= 0) call_.path = text_at(pid, arguments[call->path]);
    std::copy_n(arguments, call_.arguments.size(), call_.arguments.begin());
    put_register(pid, offsetof(user_regs_struct, orig_rax), -1);
    traced_[pid] = true;
}

Counted::Counted() { ::syscall(static_cast<long>(begin_mark)); }
Counted::~Counted() {
    const int error = errno;
    ::syscall(static_cast<long>(end_mark));
    errno = error;
}

Outcome with_failing_call(int nth, int error, const std::function<std::string()>& operation) {
    auto* const found = static_cast<char*>(
        ::mmap(nullptr, found_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    if (found == MAP_FAILED) cannot("mmap");
    int gate[2];
    if (::pipe2(gate, O_CLOEXEC) != 0) cannot("pipe2");
    const pid_t child = ::fork();
    if (child < 0) cannot("fork");
    if (child == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        ::close(gate[1]);
        char byte;
        while (::read(gate[0], &byte, 1) < 0 && errno == EINTR) {
        }
        ::close(gate[0]);
        std::string text;
        try {
            text = operation();
        } catch (const std::exception& thrown) {
            text = std::string("it threw: ") + thrown.what();
        }
        std::memcpy(found, text.data(), std::min(text.size(), found_bytes - 1));
        ::_exit(0);
    }
    ::close(gate[0]);
    Outcome outcome;
    try {
        CallTracer tracer(child);
        tracer.fail(nth, error);
        ::close(gate[1]);
        gate[1] = -1;
        while (!tracer.ended() && tracer.step()) {
        }
        outcome.call = tracer.call();
        outcome.status = tracer.ended().value_or(-1);
    } catch (const std::system_error&) {
        ::kill(child, SIGKILL);
        if (gate[1] >= 0) ::close(gate[1]);
        ::waitpid(child, nullptr, 0);
        ::munmap(found, found_bytes);
        throw;
    }
    outcome.found = found;
    ::munmap(found, found_bytes);
    return outcome;
}
#endif

}  // namespace muster::test
