#include "ctl/child.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "base/base.hpp"
#include "ctl/exit_code.hpp"
#include "ctl/output.hpp"

namespace muster::ctl {
namespace {

[[noreturn]] void become(std::vector<char*>& argv, const sigset_t& mask, pid_t parent, int report) {
    ::signal(SIGPIPE, SIG_DFL);
    ::sigprocmask(SIG_SETMASK, &mask, nullptr);
    if (::prctl(PR_SET_PDEATHSIG, SIGTERM) == 0 && ::getppid() == parent) ::execvp(argv[0], argv.data());
    const int error = errno;
    [[maybe_unused]] const auto told = ::write(report, &error, sizeof error);
    ::_exit(exit_own_failure);
}

int exit_code_of(int status) noexcept {
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

// Until the child has ended; passes signals on meanwhile.
int attend(pid_t child, const sigset_t& signals) {
    for (;;) {
        int status = 0;
        const pid_t ended = base::retry_interrupted([&] { return ::waitpid(child, &status, WNOHANG); });
        if (ended == child) return exit_code_of(status);
        if (ended < 0) return exit_own_failure;
        siginfo_t info{};
        const int signal = ::sigwaitinfo(&signals, &info);
        const bool from_terminal = (signal == SIGINT || signal == SIGQUIT) && info.si_code == SI_KERNEL;
        if (signal > 0 && signal != SIGCHLD && !from_terminal) ::kill(child, signal);
    }
}

}  // namespace

int run_child(const std::vector<std::string>& words) {
    std::vector<char*> argv;
    for (const auto& word : words) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);

    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) base::throw_errno(errno, "run", words.front(), "pipe2");
    const base::UniqueFd outcome(ends[0]);
    base::UniqueFd report(ends[1]);

    sigset_t signals, before;
    ::sigemptyset(&signals);
    for (const int signal : {SIGCHLD, SIGTERM, SIGHUP, SIGINT, SIGQUIT}) ::sigaddset(&signals, signal);
    ::sigprocmask(SIG_BLOCK, &signals, &before);
    const pid_t parent = ::getpid();
    const pid_t child = ::fork();
    if (child == 0) become(argv, before, parent, report.get());
    const int fork_error = errno;
    report.reset();
    int code = exit_own_failure, error = 0;
    if (child > 0) {
        const auto got = base::retry_interrupted([&] { return ::read(outcome.get(), &error, sizeof error); });
        code = attend(child, signals);
        if (got == static_cast<ssize_t>(sizeof error))  // it never became the program
            code = error == ENOENT ? exit_not_found : exit_not_executable;
        else
            error = 0;
    }
    ::sigprocmask(SIG_SETMASK, &before, nullptr);
    if (child < 0) base::throw_errno(fork_error, "run", words.front(), "fork");
    if (error != 0)
        complain(one_line("[start_failed] " + words.front() + ": exec: " + base::errno_text(error)));
    return code;
}

}  // namespace muster::ctl
