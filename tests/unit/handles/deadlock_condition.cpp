// Circles that a condition's lock is part of. Who has waited for the condition must have its lock again, and never gets the
// error: another one in the circle does.
#include <catch2/catch.hpp>

#include <mutex>
#include <thread>

#include "support/child.hpp"
#include "support/local_realm.hpp"

using namespace muster;
using namespace std::chrono_literals;
using test::eventually;

namespace {

// What the lock's acquisition said of a deadlock, or a word on what it did instead.
std::string told(Lock lock) {
    try {
        return lock.try_lock_for(60s) ? "it has it" : "it waited in vain";
    } catch (const Error& error) {
        return error.errc() == Errc::deadlock ? error.what() : "another error";
    }
}

}  // namespace

TEST_CASE("the locks of two conditions, taken crosswise, are a circle: one is told") {
    const test::LocalRealm realm;
    const Manager manager = realm.manager();
    Condition a = manager.condition("A"), b = manager.condition("B");
    std::atomic<int> have{0}, errors{0};
    const auto both = [&](Condition first, Condition second) {
        const std::scoped_lock one(first);
        ++have;
        while (have.load() < 2) std::this_thread::yield();
        try {
            if (second.try_lock_for(60s)) second.unlock();
        } catch (const Error& error) {
            const std::string text = error.what();
            if (error.errc() == Errc::deadlock && text.find("holds the lock of condition 'A'") != std::string::npos &&
                text.find("for the lock of condition 'B'") != std::string::npos)
                ++errors;
        }
    };
    std::thread other([&] { both(b, a); });
    both(a, b);
    other.join();
    REQUIRE(errors.load() == 1);
}

TEST_CASE("who was notified and waits for the condition's lock is part of a circle; another one is told") {
    const test::LocalRealm realm;
    const Manager manager = realm.manager();
    Lock outer = manager.lock("outer");
    const auto play = [&](Condition condition, const std::string& holds) {
        std::atomic<bool> notified{false};
        std::thread waiter([&] {
            const std::scoped_lock first(outer);
            const std::scoped_lock hold(condition);
            condition.wait();
            notified = true;
        });
        CHECK(eventually([&] { return condition.n_waiting() == 1; }));
        std::string said;
        {
            const std::scoped_lock hold(condition);
            condition.notify();
            said = told(outer);  // held by the one who was notified, and waits for what we hold
        }
        waiter.join();
        INFO(said);
        CHECK_THAT(said, Catch::Contains("holds " + holds + " and has waited "));
        CHECK_THAT(said, Catch::Contains(" for lock 'outer'"));
        CHECK_THAT(said, Catch::Contains(" for " + holds));
        CHECK(notified.load());
        CHECK(!outer.locked());
    };
    play(manager.condition("news"), "the lock of condition 'news'");
    play(manager.condition("plain news", manager.lock("inner")), "lock 'inner'");
    play(manager.condition("recursive news", manager.rlock("levels")), "rlock 'levels'");
}

// The one who closes the circle must not be told, and the other one sleeps already.
TEST_CASE("a condition's waiter whose time is over closes a circle, and the one who sleeps in it is told") {
    const test::LocalRealm realm;
    const Manager manager = realm.manager();
    Lock outer = manager.lock("outer");
    Condition condition = manager.condition("news");
    std::atomic<bool> waited{false};
    std::thread waiter([&] {
        const std::scoped_lock first(outer);
        const std::scoped_lock hold(condition);
        waited = !condition.wait_for(300ms);
    });
    CHECK(eventually([&] { return condition.n_waiting() == 1; }));
    std::string said;
    {
        const std::scoped_lock hold(condition);
        said = told(outer);
    }
    waiter.join();
    CHECK_THAT(said, Catch::Contains("holds the lock of condition 'news' and has waited "));
    CHECK(waited.load());
}
