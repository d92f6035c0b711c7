#include "service/supervisor/supervisor.hpp"

#include <signal.h>

#include <algorithm>

#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include "service/supervisor/view.hpp"

namespace muster::service {
namespace {

Clock::duration seconds(double value) {
    return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(std::clamp(value, 0.0, max_grace)));
}

}  // namespace

struct Supervisor::Start {
    std::vector<ProcessPtr> all;
    std::size_t undecided = 0;
    std::optional<CallError> failure;  // the first one
    ProcessPtr failed;
    Answer answer;
};

Supervisor::Supervisor(SupervisorOptions options, Outside& outside) : options_(options), outside_(outside) {}
Supervisor::~Supervisor() = default;

ProcessPtr Supervisor::find(std::uint64_t id) const {
    const auto found = table_.find(id);
    return found == table_.end() ? nullptr : found->second;
}

std::size_t Supervisor::live() const noexcept {
    return static_cast<std::size_t>(
        std::count_if(table_.begin(), table_.end(), [](const auto& entry) { return !entry.second->ended(); }));
}

void Supervisor::apply(Process& process, Event event) {
    const auto after = next(process.state, event);
    if (!after) {
        spdlog::error("process '{}' #{}: event {} is impossible when {}", process.name, process.id,
                      static_cast<int>(event), to_string(process.state));
        return;
    }
    process.state = *after;
}

// --- starting ---

void Supervisor::require_room(uid_t uid, std::size_t more) const {
    if (shutting_down_)
        throw CallError("io.muster.processes.NotPermitted",
                        {{"operation", "start"}, {"reason", "the daemon is shutting down"}});
    if (live() + more > options_.processes)
        throw limit_exceeded("io.muster.processes", "processes", options_.processes, "limits.processes");
    const auto own = std::count_if(table_.begin(), table_.end(), [uid](const auto& entry) {
        return entry.second->uid == uid && !entry.second->ended();
    });
    if (static_cast<std::size_t>(own) + more > options_.processes_per_uid)
        throw limit_exceeded("io.muster.processes", "processes of one user", options_.processes_per_uid,
                             "limits.processes_per_uid");
}

std::vector<std::string> Supervisor::remembered(const std::vector<std::string>& argv, std::size_t others) const {
    const bool room = arguments_ + others + cost_of(argv) <= max_arguments;
    return room ? argv : shortened(argv, max_arguments_each);
}

void Supervisor::spawn(const Launch& launch, Answer answer) {
    require_room(launch.uid, launch.count);
    auto start = std::make_shared<Start>();
    std::size_t arguments = 0;
    for (std::size_t i = 0; i < launch.count; ++i) {
        auto process = std::make_shared<Process>();
        process->id = next_id_ + i;
        process->name = launch.count == 1 ? launch.name : launch.name + "-" + std::to_string(i + 1);
        if (launch.count > 1) process->group = launch.name;
        process->uid = launch.uid;
        process->ppid = options_.keeper_pid;
        process->argv = remembered(launch.spec.argv, arguments);
        arguments += cost_of(process->argv);
        process->stop_signal = launch.stop_signal;
        process->grace = launch.grace.value_or(options_.grace);
        start->all.push_back(std::move(process));
    }
    next_id_ += launch.count;
    start->undecided = launch.count;
    start->answer = std::move(answer);
    const Instant now = outside_.now();
    try {
        for (const ProcessPtr& process : start->all) {
            process->started = now.wall;
            table_.emplace(process->id, process);
            starts_.emplace(process->id, start);
        }
    } catch (...) {
        for (const ProcessPtr& process : start->all) {
            table_.erase(process->id);
            starts_.erase(process->id);
        }
        throw;
    }
    arguments_ += arguments;
    const Whole whole;
    for (const ProcessPtr& process : start->all) {
        try {
            outside_.send(link::Spawn{process->id, launch.spec, to_note(*process, now)});
        } catch (const std::exception& error) {  // no descriptor, no memory: what was not asked for has not started
            spdlog::error("start of '{}': {}", process->name, error.what());
            start_failed({process->id, "ask the keeper", "", ENOMEM});
        }
    }
}

void Supervisor::started(const link::Started& message) {
    const ProcessPtr process = find(message.id);
    if (!process) return;
    process->pid = message.pid;
    process->started = message.started;
    const bool stop_waits = process->state == State::stopping;
    apply(*process, Event::started);
    if (stop_waits) send_to_tree(process, process->stop_signal);
    changed(*process);
    start_decided(message.id);
}

void Supervisor::start_failed(const link::StartFailed& message) {
    const ProcessPtr process = find(message.id);
    if (!process) return;
    const std::string reason = base::errno_text(message.error);
    process->failure = message.step + (message.subject.empty() ? "" : " '" + message.subject + "'") + ": " + reason;
    process->stopping.reset();
    apply(*process, Event::start_failed);
    process->outcome = Outcome{};
    process->outcome->ended = outside_.now().wall;
    const auto start = starts_.find(message.id);
    if (start != starts_.end() && !start->second->failure) {
        start->second->failed = process;
        start->second->failure = CallError("io.muster.processes.StartFailed", {{"step", message.step},
                                                                               {"subject", message.subject},
                                                                               {"errno", message.error},
                                                                               {"reason", reason}});
    } else {
        process->discard = true;  // one failure of a launch is enough to remember
    }
    changed(*process);
    settle(process);
    start_decided(message.id);
}

