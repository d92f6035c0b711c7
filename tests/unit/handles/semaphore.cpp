// Semaphore and BoundedSemaphore: permits between threads and processes, fairness, and over deaths.
#include <catch2/catch.hpp>

#include <csignal>
#include <mutex>
#include <thread>

#include "support/child.hpp"
#include "support/fails_with.hpp"
#include "support/local_realm.hpp"
#include "support/require_whole.hpp"
#include "support/sync_view.hpp"

using namespace muster;
using namespace std::chrono_literals;
using test::Child;
using test::eventually;
using test::fails_with;
using test::sleep_for_ever;

namespace {

// How many are inside, and the most there ever were.
struct Inside {
    std::atomic<int> now{0}, most{0};
    void enter() {
        const int seen = ++now;
        int most_seen = most;
        while (seen > most_seen && !most.compare_exchange_weak(most_seen, seen)) {
        }
    }
    void leave() { --now; }
};

}  // namespace

TEST_CASE("a semaphore counts its permits") {
    const test::LocalRealm realm;
    Semaphore semaphore = realm.manager().semaphore("permits", 2);
    REQUIRE(!semaphore.bounded());
    REQUIRE(semaphore.get_value() == 2);
    semaphore.acquire();
    REQUIRE(semaphore.try_acquire());
    REQUIRE(semaphore.get_value() == 0);
    REQUIRE(semaphore.held() == 2);
    REQUIRE(!semaphore.try_acquire());
    REQUIRE(!semaphore.try_acquire_for(1ms));
    REQUIRE(!semaphore.try_acquire_for(-1ms));
    REQUIRE(!semaphore.try_acquire_until(std::chrono::steady_clock::now() + 1ms));
    semaphore.release(2);
    REQUIRE(semaphore.get_value() == 2);
    semaphore.release(5);  // one that is not bounded grows
    REQUIRE(semaphore.get_value() == 7);
    {
        const std::scoped_lock hold(semaphore);
        REQUIRE(semaphore.get_value() == 6);
    }
    REQUIRE(semaphore.get_value() == 7);
    REQUIRE(realm.manager().semaphore("permits", 99).get_value() == 7);  // it is there
    test::require_whole(realm);
}

TEST_CASE("a semaphore used wrongly says so") {
    const test::LocalRealm realm;
    const Manager manager = realm.manager();
    REQUIRE_THROWS_MATCHES(manager.semaphore("s", -1), Error, fails_with(Errc::value_error));
    REQUIRE_THROWS_MATCHES(manager.bounded_semaphore(-1), Error, fails_with(Errc::value_error));
    REQUIRE_THROWS_MATCHES(manager.semaphore(Semaphore::max() + 1), Error, fails_with(Errc::limit_exceeded));
    REQUIRE(!manager.kind_of("s"));
    Semaphore semaphore = manager.semaphore("s", 0);
    REQUIRE_THROWS_MATCHES(semaphore.release(0), Error, fails_with(Errc::invalid_argument));
    REQUIRE_THROWS_MATCHES(semaphore.release(-1), Error, fails_with(Errc::invalid_argument));
    REQUIRE_THROWS_MATCHES(semaphore.disown(), Error, fails_with(Errc::value_error));
    semaphore.release(Semaphore::max());
    REQUIRE_THROWS_MATCHES(semaphore.release(), Error, fails_with(Errc::limit_exceeded));
    REQUIRE(semaphore.get_value() == Semaphore::max());
    REQUIRE_THROWS_MATCHES(manager.event("s"), Error, fails_with(Errc::wrong_kind));
    REQUIRE(realm.daemon().objects().front().size == static_cast<std::uint64_t>(Semaphore::max()));
    REQUIRE(manager.erase("s"));
    REQUIRE_THROWS_MATCHES(semaphore.acquire(), Error, fails_with(Errc::destroyed));
    REQUIRE_THROWS_MATCHES(semaphore.get_value(), Error, fails_with(Errc::destroyed));
}

