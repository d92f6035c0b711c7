// Signals, and stopping whole trees: the stop signal, the grace period, SIGKILL, and looking until nothing is left.
#include <signal.h>

#include <algorithm>

#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include "service/supervisor/supervisor.hpp"

namespace muster::service {
namespace {

constexpr std::chrono::milliseconds longest_pause{100};  // between two looks for remains
constexpr std::chrono::seconds kill_again{1};            // what forks faster than it is killed is killed again

}  // namespace

void Supervisor::signal(const Requester& who, const std::string& selection, int number, Answer answer) {
    const auto chosen = select(table_, selection, who.uid, Choose::live, "signal");
    struct Round {
        std::size_t open;
        int error = 0;
        Answer answer;
        Processes all;
    };
    auto round = std::make_shared<Round>();
    round->open = chosen.size();
    round->answer = std::move(answer);
    round->all.assign(chosen.begin(), chosen.end());
    const auto one_done = [round, selection](int error) {
        if (error != 0) round->error = error;
        if (--round->open > 0) return;
        if (round->error == 0) return round->answer(round->all);
        if (round->error == ESRCH)
            return round->answer(CallError("io.muster.processes.NoSuchProcess", {{"select", selection}}));
        round->answer(CallError("io.muster.processes.NotPermitted",
                                {{"operation", "signal"}, {"reason", base::errno_text(round->error)}}));
    };
    for (const ProcessPtr& process : chosen) {
        if (process->kind == Kind::forked) {
            one_done(signal_forked(*process, number, false, who.uid));
        } else {
            ask_to_signal(process->id, number, false, one_done);
        }
    }
}

Supervisor::Token Supervisor::stop(const Requester& who, const std::string& selection, std::optional<double> grace,
                                   Answer answer) {
    return stop_all(select(table_, selection, who.uid, Choose::live_or_ended, "stop"), grace, std::move(answer));
}

Supervisor::Token Supervisor::kill(const Requester& who, const std::string& selection, Answer answer) {
    return stop_all(select(table_, selection, who.uid, Choose::live_or_ended, "kill"), 0, std::move(answer));
}

Supervisor::Token Supervisor::stop_all(const std::vector<ProcessPtr>& processes, std::optional<double> grace,
                                       Answer answer) {
    const Token token = waits_.add(processes, std::nullopt,
                                   [answer = std::move(answer)](const Processes& all, bool) { answer(all); });
    for (const ProcessPtr& process : processes) begin_stop(process, grace.value_or(process->grace));
    return token;
}

void Supervisor::shut_down(std::function<void()> done) {
    shutting_down_ = true;
    std::vector<ProcessPtr> running;
    for (const auto& [id, process] : table_)
        if (process->kind == Kind::spawned && !process->settled()) running.push_back(process);
    stop_all(running, std::nullopt, [done = std::move(done)](const auto&) { done(); });
}

// A second stop may shorten the grace period of the first, never lengthen it. No grace is SIGKILL at once.
void Supervisor::begin_stop(const ProcessPtr& process, double grace) {
    if (process->ended() && !process->stopping) return;
    const Instant now = outside_.now();
    const auto deadline =
        now.steady + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(std::clamp(grace, 0.0, max_grace)));
    const bool first = !process->stopping;
    const Whole whole;
    if (first) {
        process->stopping.emplace();
        process->stopping->deadline = deadline;
        apply(*process, Event::stop_asked);
    }
    process->stopping->deadline = std::min(process->stopping->deadline, deadline);
    keep_note(*process);
    if (first && grace > 0) send_to_tree(process, process->stop_signal);
    if (first) changed(*process);
    kill_if_due(process, now);
}

// Answers are matched to Signals by their order, so one that could not be sent must not be waited for.
void Supervisor::ask_to_signal(std::uint64_t id, int number, bool tree, SignalAnswer answer) {
    auto& answers = signals_[id];
    try {
        answers.push_back(std::move(answer));
        try {
            outside_.send(link::Signal{id, number, tree});
        } catch (...) {
            answers.pop_back();
            throw;
        }
    } catch (...) {
        if (answers.empty()) signals_.erase(id);
        throw;
    }
}

void Supervisor::send_to_tree(const ProcessPtr& process, int number) {
    if (process->pid == 0) return;  // not started yet: started() sends it
    if (process->kind == Kind::forked) {
        const int error = signal_forked(*process, number, true, process->uid);
        if (error != 0 && error != ESRCH)
            spdlog::warn("process '{}' #{}: signal {}: {}", process->name, process->id, number, base::errno_text(error));
        return;
    }
    ask_to_signal(process->id, number, true, [](int) {});
    if (number == process->stop_signal && number != SIGCONT && number != SIGKILL)
        ask_to_signal(process->id, SIGCONT, true, [](int) {});  // a stopped process would not see it
}

void Supervisor::kill_if_due(const ProcessPtr& process, const Instant& now) {
    if (!process->stopping || process->stopping->deadline > now.steady || process->pid == 0) return;
    const bool first = !process->stopping->killed;
    process->stopping->killed = true;
    process->stopping->deadline = now.steady + kill_again;
    if (first) keep_note(*process);
    send_to_tree(process, SIGKILL);
}

void Supervisor::look_for_remains(const ProcessPtr& process, Clock::time_point when) {
    if (process->kind == Kind::forked) return remains(process, false);  // its orphans are nobody's tree any more
    if (when > outside_.now().steady) {
        process->stopping->look_again = when;
        return;
    }
    process->stopping->look_again.reset();
    ask_to_signal(process->id, 0, true, [this, weak = std::weak_ptr(process)](int error) {
        if (const ProcessPtr held = weak.lock()) remains(held, error != ESRCH);
    });
}

void Supervisor::remains(const ProcessPtr& process, bool some) {
    if (!process->stopping) return;
    if (some) {
        Stopping& stopping = *process->stopping;
        look_for_remains(process, outside_.now().steady + stopping.pause);
        stopping.pause = std::min(stopping.pause * 2, longest_pause);
        return;
    }
    process->stopping.reset();
    keep_note(*process);
    settle(process);
}

void Supervisor::signal_done(const link::SignalDone& message) {
    const auto found = signals_.find(message.id);
    if (found == signals_.end()) return;
    const auto answer = std::move(found->second.front());
    found->second.pop_front();
    if (found->second.empty()) signals_.erase(found);
    answer(message.error);
}

void Supervisor::tick() {
    const Instant now = outside_.now();
    for (const auto& [id, process] : Table(table_)) {
        if (!process->stopping) continue;
        kill_if_due(process, now);
        if (process->stopping && process->stopping->look_again && *process->stopping->look_again <= now.steady)
            look_for_remains(process, now.steady);
    }
    waits_.expire(now.steady);
}

std::optional<Clock::time_point> Supervisor::next_deadline() const {
    auto result = waits_.next_deadline();
    const auto consider = [&](Clock::time_point when) { result = result ? std::min(*result, when) : when; };
    for (const auto& [id, process] : table_) {
        if (!process->stopping || process->pid == 0) continue;
        consider(process->stopping->deadline);
        if (process->stopping->look_again) consider(*process->stopping->look_again);
    }
    return result;
}

}  // namespace muster::service
