#include "outside/campaign.hpp"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <optional>

#include "outside/waiter.hpp"

namespace outside {
namespace {

using muster::test::Path;
using muster::test::Stepped;
using Clock = std::chrono::steady_clock;

// A realm has 1024 sessions. A stopped service frees none, and those who die before it hears of them wait for its
// sweep.
constexpr std::size_t kills_between_cleanings = 400;
constexpr unsigned hang = 120;                           // seconds

template <typename Condition>
bool soon(Condition&& condition) {
    const auto until = Clock::now() + patience;
    for (int looks = 0; !condition(); ++looks) {
        if (Clock::now() >= until) return false;
        if (looks < 1000)
            ::sched_yield();
        else
            ::usleep(500);
    }
    return true;
}

}  // namespace

std::string at_work_on;

const char* text(Mode mode) {
    switch (mode) {
        case Mode::alive: return "alive";
        case Mode::stopped: return "stopped";
        case Mode::killed: return "killed";
    }
    return "";
}

std::vector<std::size_t> Campaign::choose(const Path& path) const {
    std::vector<std::size_t> all;
    for (std::size_t i = 0; i < path.size(); ++i)
        if (path.earlier(i) < (most_ == 0 ? 20u : 4u) || i % 61 == 0) all.push_back(i);
    if (most_ == 0 || all.size() <= most_) return all;
    std::vector<std::size_t> some;
    for (std::size_t n = 0; n < most_; ++n) some.push_back(all[n * all.size() / most_]);
    return some;
}

// One row's, with what is known of it.
struct Campaign::Kill {
    const Row& row;
    Waiter& waiter;
    muster::Lock& known;
    Result& result;
    std::string before, after;

    void at(const Path& path, std::size_t instruction, bool beside) {
        at_work_on = row.name + ", killed before instruction " + std::to_string(instruction);
        ::alarm(hang);
        row.reset();
        const auto prepare = [&] {
            if (!row.cold && instruction % 2 != 0 && known.try_lock()) known.unlock();
            if (row.prepare) row.prepare();
        };
        std::optional<Stepped> child(std::in_place, prepare, row.operation);
        if (beside && row.waits_before) start();
        const bool reached = child->go(path, instruction);
        if (beside && !row.waits_before) start();
        child->kill();
        ++result.kills;
        result.reached += reached ? 1 : 0;
        if (beside) settle();
        check(beside);
    }
    void start() {
        waiter.start();
        if (!soon([&] { return waiter.settled(); })) found("the waiter does not get to work");
    }
    void settle() {
        ++result.with_waiter;
        const auto death = Clock::now();
        if (!soon([&] { return waiter.done() || row.may_wait(); }))
            found("what the waiter waits for is there, and it sleeps");
        if (!waiter.done()) row.let_on();
        if (!soon([&] { return waiter.done(); })) found("nothing wakes the waiter any more");
        result.longest_wait =
            std::max(result.longest_wait, std::chrono::duration<double>(Clock::now() - death).count());
    }
    void check(bool beside) {
        const std::string seen = row.look();
        const auto& settled = row.settled;
        const bool right = beside && !settled.empty()
                               ? std::find(settled.begin(), settled.end(), seen) != settled.end()
                               : seen == before || seen == after;
        if (!right) found("neither old nor new: " + seen.substr(0, 200));
    }
    void found(const std::string& what) { result.findings.push_back(at_work_on + ": " + what); }
};

Result Campaign::run(const Row& row) {
    Result result;
    at_work_on = row.name;
    ::alarm(hang);
    row.reset();
    const std::string before = row.look();
    Path path;
    {
        Stepped child(row.prepare, row.operation);
        path = child.record();
        if (!child.at_end()) result.findings.push_back(row.name + ": the operation does not come to its end");
    }
    result.instructions = path.size();
    Waiter waiter(row.wait);
    Kill kill{row, waiter, known_, result, before, row.look()};
    const auto chosen = choose(path);
    for (std::size_t n = 0; n < chosen.size() && result.findings.size() < 20; ++n) {
        if (!clean_up_now_and_then()) kill.found("the service does not clean up after the dead");
        if (most_ == 0 || n / 2 % 2 == 0) kill.at(path, chosen[n], false);
        if (most_ == 0 || n / 2 % 2 != 0) kill.at(path, chosen[n], true);
    }
    ::alarm(0);
    return result;
}

bool Campaign::clean_up_now_and_then() {
    if (kills_++ % kills_between_cleanings != 0) return true;
    service_.go_on();
    const bool clean = service_.cleaned_up(2);  // this process, and the waiter
    if (mode_ == Mode::stopped) service_.stop();
    if (mode_ == Mode::killed) service_.kill_once();
    return clean;
}

std::string Campaign::finish() const {
    service_.go_on();
    if (!service_.cleaned_up(1)) return "the service does not clean up after the dead";
    const std::string said = service_.check();
    return said.find("0 violations") == std::string::npos || said.find("status") != std::string::npos ? said : "";
}

}  // namespace outside