TEST_CASE("a bounded semaphore refuses one release too many and stays as it is") {
    const test::LocalRealm realm;
    BoundedSemaphore semaphore = realm.manager().bounded_semaphore("bounded", 2);
    REQUIRE(semaphore.bounded());
    REQUIRE_THROWS_MATCHES(semaphore.release(), Error, fails_with(Errc::released_too_often));
    semaphore.acquire();
    REQUIRE_THROWS_MATCHES(semaphore.release(2), Error, fails_with(Errc::released_too_often));
    REQUIRE(semaphore.get_value() == 1);
    semaphore.release();
    REQUIRE(semaphore.get_value() == 2);
    REQUIRE(realm.manager().semaphore("bounded").bounded());  // whatever it is called
    REQUIRE_THROWS_MATCHES(realm.manager().bounded_semaphore(0).release(), Error, fails_with(Errc::released_too_often));
    test::require_whole(realm);
}

TEST_CASE("twenty threads, and never more than five inside") {
    const test::LocalRealm realm;
    Semaphore semaphore = realm.manager().semaphore(5);
    Inside inside;
    std::vector<std::thread> threads;
    for (int t = 0; t < 20; ++t)
        threads.emplace_back([&] {
            for (int i = 0; i < 100; ++i) {
                const std::scoped_lock hold(semaphore);
                inside.enter();
                if (i % 10 == 0) std::this_thread::sleep_for(100us);
                inside.leave();
            }
        });
    for (auto& thread : threads) thread.join();
    REQUIRE(inside.most <= 5);
    REQUIRE(inside.most >= 2);
    REQUIRE(semaphore.get_value() == 5);
    REQUIRE(semaphore.held() == 0);
    test::require_whole(realm);
}

TEST_CASE("twenty processes, and never more than five inside") {
    const test::LocalRealm realm;
    BoundedSemaphore semaphore = realm.manager().bounded_semaphore(5);
    const test::Shared<Inside> inside;
    std::vector<std::unique_ptr<Child>> children;
    for (int t = 0; t < 20; ++t)
        children.push_back(std::make_unique<Child>([&] {
            for (int i = 0; i < 50; ++i) {
                const std::scoped_lock hold(semaphore);
                inside->enter();
                if (i % 10 == 0) std::this_thread::sleep_for(200us);
                inside->leave();
            }
            return 0;
        }));
    for (auto& child : children) REQUIRE(child->join() == 0);
    REQUIRE(inside->most <= 5);
    REQUIRE(semaphore.get_value() == 5);
    test::require_whole(realm);
}

TEST_CASE("permits are given in the order of coming, and nobody overtakes") {
    const test::LocalRealm realm;
    Semaphore semaphore = realm.manager().semaphore("line", 0);
    std::mutex mutex;
    std::vector<int> order;
    std::vector<std::thread> threads;
    for (int t = 0; t < 8; ++t) {
        threads.emplace_back([&, t] {
            semaphore.acquire();
            const std::scoped_lock hold(mutex);
            order.push_back(t);
        });
        REQUIRE(eventually([&] { return test::semaphore_of(realm, "line").waiting() == static_cast<unsigned>(t) + 1; }));
    }
    for (int t = 0; t < 8; ++t) {
        semaphore.release();
        REQUIRE(!semaphore.try_acquire());  // others were first
        REQUIRE(eventually([&] {
            const std::scoped_lock hold(mutex);
            return order.size() == static_cast<std::size_t>(t) + 1;
        }));
        REQUIRE(order.back() == t);
    }
    for (auto& thread : threads) thread.join();
}

TEST_CASE("a release of many lets as many on") {
    const test::LocalRealm realm;
    Semaphore semaphore = realm.manager().semaphore("many", 0);
    std::atomic<int> on{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 100; ++t)
        threads.emplace_back([&] {
            semaphore.acquire();
            ++on;
        });
    REQUIRE(eventually([&] { return test::semaphore_of(realm, "many").waiting() == 100; }));
    semaphore.release(30);
    REQUIRE(eventually([&] { return on == 30; }));
    REQUIRE(semaphore.get_value() == 0);
    semaphore.release(75);
    for (auto& thread : threads) thread.join();
    REQUIRE(semaphore.get_value() == 5);
    test::require_whole(realm);
}

