#include "keeper/children.hpp"

#include <poll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <new>
#include <utility>

#include "keeper/launch.hpp"
#include "keeper/prepare.hpp"
#include "keeper/proc.hpp"
#include "keeper/tree.hpp"

namespace muster::keeper {
namespace {

constexpr int wait_pidfd = 3;  // P_PIDFD, which some C libraries do not name

// Nobody writes any more, and everything was read.
bool drained(const base::UniqueFd& log) {
    pollfd watched{log.get(), POLLIN, 0};
    return ::poll(&watched, 1, 0) == 1 && (watched.revents & POLLIN) == 0;
}

double seconds(const timeval& time) { return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6; }

}  // namespace

double wall_clock() {
    return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

pid_t next_zombie() {
    siginfo_t info{};
    int result;
    do result = ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT);
    while (result < 0 && errno == EINTR);
    return result < 0 ? -1 : info.si_pid;
}

std::optional<link::Ending> reap_process(pid_t pid, int pidfd) {
    siginfo_t info{};
    rusage usage{};
    long result;
    // The raw call: libc's leaves out the resource usage.
    do
        result = ::syscall(SYS_waitid, pidfd >= 0 ? wait_pidfd : static_cast<int>(P_PID), pidfd >= 0 ? pidfd : pid, &info,
                           WEXITED | WNOHANG, &usage);
    while (result < 0 && errno == EINTR);
    if (result < 0 || info.si_pid == 0) return std::nullopt;
    link::Ending ending;
    if (info.si_code == CLD_EXITED) {
        ending.exit_code = info.si_status;
    } else {
        ending.signal = info.si_status;
        ending.core_dumped = info.si_code == CLD_DUMPED;
    }
    ending.ended = wall_clock();
    ending.user_seconds = seconds(usage.ru_utime);
    ending.system_seconds = seconds(usage.ru_stime);
    ending.max_rss_kib = usage.ru_maxrss;
    return ending;
}

Children::Children(Cgroups cgroups, std::string instance, std::uint64_t descriptors)
    : cgroups_(std::move(cgroups)), instance_(std::move(instance)), descriptors_(descriptors) {}

std::string Children::mark(std::uint64_t id) const {
    return "MUSTER_PROCESS_ID=" + instance_ + '-' + std::to_string(id);
}

std::variant<const ChildRecord*, link::StartFailed> Children::spawn(link::Spawn&& request) {
    const std::uint64_t id = request.id;
    const auto failed = [id](LaunchFailure&& why) {
        return link::StartFailed{id, std::move(why.step), std::move(why.subject), why.error};
    };
    if (records_.contains(id)) return failed({"id", std::to_string(id), EEXIST});
    if (id >= next_id_) next_id_ = id + 1;

    auto prepared = prepare(request.spec, mark(id));
    if (auto* failure = std::get_if<LaunchFailure>(&prepared)) return failed(std::move(*failure));
    Prepared& ready = std::get<Prepared>(prepared);
    ready.plan.descriptors = descriptors_;
    // Room for the record, before there is a process that must have one: from the launch on nothing can fail.
    decltype(records_) new_record;
    decltype(running_) new_running;
    ChildRecord& record = new_record[id];
    new_running[0] = id;
    auto running = new_running.extract(0);

    base::UniqueFd cgroup = cgroups_.create(id);
    ready.plan.cgroup = cgroup.get();
    const auto try_launch = [&] {
        try {
            return launch(ready.plan);
        } catch (...) {
            if (cgroup) removed_cgroup(id);
            throw;
        }
    };
    auto result = try_launch();
    const auto* failure = std::get_if<LaunchFailure>(&result);
    if (failure != nullptr && cgroup && (failure->step == "clone" || failure->step == "cgroup")) {
        // Perhaps only its cgroup is in the way: over a limit, or removed by somebody else.
        removed_cgroup(id);
        cgroup.reset();
        ready.plan.cgroup = -1;
        result = try_launch();
    }
    if (auto* why = std::get_if<LaunchFailure>(&result)) {
        if (cgroup) removed_cgroup(id);
        return failed(std::move(*why));
    }
    Launched& launched = std::get<Launched>(result);
    record.pid = launched.pid;
    record.pidfd = std::move(launched.pidfd);
    record.has_cgroup = static_cast<bool>(cgroup);
    record.started = wall_clock();
    record.out_log = std::move(ready.out_log);
    record.err_log = std::move(ready.err_log);
    record.note = std::move(request.note);
    record.note.shrink_to_fit();
    running.key() = record.pid;
    running_.insert(std::move(running));
    return &records_.insert(new_record.extract(id)).position->second;
}

std::optional<link::Exited> Children::reap(pid_t pid) {
    const auto found = running_.find(pid);
    if (found == running_.end()) return std::nullopt;
    const std::uint64_t id = found->second;
    ChildRecord& record = records_.at(id);
    // Room for what is to be remembered, before the process is gone.
    std::set<std::uint64_t> lingering;
    std::list<std::uint64_t> with_logs;
    if (record.has_cgroup) lingering.insert(id);
    if (record.out_log || record.err_log) with_logs.push_back(id);
    record.ended_ticks = boot_ticks();
    record.ending = reap_process(pid, record.pidfd.get());
    if (!record.ending) return std::nullopt;
    running_.erase(found);
    record.pidfd.reset();
    if (record.has_cgroup && !removed_cgroup(id)) lingering_.merge(lingering);
    close_drained_logs();
    ended_with_logs_.splice(ended_with_logs_.end(), with_logs);
    return link::Exited{id, *record.ending};
}

int Children::signal(const link::Signal& request, std::optional<pid_t> service) {
    const auto found = records_.find(request.id);
    if (found == records_.end()) return ESRCH;
    const ChildRecord& record = found->second;
    if (!request.tree) return record.pidfd ? send_signal(record.pidfd.get(), request.signal) : ESRCH;
    if (record.ending && record.has_cgroup && !lingering_.contains(request.id)) return ESRCH;
    Tree tree{request.id, record.pid, record.pidfd.get(), record.has_cgroup, std::nullopt, mark(request.id)};
    if (record.ending) tree.ended_ticks = record.ended_ticks;
    return signal_tree(tree, request.signal, cgroups_,
                       [&](pid_t pid) { return running_.contains(pid) || pid == service; });
}

void Children::set_note(std::uint64_t id, std::string note) {
    if (const auto found = records_.find(id); found != records_.end()) {
        found->second.note = std::move(note);
        found->second.note.shrink_to_fit();
    }
}

void Children::forget(std::uint64_t id) {
    const auto found = records_.find(id);
    if (found != records_.end() && found->second.ending) records_.erase(found);
}

// Without memory for its path it stays: the next sweep, or the next keeper, removes it.
bool Children::removed_cgroup(std::uint64_t id) const noexcept {
    try {
        return cgroups_.remove(id);
    } catch (const std::bad_alloc&) {
        return false;
    }
}

// A few at each child's end: so they go as fast as they come, however long the history that the service keeps.
void Children::close_drained_logs() noexcept {
    for (auto looks = std::min<std::size_t>(4, ended_with_logs_.size()); looks > 0; --looks) {
        const auto found = records_.find(ended_with_logs_.front());
        bool open = false;
        if (found != records_.end())
            for (base::UniqueFd* log : {&found->second.out_log, &found->second.err_log}) {
                if (*log && drained(*log)) log->reset();
                open |= static_cast<bool>(*log);
            }
        if (open)
            ended_with_logs_.splice(ended_with_logs_.end(), ended_with_logs_, ended_with_logs_.begin());
        else
            ended_with_logs_.pop_front();
    }
}

void Children::remove_empty_cgroups() {
    for (auto it = lingering_.begin(); it != lingering_.end();) it = removed_cgroup(*it) ? lingering_.erase(it) : std::next(it);
}

}  // namespace muster::keeper
