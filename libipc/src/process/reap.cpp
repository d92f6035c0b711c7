// How the end of a child is noticed, told and cleaned up.

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>

#include "process/pidfd.hpp"
#include "process/state.hpp"

namespace muster::process {
namespace {

using namespace std::chrono_literals;

constexpr auto slice = std::chrono::nanoseconds(1h);  // of an endless poll
constexpr auto tracer_patience = std::chrono::nanoseconds(5ms);
constexpr auto daemon_grace =
    std::chrono::nanoseconds(5s);  // between SIGTERM and SIGKILL, for daemon children

Ending from_siginfo(int how, int status) {
    if (how == CLD_EXITED) return {.exit_code = status, .signal = {}};
    return {.exit_code = {}, .signal = status, .core_dumped = how == CLD_DUMPED};
}

// PIDFD_GET_INFO with PIDFD_INFO_EXIT, Linux 6.15: how a process ended that somebody else has reaped.
struct PidfdInfo {
    std::uint64_t mask, cgroup;
    std::uint32_t pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
    std::int32_t exit_code;
};
static_assert(sizeof(PidfdInfo) == 64);

Ending remembered_ending(int pidfd) {
    constexpr std::uint64_t info_exit = 1u << 3;
    PidfdInfo info{};
    info.mask = info_exit;
    if (::ioctl(pidfd, _IOWR(0xFF, 11, PidfdInfo), &info) != 0 || !(info.mask & info_exit)) return {};
    const int status = info.exit_code;
    if (WIFEXITED(status)) return {.exit_code = WEXITSTATUS(status), .signal = {}};
    return {.exit_code = {}, .signal = WTERMSIG(status), .core_dumped = WCOREDUMP(status) != 0};
}

// None while it runs. Leaves a zombie a zombie.
std::optional<Ending> ask_kernel(int pidfd) {
    siginfo_t info{};
    const int result = base::retry_interrupted(
        [&] { return ::waitid(P_PIDFD, static_cast<id_t>(pidfd), &info, WEXITED | WNOHANG | WNOWAIT); });
    if (result == 0 && info.si_pid != 0) return from_siginfo(info.si_code, info.si_status);
    if (result == 0) return std::nullopt;
    // ECHILD: not ours to wait for. Reaped by somebody else, or by the kernel as SIGCHLD is ignored.
    if (!wait_ended(pidfd, base::Deadline::now())) return std::nullopt;
    return remembered_ending(pidfd);
}

}  // namespace

bool wait_ended(int pidfd, base::Deadline deadline) {
    for (;;) {
        const auto left = deadline.left(slice).count();
        const timespec time{static_cast<time_t>(left / 1'000'000'000),
                            static_cast<long>(left % 1'000'000'000)};
        pollfd watched{pidfd, POLLIN, 0};
        const int ready = ::ppoll(&watched, 1, &time, nullptr);
        if (ready > 0) return true;
        if (ready < 0 && errno != EINTR) base::throw_errno(errno, "wait", "process", "ppoll");
        if (ready == 0 && deadline.passed()) return false;
    }
}

bool reap(const ChildPtr& child) {
    State& s = state();
    SharedFd pidfd;
    Announcer* announcer = nullptr;
    {
        const std::scoped_lock hold(s.mutex);
        if (child->phase != detail::Phase::running) return child->phase == detail::Phase::ended;
        const auto ending = ask_kernel(child->pidfd->get());
        if (!ending) return false;
        child->ending = *ending;
        child->phase = detail::Phase::ended;
        std::erase(s.running, child);
        pidfd = child->pidfd;
        announcer = s.announcer;
    }
    if (announcer) announcer->ended(child->pid, child->ending);  // neither changes any more
    base::retry_interrupted(
        [&] { return ::waitid(P_PIDFD, static_cast<id_t>(pidfd->get()), nullptr, WEXITED | WNOHANG); });
    return true;
}

void reap_ended() {
    State& s = state();
    std::vector<ChildPtr> running;
    {
        const std::scoped_lock hold(s.mutex);
        running = s.running;
    }
    for (const ChildPtr& child : running) reap(child);
}

bool join(const ChildPtr& child, base::Deadline deadline) {
    SharedFd pidfd;
    {
        const std::scoped_lock hold(state().mutex);
        if (child->phase == detail::Phase::ended) return true;
        pidfd = child->pidfd;
    }
    for (;;) {
        if (!wait_ended(pidfd->get(), deadline)) return false;
        if (reap(child)) return true;
        // Ended, but a tracer sees it first: it will be ours to reap in a moment.
        if (deadline.passed()) return false;
        const timespec pause{0, static_cast<long>(deadline.left(tracer_patience).count())};
        ::nanosleep(&pause, nullptr);
    }
}

void end_children() noexcept {
    State& s = state();
    Announcer* announcer = nullptr;
    for (;;) {  // other threads may start children meanwhile
        std::vector<ChildPtr> daemons, others;
        {
            const std::scoped_lock hold(s.mutex);
            for (const ChildPtr& child : s.running) (child->daemon ? daemons : others).push_back(child);
            announcer = s.announcer;
        }
        if (daemons.empty() && others.empty()) break;
        for (const ChildPtr& child : daemons) ::pidfd_send_signal(child->pidfd->get(), SIGTERM, nullptr, 0);
        const auto patience = base::Deadline::after(daemon_grace);
        for (const ChildPtr& child : daemons) {
            if (join(child, patience)) continue;
            ::pidfd_send_signal(child->pidfd->get(), SIGKILL, nullptr, 0);
            join(child, base::Deadline::never());
        }
        for (const ChildPtr& child : others) join(child, base::Deadline::never());
    }
    if (announcer) announcer->settle();
}

}  // namespace muster::process