void Supervisor::start_decided(std::uint64_t id) {
    const auto found = starts_.find(id);
    if (found == starts_.end()) return;
    const std::shared_ptr<Start> start = found->second;
    starts_.erase(found);
    if (--start->undecided > 0) return;
    if (start->failure) return roll_back(*start);
    start->answer(Processes(start->all.begin(), start->all.end()));
}

// All or none: what did start is ended and not remembered; then the failure is told.
void Supervisor::roll_back(Start& start) {
    std::vector<ProcessPtr> started;
    for (const ProcessPtr& process : start.all)
        if (process->state != State::failed) started.push_back(process);
    for (const ProcessPtr& process : started) {
        process->discard = true;
        begin_stop(process, 0);
    }
    waits_.add(std::move(started), std::nullopt,
               [answer = start.answer, failure = *start.failure](const Processes&, bool) { answer(failure); });
}

// --- looking ---

Processes Supervisor::list(uid_t caller, bool all, const std::optional<std::string>& selection) const {
    const Choose choose = all ? Choose::all : Choose::live;
    if (selection) {
        if (selection->empty()) throw invalid_parameter("select", "a name, '#ID' or a pid expected");
        const auto chosen = select_quietly(table_, *selection, caller, choose);
        return {chosen.begin(), chosen.end()};
    }
    Processes result;
    for (const auto& [id, process] : table_)
        if (may_act(caller, *process) && (all || !process->ended())) result.push_back(process);
    return result;
}

Supervisor::Token Supervisor::watch(uid_t caller, Watcher watcher) {
    watchers_.emplace(++last_watcher_, std::pair(caller, std::move(watcher)));
    return last_watcher_;
}

void Supervisor::changed(const Process& process) {
    const auto watchers = watchers_;  // one may go away while it is told
    for (const auto& [token, watcher] : watchers)
        if (may_act(watcher.first, process)) watcher.second(process);
}

Supervisor::Token Supervisor::wait(const Requester& who, const std::string& selection, std::optional<double> timeout,
                                   Answer answer) {
    auto chosen = select(table_, selection, who.uid, Choose::live_or_ended, "wait");
    std::optional<Clock::time_point> deadline;
    if (timeout) deadline = outside_.now().steady + seconds(*timeout);
    return waits_.add(std::move(chosen), deadline,
                      [answer = std::move(answer)](const Processes& all, bool in_time) {
                          if (in_time) return answer(all);
                          answer(CallError("io.muster.processes.WaitTimeout", {{"processes", view(all)}}));
                      });
}

// --- ending ---

void Supervisor::finish(const ProcessPtr& process, Outcome outcome) {
    if (process->ended()) return;
    process->outcome = std::move(outcome);
    apply(*process, Event::ended);
    if (process->kind == Kind::forked) outside_.record(*process);
    changed(*process);
    if (process->stopping)
        look_for_remains(process, outside_.now().steady);
    else
        settle(process);
}

void Supervisor::exited(const link::Exited& message) {
    if (const ProcessPtr process = find(message.id)) finish(process, Outcome::of(message.ending));
}

void Supervisor::settle(const ProcessPtr& process) {
    if (process->discard)
        forget(process->id);
    else
        ended_.push_back(process->id);
    while (ended_.size() > options_.history) forget(ended_.front());
    waits_.settled(process->id);
}

void Supervisor::forget(std::uint64_t id) {
    const auto found = table_.find(id);
    if (found == table_.end()) return;
    const ProcessPtr process = found->second;
    arguments_ -= std::min(arguments_, cost_of(process->argv));
    table_.erase(found);
    if (!ended_.empty() && ended_.front() == id)
        ended_.pop_front();
    else
        std::erase(ended_, id);
    if (process->kind == Kind::forked)
        outside_.erase(id);
    else if (process->state != State::failed)
        outside_.send(link::Forget{id});
}

// --- after the service was started anew ---

void Supervisor::restore(const link::Child& child) {
    auto process = std::make_shared<Process>();
    process->id = child.id;
    process->name = "pid-" + std::to_string(child.pid);
    process->pid = child.pid;
    process->ppid = options_.keeper_pid;
    process->started = child.started;
    process->state = State::running;
    from_note(*process, child.note, outside_.now());
    if (process->stopping) process->state = State::stopping;
    if (child.ending) {
        process->outcome = Outcome::of(*child.ending);
        process->state = State::exited;
    }
    next_id(child.id + 1);
    arguments_ += cost_of(process->argv);
    table_.insert_or_assign(child.id, process);
}

void Supervisor::restored() {
    std::vector<ProcessPtr> ended;
    for (const auto& [id, process] : table_)
        if (process->ended()) ended.push_back(process);
    std::stable_sort(ended.begin(), ended.end(),
                     [](const auto& a, const auto& b) { return a->outcome->ended < b->outcome->ended; });
    const Instant now = outside_.now();
    for (const auto& [id, process] : Table(table_)) {
        if (!process->stopping) continue;
        // The stop signal is not sent twice: a program may take the second one for impatience.
        if (process->ended())
            look_for_remains(process, now.steady);
        else if (process->stopping->killed)
            send_to_tree(process, SIGKILL);
    }
    for (const ProcessPtr& process : ended)
        if (process->settled()) settle(process);
}

void Supervisor::keep_note(const Process& process) {
    if (process.kind == Kind::spawned) outside_.send(link::SetNote{process.id, to_note(process, outside_.now())});
}

}  // namespace muster::service