TEST_CASE("a timed acquisition that gave up has no permit") {
    const test::LocalRealm realm;
    BoundedSemaphore semaphore = realm.manager().bounded_semaphore(1);
    std::atomic<bool> done{false};
    int gave_up = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < 2; ++t)
        threads.emplace_back([&] {
            while (!done.load()) {
                const std::scoped_lock hold(semaphore);
                std::this_thread::sleep_for(20us);
            }
        });
    for (int i = 0; i < 2000 || gave_up < 50; ++i) {
        if (semaphore.try_acquire_for(std::chrono::microseconds(i % 100)))
            semaphore.release();
        else
            ++gave_up;
    }
    done = true;
    for (auto& thread : threads) thread.join();
    REQUIRE(semaphore.get_value() == 1);
    test::require_whole(realm);
}

TEST_CASE("who gives up its place passes on the permit that was handed to it") {
    for (const bool somebody_waits : {true, false}) {
        const test::LocalRealm realm;
        Semaphore semaphore = realm.manager().semaphore("s", 0);
        session::Session& session = realm.session();
        sync::Semaphore line = test::semaphore_of(realm, "s");
        const sync::WaitingThread me(session.segment(), session.slot(), session.id());
        const std::uint64_t first = line.enter(me.who()).value();
        const auto second = somebody_waits ? line.enter(me.who()) : std::nullopt;
        semaphore.release();
        REQUIRE(semaphore.held() == 1);  // the first one's, who does not know
        sync::Woken woken;
        line.give_up(first, me.who(), woken);
        CHECK(woken.size() == (somebody_waits ? 1u : 0u));
        if (second) CHECK(line.claim(*second, me.who()));
        CHECK(semaphore.held() == (somebody_waits ? 1 : 0));
        CHECK(semaphore.get_value() == (somebody_waits ? 0 : 1));
        CHECK(line.waiting() == 0);
        test::require_whole(realm);
    }
}

TEST_CASE("a killed process's permits come back, to those who wait and to those who come") {
    for (const bool service : {false, true})
        for (const bool waits : {false, true}) {
            INFO("service " << service << ", somebody waits " << waits);
            const test::LocalRealm realm;
            BoundedSemaphore semaphore = realm.manager().bounded_semaphore("held", 3);
            const test::Shared<std::atomic<int>> held;
            Child holder([&] {
                for (int i = 0; i < 2; ++i) semaphore.acquire();
                std::thread([&] { semaphore.acquire(); }).join();  // the process's, not the thread's
                held->store(1);
                sleep_for_ever();
                return 0;
            });
            REQUIRE(eventually([&] { return held->load() == 1; }));
            REQUIRE(!semaphore.try_acquire());
            std::thread waiter;
            if (waits) {
                waiter = std::thread([&] { semaphore.acquire(); });
                REQUIRE(eventually([&] { return test::semaphore_of(realm, "held").waiting() == 1; }));
            }
            holder.kill(SIGKILL);
            REQUIRE(holder.join() == -SIGKILL);
            if (service) REQUIRE(realm.daemon().reclaim_dead({}).permits_returned == 3);
            if (waits)
                waiter.join();
            else
                REQUIRE(eventually([&] { return semaphore.try_acquire(); }));
            REQUIRE(eventually([&] { return semaphore.get_value() == 2; }));
            REQUIRE(semaphore.held() == 1);
            semaphore.release();
            REQUIRE(semaphore.get_value() == 3);
            test::require_whole(realm);
        }
}

TEST_CASE("the permits of a process that ends without releasing them come back") {
    const test::LocalRealm realm;
    Semaphore semaphore = realm.manager().semaphore(2);
    Child child([&] { return semaphore.acquire(), 0; });
    REQUIRE(child.join() == 0);
    REQUIRE(eventually([&] { return semaphore.try_acquire() && semaphore.try_acquire(); }));
    REQUIRE(semaphore.get_value() == 0);
}

