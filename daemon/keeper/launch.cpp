#include "keeper/launch.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <csignal>
#include <cstddef>

// The child's code writes nothing but its own stack and its report, and must stay so: no instrumentation.
#define MUSTER_IN_CHILD __attribute__((no_sanitize("address", "thread", "undefined")))

namespace muster::keeper {
namespace {

enum class Step {
    none, cgroup, setsid, setgroups, setgid, setuid, prctl, chdir, open_stdin, open_stdout, open_stderr, pass, exec
};

constexpr const char* step_names[] = {"",      "cgroup",     "setsid",      "setgroups",   "setgid", "setuid", "prctl",
                                      "chdir", "open stdin", "open stdout", "open stderr", "pass",   "exec"};

// The plan as the child reads it: plain pointers into the keeper's memory, which it shares.
struct ChildPlan {
    const char* const* programs;
    char* const* argv;
    char* const* environment;
    const char* directory;
    const char* out_path;  // or null, then the descriptor
    const char* err_path;
    int out_fd, err_fd;
    bool changes_user;
    uid_t uid;
    gid_t gid;
    const gid_t* groups;
    std::size_t group_count;
    const rlimit* descriptors;
    int pass;
    int join_cgroup;  // only where the clone could not place us
    pid_t parent;     // to die with, or 0

    // The report.
    Step failed;
    int error;
    int program;  // of exec: which one, or -1 for "none was found"
};

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wattributes"
#endif

MUSTER_IN_CHILD int fail(ChildPlan& plan, Step step) {
    plan.failed = step;
    plan.error = errno;
    return 127;
}

MUSTER_IN_CHILD void default_signals() {
    // As the kernel's sigaction with SIG_DFL, no flags and an empty mask; a larger one than any of ours.
    unsigned long action[8] = {};
    for (int signal = 1; signal <= 64; ++signal)
        ::syscall(SYS_rt_sigaction, signal, action, nullptr, sizeof(unsigned long));
}

MUSTER_IN_CHILD bool attach(int from, int to) {
    return from == to ? ::syscall(SYS_fcntl, to, F_SETFD, 0) == 0 : ::syscall(SYS_dup3, from, to, 0) >= 0;
}

MUSTER_IN_CHILD bool open_stream(const char* path, int fd, int to) {
    if (path != nullptr) {
        // Without O_NONBLOCK a FIFO would hold us, and the keeper with us, until somebody reads it.
        fd = static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path,
                                        O_WRONLY | O_CREAT | O_APPEND | O_NOCTTY | O_CLOEXEC | O_NONBLOCK, 0644));
        if (fd < 0) return false;
        if (::syscall(SYS_fcntl, fd, F_SETFL, O_APPEND) < 0) return false;
    }
    return attach(fd, to);
}

MUSTER_IN_CHILD int exec(ChildPlan& plan) {
    int error = ENOENT;
    int program = -1;
    for (int i = 0; plan.programs[i] != nullptr; ++i) {
        ::syscall(SYS_execve, plan.programs[i], plan.argv, plan.environment);
        if (errno == ENOENT || errno == ENOTDIR) continue;
        const bool last = errno != EACCES && errno != ESTALE && errno != ENODEV && errno != ETIMEDOUT;
        if (last || error == ENOENT) {
            error = errno;
            program = i;
        }
        if (last) break;
    }
    errno = error;
    plan.program = program;
    return fail(plan, Step::exec);
}

MUSTER_IN_CHILD int child_main(void* argument) {
    ChildPlan& plan = *static_cast<ChildPlan*>(argument);
    if (plan.join_cgroup >= 0) {
        const auto procs = ::syscall(SYS_openat, plan.join_cgroup, "cgroup.procs", O_WRONLY | O_CLOEXEC);
        if (procs < 0 || ::syscall(SYS_write, procs, "0", 1) != 1) return fail(plan, Step::cgroup);
    }
    if (::syscall(SYS_setsid) < 0) return fail(plan, Step::setsid);
    default_signals();
    if (plan.descriptors != nullptr) ::syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, plan.descriptors, nullptr);
    if (plan.changes_user) {
        // Raw: libc's own would try to change all threads, which are the keeper's.
        if (::syscall(SYS_setgroups, plan.group_count, plan.groups) < 0) return fail(plan, Step::setgroups);
        if (::syscall(SYS_setresgid, plan.gid, plan.gid, plan.gid) < 0) return fail(plan, Step::setgid);
        if (::syscall(SYS_setresuid, plan.uid, plan.uid, plan.uid) < 0) return fail(plan, Step::setuid);
    }
    if (plan.parent != 0) {
        if (::syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL) < 0) return fail(plan, Step::prctl);
        if (::syscall(SYS_getppid) != plan.parent) return 127;
    }
    if (plan.directory != nullptr && ::syscall(SYS_chdir, plan.directory) < 0) return fail(plan, Step::chdir);
    const int null = static_cast<int>(::syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC));
    if (null < 0 || !attach(null, 0)) return fail(plan, Step::open_stdin);
    if (!open_stream(plan.out_path, plan.out_fd < 0 ? null : plan.out_fd, 1)) return fail(plan, Step::open_stdout);
    if (!open_stream(plan.err_path, plan.err_fd < 0 ? null : plan.err_fd, 2)) return fail(plan, Step::open_stderr);
    unsigned first_closed = 3;
    if (plan.pass >= 0) {
        if (!attach(plan.pass, 3)) return fail(plan, Step::pass);
        first_closed = 4;
    }
    ::syscall(SYS_close_range, first_closed, ~0u, 0);  // all are close-on-exec; this is for what a library opened
    unsigned long none = 0;
    ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, nullptr, sizeof none);
    return exec(plan);
}

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

