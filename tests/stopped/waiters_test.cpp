// Who waits in a line, and gives up because somebody is stopped inside it, takes nothing with it.
#include <catch2/catch.hpp>

#include <mutex>
#include <thread>

#include "stopped/inside.hpp"
#include "support/daemon_fixture.hpp"
#include "support/local_realm.hpp"
#include "support/soundness.hpp"

using namespace muster;
using namespace std::chrono_literals;
using test::eventually;

TEST_CASE("who is notified when it has given up a condition, for one who is stopped inside, passes it on") {
    const test::LocalRealm realm;
    const Manager manager = realm.manager();
    const auto& segment = realm.session().segment();
    Lock lock = manager.lock("l");
    Condition condition = manager.condition("c", lock);
    const sync::Sessions& sessions = realm.session().sessions();
    std::atomic<std::uint32_t> impatient_slot{0};
    std::string told;
    std::thread impatient([&] {
        const std::scoped_lock hold(condition);
        impatient_slot = realm.session().slot().word();
        try {
            (void)condition.wait_for(2s);
        } catch (const Error& error) {
            told = error.what();
        }
    });
    REQUIRE(eventually([&] { return condition.n_waiting() == 1; }));
    std::atomic<bool> notified{false};
    std::thread patient([&] {
        const std::scoped_lock hold(condition);
        condition.wait();
        notified = true;
    });
    REQUIRE(eventually([&] { return condition.n_waiting() == 2; }));
    {
        const std::scoped_lock hold(condition);
        test::StoppedInside stopped(segment, test::domain_of(segment, "c"));
        // It can neither look nor leave, and wants the lock, to say so.
        REQUIRE(eventually([&] {
            const auto wait = sync::wait_of(sessions, sync::SlotId{impatient_slot});
            return wait && wait->kind == heap::Kind::lock;
        }));
        stopped.go_on();
        REQUIRE(stopped.join() == 0);
        condition.notify();  // the first in the line, which it still is
    }
    impatient.join();
    INFO(told);
    CHECK(told.find("timed out") != told.npos);
    const bool passed_on = eventually([&] { return notified.load(); });
    CHECK(passed_on);
    if (!passed_on) {
        const std::scoped_lock hold(condition);
        condition.notify_all();
    }
    patient.join();
    CHECK(condition.n_waiting() == 0);
    CHECK(test::first_violations(segment) == "");
}