TEST_CASE("the child of a fork has none of its parent's permits") {
    const test::LocalRealm realm;
    Semaphore semaphore = realm.manager().semaphore(2);
    semaphore.acquire();
    Child child([&] { return semaphore.held() == 0 && semaphore.get_value() == 1 ? 0 : 1; });
    REQUIRE(child.join() == 0);
    (void)realm.daemon().reclaim_dead({});
    REQUIRE(semaphore.get_value() == 1);
}

TEST_CASE("what comes back after a death is what the dead took and nobody has released") {
    const test::LocalRealm realm;
    Semaphore items = realm.manager().semaphore(0);
    const test::Shared<std::atomic<int>> taken;
    Child consumer([&] {
        for (;;) {
            items.acquire();
            ++*taken;
        }
        return 0;
    });
    for (int i = 1; i <= 50; ++i) {  // signals, one by one: each release stands for the one that was taken before
        items.release();
        REQUIRE(eventually([&] { return taken->load() == i; }));
    }
    consumer.kill(SIGKILL);
    REQUIRE(consumer.join() == -SIGKILL);
    (void)realm.daemon().reclaim_dead({});
    REQUIRE(items.get_value() == 1);
    test::require_whole(realm);
}

TEST_CASE("disowned permits stay taken until somebody releases them") {
    const test::LocalRealm realm;
    BoundedSemaphore semaphore = realm.manager().bounded_semaphore(2);
    Child child([&] {
        semaphore.acquire();
        semaphore.acquire();
        semaphore.disown();
        return semaphore.held() == 1 ? 0 : 1;
    });
    REQUIRE(child.join() == 0);
    (void)realm.daemon().reclaim_dead({});
    REQUIRE(semaphore.get_value() == 1);
    test::require_whole(realm);
    semaphore.release();
    REQUIRE(semaphore.get_value() == 2);
    REQUIRE_THROWS_MATCHES(semaphore.release(), Error, fails_with(Errc::released_too_often));
}

TEST_CASE("a killed waiter takes no permit with it") {
    for (const bool service : {false, true}) {
        INFO("service " << service);
        const test::LocalRealm realm;
        BoundedSemaphore semaphore = realm.manager().bounded_semaphore("one", 1);
        semaphore.acquire();
        std::vector<std::unique_ptr<Child>> victims;
        for (unsigned i = 0; i < 3; ++i) {
            victims.push_back(std::make_unique<Child>([&] { return semaphore.acquire(), sleep_for_ever(), 0; }));
            REQUIRE(eventually([&] { return test::semaphore_of(realm, "one").waiting() == i + 1; }));
        }
        std::thread waiter([&] { semaphore.acquire(); });
        REQUIRE(eventually([&] { return test::semaphore_of(realm, "one").waiting() == 4; }));
        for (auto& victim : victims) {
            victim->kill(SIGKILL);
            REQUIRE(victim->join() == -SIGKILL);
        }
        if (service) (void)realm.daemon().reclaim_dead({});
        semaphore.release();
        waiter.join();
        REQUIRE(semaphore.get_value() == 0);
        semaphore.release();
        REQUIRE(eventually([&] { return !semaphore.try_acquire() || (semaphore.release(), true); }));
        test::require_whole(realm);
    }
}

TEST_CASE("processes killed at random leave every permit behind") {
    const test::LocalRealm realm;
    BoundedSemaphore semaphore = realm.manager().bounded_semaphore("storm", 3);
    for (int round = 0; round < 30; ++round) {
        const test::Shared<std::atomic<int>> turns;
        std::vector<std::unique_ptr<Child>> children;
        for (int c = 0; c < 5; ++c)
            children.push_back(std::make_unique<Child>([&] {
                for (;;) {
                    const std::scoped_lock hold(semaphore);
                    ++*turns;
                }
                return 0;
            }));
        REQUIRE(eventually([&] { return turns->load() > 20 + 7 * round; }));
        for (auto& child : children) child->kill(SIGKILL);
        for (auto& child : children) child->join();
        if (round % 2 == 0) (void)realm.daemon().reclaim_dead({});
        for (int i = 0; i < 3; ++i) REQUIRE(semaphore.try_acquire_for(30s));
        REQUIRE(semaphore.get_value() == 0);
        semaphore.release(3);
        test::require_whole(realm);
    }
}