std::vector<char*> pointers(const std::vector<std::string>& strings) {
    std::vector<char*> list;
    list.reserve(strings.size() + 1);
    for (const std::string& text : strings) list.push_back(const_cast<char*>(text.c_str()));
    list.push_back(nullptr);
    return list;
}

std::string subject_of(const ChildPlan& child, const LaunchPlan& plan) {
    switch (child.failed) {
        case Step::chdir: return plan.directory;
        case Step::open_stdin: return "/dev/null";
        case Step::open_stdout: return plan.out.path;
        case Step::open_stderr: return plan.err.path;
        case Step::setgroups:
        case Step::setuid: return std::to_string(plan.credentials->uid);
        case Step::setgid: return std::to_string(plan.credentials->gid);
        case Step::exec:
            return child.program < 0 ? plan.argv.front() : plan.programs[static_cast<std::size_t>(child.program)];
        default: return {};
    }
}

bool lacks_clone3(int error) {
    // EPERM is what some containers' filters say. EINVAL, E2BIG: clone3 without placement into a cgroup.
    return error == ENOSYS || error == EPERM || error == EINVAL || error == E2BIG;
}

}  // namespace

std::variant<Launched, LaunchFailure> launch(const LaunchPlan& plan) {
    if (plan.argv.empty() || plan.programs.empty()) return LaunchFailure{"exec", "", EINVAL};
    const auto programs = pointers(plan.programs);
    const auto argv = pointers(plan.argv);
    const auto environment = pointers(plan.environment);
    rlimit descriptors{};
    if (plan.descriptors) {
        ::getrlimit(RLIMIT_NOFILE, &descriptors);
        descriptors.rlim_cur = *plan.descriptors;
    }
    const auto path_of = [](const LaunchPlan::Stream& stream) {
        return stream.kind == LaunchPlan::Stream::Kind::file ? stream.path.c_str() : nullptr;
    };
    const auto fd_of = [](const LaunchPlan::Stream& stream) {
        return stream.kind == LaunchPlan::Stream::Kind::descriptor ? stream.fd : -1;
    };
    ChildPlan child{};
    child.programs = programs.data();
    child.argv = argv.data();
    child.environment = environment.data();
    child.directory = plan.directory.empty() ? nullptr : plan.directory.c_str();
    child.out_path = path_of(plan.out);
    child.err_path = path_of(plan.err);
    child.out_fd = fd_of(plan.out);
    child.err_fd = fd_of(plan.err);
    if (plan.credentials) {
        child.changes_user = true;
        child.uid = plan.credentials->uid;
        child.gid = plan.credentials->gid;
        child.groups = plan.credentials->groups.data();
        child.group_count = plan.credentials->groups.size();
    }
    child.descriptors = plan.descriptors ? &descriptors : nullptr;
    child.pass = plan.pass;
    child.join_cgroup = plan.method == CloneMethod::clone ? plan.cgroup : -1;
    child.parent = plan.dies_with_parent ? ::getpid() : 0;
    child.program = -1;

    Cloned cloned = clone_vfork(plan.method, child_main, &child, plan.cgroup);
    if (cloned.error != 0 && plan.method == CloneMethod::clone3 && lacks_clone3(cloned.error)) {
        child.join_cgroup = plan.cgroup;
        cloned = clone_vfork(CloneMethod::clone, child_main, &child, -1);
    }
    if (cloned.error != 0) return LaunchFailure{"clone", "", cloned.error};
    if (child.failed == Step::none) return Launched{cloned.pid, std::move(cloned.pidfd)};
    siginfo_t info{};
    while (::waitid(P_PID, static_cast<id_t>(cloned.pid), &info, WEXITED) < 0 && errno == EINTR) {
    }
    return LaunchFailure{step_names[static_cast<int>(child.failed)], subject_of(child, plan), child.error};
}

}  // namespace muster::keeper
