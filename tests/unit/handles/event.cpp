// Event: waiting, setting, clearing, by threads and by processes.
#include <catch2/catch.hpp>

#include <csignal>
#include <thread>

#include "support/child.hpp"
#include "support/fails_with.hpp"
#include "support/local_realm.hpp"

using namespace muster;
using namespace std::chrono_literals;
using test::Child;
using test::eventually;
using test::fails_with;

namespace {

// Is somebody about to sleep at the object's first wait point?
bool somebody_waits(const test::LocalRealm& realm, const char* name) {
    const auto found = realm.session().directory().find_any(name);
    const heap::ObjectRep& object = heap::object_at(realm.session().segment(), found->ref.id);
    return (__atomic_load_n(&object.wait_points[0], __ATOMIC_SEQ_CST) & 1) != 0;
}

}  // namespace

TEST_CASE("an event is set and cleared, and again, and a wait without time looks") {
    const test::LocalRealm realm;
    Event event = realm.manager().event("go");
    REQUIRE(!event.is_set());
    REQUIRE(!event.wait_for(0s));
    REQUIRE(!event.wait_for(-1s));
    REQUIRE(!event.wait_for(1ms));
    REQUIRE(!event.wait_until(std::chrono::steady_clock::now() + 1ms));
    event.set();
    event.set();
    REQUIRE(event.is_set());
    REQUIRE(event.wait_for(0s));
    event.wait();
    REQUIRE(realm.manager().find<Event>("go")->is_set());
    event.clear();
    event.clear();
    REQUIRE(!event.is_set());
    REQUIRE(!event.wait_for(0s));
    REQUIRE_THROWS_MATCHES(realm.manager().lock("go"), Error, fails_with(Errc::wrong_kind));
}

TEST_CASE("setting an event lets on all who wait for it, threads") {
    const test::LocalRealm realm;
    Event event = realm.manager().event();
    std::atomic<int> on{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 10; ++i)
        threads.emplace_back([&] {
            event.wait();
            ++on;
        });
    REQUIRE(on == 0);
    event.set();
    for (auto& thread : threads) thread.join();
    REQUIRE(on == 10);
}

TEST_CASE("setting an event lets on all who wait for it, processes") {
    const test::LocalRealm realm;
    Event event = realm.manager().event();
    const test::Shared<std::atomic<int>> ready;
    std::vector<std::unique_ptr<Child>> children;
    for (int i = 0; i < 10; ++i)
        children.push_back(std::make_unique<Child>([&] {
            ++*ready;
            return event.wait_for(30s) ? 0 : 1;
        }));
    REQUIRE(eventually([&] { return ready->load() == 10; }));
    event.set();
    for (auto& child : children) REQUIRE(child->join() == 0);
}

TEST_CASE("who waits sees that the event was set, though it is cleared at once") {
    const test::LocalRealm realm;
    Event event = realm.manager().event("flicker");
    for (int round = 0; round < 200; ++round) {
        std::atomic<bool> seen{false};
        std::thread waiter([&] { seen = event.wait_for(30s); });
        REQUIRE(eventually([&] { return somebody_waits(realm, "flicker"); }));
        event.set();
        event.clear();
        waiter.join();
        REQUIRE(seen);
        REQUIRE(!event.is_set());
        event.set();  // nobody sleeps there: the wait point is quiet again
        event.clear();
    }
}

TEST_CASE("what a process set stays set when it is killed, and so does what it cleared") {
    const test::LocalRealm realm;
    Event event = realm.manager().event();
    for (const bool set : {true, false}) {
        Child child([&] {
            set ? event.set() : event.clear();
            ::raise(SIGKILL);
            return 0;
        });
        REQUIRE(child.join() == -SIGKILL);
        REQUIRE(event.is_set() == set);
        (void)realm.daemon().reclaim_dead({});
        REQUIRE(event.is_set() == set);
    }
}

TEST_CASE("a killed waiter takes nothing from those who wait for an event with it") {
    const test::LocalRealm realm;
    Event event = realm.manager().event("shared");
    Child victim([&] { return event.wait(), 0; });
    REQUIRE(eventually([&] { return somebody_waits(realm, "shared"); }));
    Child other([&] { return event.wait_for(30s) ? 0 : 1; });
    victim.kill(SIGKILL);
    REQUIRE(victim.join() == -SIGKILL);
    event.set();
    REQUIRE(other.join() == 0);
}

TEST_CASE("who waits for an event that is erased is told") {
    const test::LocalRealm realm;
    const Manager manager = realm.manager();
    Event event = manager.event("gone");
    std::atomic<bool> told{false};
    std::thread waiter([&] {
        try {
            event.wait();
        } catch (const Error& error) {
            told = error.errc() == Errc::destroyed;
        }
    });
    REQUIRE(eventually([&] { return somebody_waits(realm, "gone"); }));
    REQUIRE(manager.erase("gone"));
    waiter.join();
    REQUIRE(told);
    REQUIRE_THROWS_MATCHES(event.set(), Error, fails_with(Errc::destroyed));
    REQUIRE_THROWS_MATCHES(event.is_set(), Error, fails_with(Errc::destroyed));
}
