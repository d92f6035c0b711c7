#include "soak/crew.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace muster::soak {
namespace {

base::UniqueFd open_pidfd(pid_t pid) {
    return base::UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

pid_t forked(const std::function<int()>& run) {
    const pid_t parent = ::getpid(), pid = ::fork();
    if (pid == -1) base::throw_errno(errno, "start", "worker", "fork");
    if (pid != 0) return pid;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
    ::_exit(run());
}

}  // namespace

const char* name_of(Way way) noexcept {
    switch (way) {
        case Way::process:
            return "muster::Process";
        case Way::fork:
            return "fork";
        default:
            return "the daemon";
    }
}

void Member::start(const Manager& manager, const Job& job) {
    killed_ = false;
    base::UniqueFd pidfd;
    if (way_ == Way::process) {
        process_.emplace(ProcessOptions{.name = name_, .daemon = true}, job.run);
        process_->start();
        pid_ = *process_->pid();
        pidfd = base::UniqueFd(::fcntl(process_->sentinel(), F_DUPFD_CLOEXEC, 0));
    } else if (way_ == Way::fork) {
        pid_ = forked(job.run);
        pidfd = open_pidfd(pid_);
    } else {
        spawned_ = manager.spawn(job.argv, {.name = name_});
        pid_ = spawned_->pid();
        pidfd = open_pidfd(pid_);
    }
    if (!pidfd) base::throw_errno(errno, "start", name_, "pidfd_open");
    pidfd_ = std::move(pidfd);
}

void Member::kill() noexcept {
    killed_ = true;
    ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
}

std::optional<int> Member::ended() {
    if (!pidfd_) return {};
    pollfd polled{pidfd_.get(), POLLIN, 0};
    if (::poll(&polled, 1, 0) != 1) return {};
    int code = -SIGKILL;
    if (way_ == Way::process) {
        code = process_->exitcode().value_or(1000);
    } else if (way_ == Way::fork) {
        int status = 0;
        ::waitpid(pid_, &status, 0);
        code = WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
    } else if (!killed_) {
        // The daemon, which reaps it, may not know it yet.
        code = spawned_->wait_for(std::chrono::seconds(20)) ? spawned_->exitcode().value_or(1000) : 1000;
    }
    pidfd_.reset();
    return code;
}

}  // namespace muster::soak
