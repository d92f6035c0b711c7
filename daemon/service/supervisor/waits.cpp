#include "service/supervisor/waits.hpp"

#include <algorithm>

namespace muster::service {

Waits::Token Waits::add(std::vector<ProcessPtr> all, std::optional<Clock::time_point> deadline, Answer answer) {
    Wait wait{0, {all.begin(), all.end()}, {}, deadline, std::move(answer)};
    for (const auto& process : all)
        if (!process->settled()) wait.open.insert(process->id);
    if (wait.open.empty()) {
        wait.answer(wait.all, true);
        return 0;
    }
    wait.token = ++last_;
    waits_.push_back(std::move(wait));
    return last_;
}

void Waits::cancel(Token token) noexcept {
    waits_.remove_if([token](const Wait& wait) { return wait.token == token; });
}

void Waits::settled(std::uint64_t id) {
    std::list<Wait> done;
    for (auto wait = waits_.begin(); wait != waits_.end();) {
        const auto current = wait++;
        if (current->open.erase(id) > 0 && current->open.empty()) done.splice(done.end(), waits_, current);
    }
    answer(std::move(done), true);
}

void Waits::expire(Clock::time_point now) {
    std::list<Wait> done;
    for (auto wait = waits_.begin(); wait != waits_.end();) {
        const auto current = wait++;
        if (current->deadline && *current->deadline <= now) done.splice(done.end(), waits_, current);
    }
    answer(std::move(done), false);
}

// Off the list before they are answered: an answer may add or cancel waits.
void Waits::answer(std::list<Wait>&& done, bool in_time) {
    for (Wait& wait : done) wait.answer(wait.all, in_time);
}

std::optional<Clock::time_point> Waits::next_deadline() const noexcept {
    std::optional<Clock::time_point> result;
    for (const Wait& wait : waits_)
        if (wait.deadline && (!result || *wait.deadline < *result)) result = wait.deadline;
    return result;
}

}  // namespace muster::service
