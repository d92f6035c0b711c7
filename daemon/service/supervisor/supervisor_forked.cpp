// Processes that a program forked itself and told us about. They are that program's children: it reaps them and says
// how they ended; if it cannot any more, the kernel's word that they are gone has to do.
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "base/base.hpp"
#include "lookup.hpp"
#include "service/supervisor/proc.hpp"
#include "service/supervisor/supervisor.hpp"

namespace muster::service {
namespace {

CallError no_such(pid_t pid) {
    return CallError("io.muster.processes.NoSuchProcess", {{"select", std::to_string(pid)}});
}

int send_signal(int pidfd, int number) {
    return ::syscall(SYS_pidfd_send_signal, pidfd, number, nullptr, 0) == 0 ? 0 : errno;
}

void tell(Outcome& outcome, int status) {
    if (WIFEXITED(status)) outcome.exit_code = WEXITSTATUS(status);
    if (WIFSIGNALED(status)) outcome.signal = WTERMSIG(status);
    outcome.core_dumped = WIFSIGNALED(status) && WCOREDUMP(status);
}

// None: it is gone. Throws where there is no memory or descriptor to look with.
auto look_at(pid_t pid, const char* operation) {
    errno = 0;
    auto stat = read_stat(pid);
    if (!stat && could_not_look(errno))
        base::throw_errno(errno, operation, "pid " + std::to_string(pid), "open /proc/PID/stat");
    return stat;
}

// What is written down has happened, and cannot be taken back for want of memory: a service that cannot tell those who wait
// or watch ends, and the next one, which reads the journal, has them ask again.
template <typename Tell>
void surely(Tell&& tell) noexcept {
    tell();
}

}  // namespace

ProcessPtr Supervisor::find_forked(pid_t pid, std::uint64_t start_time) const {
    for (auto entry = table_.rbegin(); entry != table_.rend(); ++entry) {  // the youngest one that had this pid
        const Process& process = *entry->second;
        if (process.kind == Kind::forked && process.pid == pid && (start_time == 0 || process.start_time == start_time))
            return entry->second;
    }
    return nullptr;
}

// Idempotent by pid and start time: a program tells again when it lost the service.
void Supervisor::announce(const Requester& parent, pid_t pid, const std::string& name) {
    check_name(name, "name");
    base::UniqueFd pidfd = open_pidfd(pid);  // before the look, so that both are about the same process
    const auto stat = look_at(pid, "announce");
    if (!pidfd || !stat) throw no_such(pid);
    if (stat->ppid != parent.pid)
        throw CallError("io.muster.processes.NotPermitted",
                        {{"operation", "announce"}, {"reason", "pid " + std::to_string(pid) + " is no child of yours"}});
    if (find_forked(pid, stat->start_time)) return;
    require_room(parent.uid, 1);
    auto process = std::make_shared<Process>();
    process->id = next_id_++;
    process->name = name;
    process->kind = Kind::forked;
    process->state = State::starting;
    process->uid = parent.uid;
    process->pid = pid;
    process->ppid = parent.pid;
    process->started = outside_.now().wall;
    process->grace = options_.grace;
    process->start_time = stat->start_time;
    process->pidfd = std::move(pidfd);
    apply(*process, Event::started);
    const auto known = table_.emplace(process->id, process).first;
    try {
        outside_.watch(process->id, process->pidfd.get());
    } catch (...) {
        table_.erase(known);
        throw;
    }
    outside_.record(*process);
    surely([&] { changed(*process); });
}

// Known from before; if it ended while there was no service, its program may still tell us how.
void Supervisor::restore_forked(ProcessPtr process) {
    next_id(process->id + 1);
    table_.insert_or_assign(process->id, process);
    if (process->ended()) return;
    process->grace = options_.grace;
    process->pidfd = open_pidfd(process->pid);
    const auto stat = look_at(process->pid, "take over");
    if (process->pidfd && stat && stat->start_time == process->start_time) {
        outside_.watch(process->id, process->pidfd.get());
        return;
    }
    process->pidfd.reset();
    process->outcome.emplace().ended = outside_.now().wall;
    apply(*process, Event::ended);
    outside_.record(*process);
}

// May come before or after the pidfd told that it is gone, and more than once.
void Supervisor::ended(const Requester& parent, pid_t pid, const Outcome& outcome) {
    const ProcessPtr process = find_forked(pid, 0);
    if (!process || process->ppid != parent.pid) throw no_such(pid);
    if (process->outcome && process->outcome->told()) return;
    if (process->ended()) {
        const double when = process->outcome->ended;
        process->outcome = outcome;
        process->outcome->ended = when;
        outside_.record(*process);
        surely([&] { changed(*process); });
        return;
    }
    outside_.unwatch(process->id);
    process->pidfd.reset();
    Outcome told = outcome;
    told.ended = outside_.now().wall;
    surely([&] { finish(process, std::move(told)); });
}

void Supervisor::forked_gone(std::uint64_t id) {
    const ProcessPtr process = find(id);
    if (!process || process->ended()) return;
    Outcome outcome;
    outcome.ended = outside_.now().wall;
    // Not reaped yet? Then the kernel still knows, and tells those who could trace it.
    const auto stat = read_stat(process->pid);
    if (stat && stat->start_time == process->start_time && stat->state == 'Z' && may_act(::geteuid(), *process))
        tell(outcome, stat->wait_status);
    outside_.unwatch(id);
    process->pidfd.reset();
    finish(process, std::move(outcome));
}

void Supervisor::orphan_reaped(const link::OrphanReaped& message) {
    const ProcessPtr process = find_forked(message.pid, 0);
    if (!process || (process->outcome && process->outcome->told())) return;
    Outcome outcome = Outcome::of(message.ending);
    if (process->ended()) {
        process->outcome = std::move(outcome);
        outside_.record(*process);
        changed(*process);
        return;
    }
    outside_.unwatch(process->id);
    process->pidfd.reset();
    finish(process, std::move(outcome));
}

int Supervisor::signal_forked(const Process& process, int number, bool tree, uid_t caller) const {
    if (!process.pidfd) return ESRCH;
    if (!uid_may_signal(caller, process.pid)) return EPERM;
    if (!tree) return send_signal(process.pidfd.get(), number);
    // Children first seen before the parent is told to end: afterwards they would be somebody else's.
    std::vector<base::UniqueFd> below;
    for (const pid_t pid : descendants(process.pid)) {
        if (!uid_may_signal(caller, pid)) continue;
        base::UniqueFd pidfd = open_pidfd(pid);
        const auto stat = read_stat(pid);
        if (pidfd && stat && stat->start_time >= process.start_time) below.push_back(std::move(pidfd));
    }
    const int error = send_signal(process.pidfd.get(), number);
    for (const auto& pidfd : below) send_signal(pidfd.get(), number);
    return error;
}

}  // namespace muster::service
