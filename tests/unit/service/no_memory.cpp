// Each method of the daemon, for which each allocation fails in turn: what it was to do is done, and told so, or nothing is;
// and the next call succeeds.
//
// Where nlohmann::json destroys an array or an object it asks for memory, and a process that has none at that moment ends
// (std::terminate). The service may: the keeper starts the next one, on what the segment and the keeper have. That it is
// the exception is checked.
#include <sys/prctl.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <functional>
#include <new>
#include <optional>

#include "support/child.hpp"
#include "support/failing/failures.hpp"
#include "unit/service/methods.hpp"

using namespace muster::service::test;
using muster::service::Supervisor;
using muster::test::Child;
using muster::test::FailNth;

namespace {

// A child of this process, that somebody watches and somebody waits for.
struct Forked {
    Forked() {
        (void)supervisor.watch(::geteuid(), [this](const muster::service::Process& process) { seen = process.state; });
    }
    void announce() { supervisor.announce(parent, child.pid(), "f"); }
    void wait() {
        (void)supervisor.wait(parent, "f", {}, [this](const auto&) { answered = true; });
    }
    void ended() {
        muster::service::Outcome outcome;
        outcome.exit_code = 3;
        supervisor.ended(parent, child.pid(), outcome);
    }
    bool known() const { return !supervisor.list(::geteuid(), true, std::nullopt).empty(); }

    FakeOutside outside;
    Supervisor supervisor{{}, outside};
    const muster::service::Requester parent{::geteuid(), ::getpid()};
    const Child child{[parent = ::getpid()] {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // std::terminate leaves nobody to kill it
        if (::getppid() == parent) ::pause();
        return 0;
    }};
    std::optional<muster::service::State> seen;
    bool answered = false;
};

// Carries `act` out with the nth allocation failing, in a process of its own, until none fails; `right` looks at it then.
// Returns how often it failed, by an error and by the service's end.
std::pair<int, int> with_failing_allocations(const std::function<void(Forked&)>& before, const std::function<void(Forked&)>& act,
                             const std::function<bool(Forked&, bool thrown)>& right) {
    int failures = 0, ends = 0;
    for (int nth = 1;; ++nth) {
        REQUIRE(nth < 500);
        INFO("allocation " << nth);
        const int outcome = Child([&] {
            std::set_terminate([] { ::_exit(terminated); });
            Forked forked;
            before(forked);
            bool thrown = false, fired = false;
            {
                FailNth failing(nth, {.steps = muster::test::allocation});
                try {
                    act(forked);
                } catch (const std::exception&) {
                    thrown = true;
                }
                failing.end();
                fired = failing.fired();
            }
            if (!fired) return static_cast<int>(all_succeed);
            return static_cast<int>(!right(forked, thrown) ? wrong : thrown ? failed : told_so);
        }).join();
        CHECK((outcome == told_so || outcome == failed || outcome == terminated || outcome == all_succeed));
        if (outcome == all_succeed) return {failures, ends};
        failures += outcome == failed ? 1 : 0;
        ends += outcome == terminated ? 1 : 0;
    }
}

}  // namespace

TEST_CASE("each method does what it was told, or nothing, where memory ends anywhere") {
    int failures = 0, ends = 0, calls = 0;
    for (const Request& request : requests()) {
        INFO(request.method << " " << request.parameters.dump());
        const std::string after = state_after(request);
        for (int nth = 1;; ++nth) {
            INFO("allocation " << nth);
            const int outcome = muster::test::Child([&] {
                return attempt(request, after, [&](const std::function<void()>& dispatch) {
                    muster::test::FailNth failing(nth, {.steps = muster::test::allocation});
                    dispatch();
                    return failing.fired();
                });
            }).join();
            REQUIRE(outcome >= told_so);
            CHECK(outcome != wrong);
            if (outcome == all_succeed) break;
            ++calls;
            failures += outcome == failed ? 1 : 0;
            ends += outcome == terminated ? 1 : 0;
        }
    }
    WARN(calls << " calls: " << failures << " failed, " << ends << " ended the service");
    CHECK(failures > calls / 2);
    CHECK(ends < calls / 3);
}

TEST_CASE("a forked process is announced and watched, or neither, where memory ends anywhere") {
    const auto again = [](Forked& forked) {
        forked.announce();
        return forked.known() && forked.outside.watched.size() == 1;
    };
    const auto [failures, ends] = with_failing_allocations(
        [](Forked&) {}, [](Forked& forked) { forked.announce(); },
        [&](Forked& forked, bool thrown) {
            if (thrown) return !forked.known() && forked.outside.watched.empty() && again(forked);
            return forked.known() && forked.outside.watched.size() == 1 && forked.seen.has_value();
        });
    CHECK(failures > 2);
    CHECK(ends <= 2);  // what watchers are told of
    Forked unwatched;
    unwatched.outside.refuses_to_watch = true;
    CHECK_THROWS_AS(unwatched.announce(), std::bad_alloc);
    CHECK_FALSE(unwatched.known());
    unwatched.outside.refuses_to_watch = false;
    CHECK(again(unwatched));
}

TEST_CASE("an ending that is told is an answer for who waits, or the service ends, where memory ends anywhere") {
    const auto [failures, ends] = with_failing_allocations(
        [](Forked& forked) {
            forked.announce();
            forked.wait();
        },
        [](Forked& forked) { forked.ended(); },
        [](Forked& forked, bool thrown) {
            if (!thrown) return forked.answered && forked.seen == muster::service::State::exited;
            if (forked.answered || forked.outside.watched.empty()) return false;
            forked.ended();
            return forked.answered;
        });
    CHECK(failures + ends > 0);
}
