// Condition: waiting and notifying under its lock, by threads and by processes, and over deaths.
#include <catch2/catch.hpp>

#include <csignal>
#include <mutex>
#include <thread>

#include "support/child.hpp"
#include "support/fails_with.hpp"
#include "support/local_realm.hpp"
#include "support/require_whole.hpp"

using namespace muster;
using namespace std::chrono_literals;
using test::Child;
using test::eventually;
using test::fails_with;
using test::sleep_for_ever;

namespace {

auto waits(const Condition& condition, std::size_t count) {
    return [&condition, count] { return condition.n_waiting() == count; };
}

}  // namespace

TEST_CASE("a condition is its lock, by default a recursive one") {
    const test::LocalRealm realm;
    const Manager manager = realm.manager();
    Condition condition = manager.condition("c");
    REQUIRE(condition.name() == "c");
    REQUIRE_THROWS_MATCHES(condition.wait(), Error, fails_with(Errc::not_owner));
    REQUIRE_THROWS_MATCHES(condition.notify(), Error, fails_with(Errc::not_owner));
    REQUIRE_THROWS_MATCHES(condition.notify(0), Error, fails_with(Errc::not_owner));
    REQUIRE_THROWS_MATCHES(condition.notify_all(), Error, fails_with(Errc::not_owner));
    {
        const std::scoped_lock hold(condition);
        REQUIRE(condition.try_lock());  // again
        condition.unlock();
        std::thread([&] {
            REQUIRE(!condition.try_lock());
            REQUIRE_THROWS_MATCHES(condition.notify(), Error, fails_with(Errc::not_owner));
            REQUIRE_THROWS_MATCHES(condition.unlock(), Error, fails_with(Errc::not_owner));
        }).join();
        REQUIRE(!condition.wait_for(0s));
        REQUIRE(!condition.wait_for(-1s));
        REQUIRE(!condition.wait_for(1ms));
        REQUIRE(condition.locked());
        condition.notify();  // nobody waits: not kept
        condition.notify(-1);
        REQUIRE(!condition.wait_for(1ms));
    }
    REQUIRE(!condition.locked());
    REQUIRE(manager.find<Condition>("c"));
    REQUIRE_THROWS_MATCHES(manager.lock("c"), Error, fails_with(Errc::wrong_kind));
    test::require_whole(realm);
}

TEST_CASE("a condition that is given a lock uses it, also when it is opened by its name") {
    const test::LocalRealm realm;
    const Manager manager = realm.manager();
    Lock plain = manager.lock("plain");
    Condition condition = manager.condition("c", plain);
    condition.lock();
    REQUIRE(plain.locked());
    REQUIRE(!manager.condition("c").try_lock());
    REQUIRE(!condition.wait_for(1ms));
    condition.unlock();
    REQUIRE_THROWS_MATCHES(manager.condition("c", manager.rlock()), Error, fails_with(Errc::value_error));
    const test::LocalRealm elsewhere;
    REQUIRE_THROWS_MATCHES(manager.condition("d", elsewhere.manager().lock()), Error, fails_with(Errc::invalid_argument));

    RLock shared = manager.rlock();  // two conditions of one lock
    Condition full = manager.condition(shared), empty = manager.condition("empty", shared);
    std::thread waiter([&] {
        const std::scoped_lock hold(full);
        full.wait();
        empty.notify();
    });
    REQUIRE(eventually(waits(full, 1)));
    const std::scoped_lock hold(shared);
    full.notify();
    REQUIRE(manager.find<Condition>("empty")->wait_for(30s));
    waiter.join();
}

TEST_CASE("a wait lets go of all levels and has them again") {
    const test::LocalRealm realm;
    RLock lock = realm.manager().rlock();
    Condition condition = realm.manager().condition(lock);
    for (const bool notified : {true, false}) {
        std::thread waiter([&] {
            for (int i = 0; i < 3; ++i) lock.lock();
            if (notified)
                condition.wait();
            else
                (void)condition.wait_for(1ms);
            REQUIRE(lock.levels() == 3);
            for (int i = 0; i < 3; ++i) lock.unlock();
            REQUIRE(lock.levels() == 0);
        });
        if (notified) {
            REQUIRE(eventually(waits(condition, 1)));
            const std::scoped_lock hold(lock);  // nobody has it
            condition.notify();
        }
        waiter.join();
    }
    REQUIRE(!lock.locked());
}

TEST_CASE("notifications go to those who wait, the first first, and are not kept") {
    const test::LocalRealm realm;
    Condition condition = realm.manager().condition("line");
    std::vector<int> order;
    std::vector<std::thread> threads;
    for (int t = 0; t < 6; ++t) {
        threads.emplace_back([&, t] {
            const std::scoped_lock hold(condition);
            condition.wait();
            order.push_back(t);
        });
        REQUIRE(eventually(waits(condition, static_cast<std::size_t>(t) + 1)));
    }
    const auto woken = [&](std::size_t count) {
        return eventually([&] {
            const std::scoped_lock hold(condition);
            return order.size() == count;
        });
    };
    for (std::size_t t = 0; t < 2; ++t) {
        { const std::scoped_lock hold(condition); condition.notify(); }
        REQUIRE(woken(t + 1));
        REQUIRE(order.back() == static_cast<int>(t));
    }
    { const std::scoped_lock hold(condition); condition.notify(2); }
    REQUIRE(woken(4));
    REQUIRE(condition.n_waiting() == 2);
    { const std::scoped_lock hold(condition); condition.notify(100); }
    REQUIRE(woken(6));
    for (auto& thread : threads) thread.join();
    const std::scoped_lock hold(condition);
    REQUIRE(!condition.wait_for(1ms));
    test::require_whole(realm);
}

TEST_CASE("who was notified returns only when it has the lock") {
    const test::LocalRealm realm;
    Condition condition = realm.manager().condition();
    std::atomic<bool> back{false};
    std::thread waiter([&] {
        const std::scoped_lock hold(condition);
        condition.wait();
        back = true;
    });
    REQUIRE(eventually(waits(condition, 1)));
    {
        const std::scoped_lock hold(condition);
        condition.notify_all();
        std::this_thread::sleep_for(5ms);
        REQUIRE(!back);
    }
    waiter.join();
    REQUIRE(back);
}

TEST_CASE("a predicate is asked under the lock, first before any wait, and last when the time is over") {
    const test::LocalRealm realm;
    Condition condition = realm.manager().condition();
    std::unique_lock hold(condition);
    int asked = 0;
    condition.wait([&] { return ++asked == 1; });
    REQUIRE(asked == 1);
    REQUIRE(!condition.wait_for(2ms, [&] { return ++asked, false; }));
    REQUIRE(asked >= 3);
    REQUIRE(condition.wait_for(0s, [] { return true; }));
    REQUIRE(!condition.wait_for(-1s, [] { return false; }));
    bool ready = false;
    std::thread other([&] {
        const std::scoped_lock own(condition);
        ready = true;
        condition.notify_all();
    });
    REQUIRE(condition.wait_for(hold, 30s, [&] { return ready; }));  // as std::condition_variable_any
    condition.wait(hold, [&] { return ready; });
    other.join();
}

TEST_CASE("a bounded buffer of a condition loses and doubles nothing, threads") {
    const test::LocalRealm realm;
    Condition changed = realm.manager().condition();
    constexpr int producers = 4, consumers = 4, each = 2000;
    std::vector<int> buffer;
    std::vector<int> seen(producers * each);
    std::vector<std::thread> threads;
    for (int p = 0; p < producers; ++p)
        threads.emplace_back([&, p] {
            for (int i = 0; i < each; ++i) {
                const std::scoped_lock hold(changed);
                changed.wait([&] { return buffer.size() < 8; });
                buffer.push_back(p * each + i);
                changed.notify_all();
            }
        });
    for (int c = 0; c < consumers; ++c)
        threads.emplace_back([&] {
            for (int i = 0; i < producers * each / consumers; ++i) {
                const std::scoped_lock hold(changed);
                changed.wait([&] { return !buffer.empty(); });
                ++seen[static_cast<std::size_t>(buffer.back())];
                buffer.pop_back();
                changed.notify_all();
            }
        });
    for (auto& thread : threads) thread.join();
    for (const int times : seen) REQUIRE(times == 1);
}

TEST_CASE("a bounded buffer of two conditions loses and doubles nothing, processes") {
    const test::LocalRealm realm;
    const Manager manager = realm.manager();
    constexpr int producers = 4, consumers = 4, each = 1500, room = 8;
    struct Shared {
        int buffer[room], count = 0;
        std::atomic<int> seen[producers * each];
    };
    const test::Shared<Shared> shared;
    RLock lock = manager.rlock();
    Condition items = manager.condition(lock), space = manager.condition(lock);
    std::vector<std::unique_ptr<Child>> children;
    for (int p = 0; p < producers; ++p)
        children.push_back(std::make_unique<Child>([&, p] {
            for (int i = 0; i < each; ++i) {
                const std::scoped_lock hold(lock);
                space.wait([&] { return shared->count < room; });
                shared->buffer[shared->count++] = p * each + i;
                items.notify();
            }
            return 0;
        }));
    for (int c = 0; c < consumers; ++c)
        children.push_back(std::make_unique<Child>([&] {
            for (int i = 0; i < producers * each / consumers; ++i) {
                const std::scoped_lock hold(lock);
                items.wait([&] { return shared->count > 0; });
                ++shared->seen[shared->buffer[--shared->count]];
                space.notify();
            }
            return 0;
        }));
    for (auto& child : children) REQUIRE(child->join() == 0);
    for (const auto& times : shared->seen) REQUIRE(times == 1);
    test::require_whole(realm);
}

TEST_CASE("a killed waiter swallows no notification") {
    for (const bool service : {false, true})
        for (const bool killed_before : {false, true}) {
            INFO("service " << service << ", killed before the notification " << killed_before);
            const test::LocalRealm realm;
            Condition condition = realm.manager().condition("c");
            Child victim([&] {
                const std::scoped_lock hold(condition);
                condition.wait();
                sleep_for_ever();
                return 0;
            });
            REQUIRE(eventually(waits(condition, 1)));
            std::thread waiter([&] {
                const std::scoped_lock hold(condition);
                condition.wait();
            });
            REQUIRE(eventually(waits(condition, 2)));
            std::thread latecomer;
            {
                std::unique_lock hold(condition);
                if (killed_before) {
                    victim.kill(SIGKILL);
                    REQUIRE(victim.join() == -SIGKILL);
                }
                condition.notify();  // the victim's, which cannot have the lock again yet
                if (!killed_before) {
                    victim.kill(SIGKILL);
                    REQUIRE(victim.join() == -SIGKILL);
                }
                if (service) (void)realm.daemon().reclaim_dead({});
            }
            waiter.join();
            const std::scoped_lock hold(condition);
            REQUIRE(!condition.wait_for(1ms));  // and nobody else has got one
            test::require_whole(realm);
        }
}

TEST_CASE("who notified and is killed has notified; the lock goes on") {
    for (const bool service : {false, true}) {
        const test::LocalRealm realm;
        Condition condition = realm.manager().condition();
        bool died = false;
        std::thread waiter([&] {
            const std::scoped_lock hold(condition);
            condition.wait();
            died = condition.previous_owner_died();
        });
        REQUIRE(eventually(waits(condition, 1)));
        Child notifier([&] {
            condition.lock();
            condition.notify();
            ::raise(SIGKILL);
            return 0;
        });
        REQUIRE(notifier.join() == -SIGKILL);
        if (service) (void)realm.daemon().reclaim_dead({});
        waiter.join();
        REQUIRE(died);
    }
}

TEST_CASE("who waits on a condition that is erased is told, and a forked child does not have the lock") {
    const test::LocalRealm realm;
    RLock lock = realm.manager().rlock();
    Condition condition = realm.manager().condition("gone", lock);
    std::atomic<bool> told{false};
    std::thread waiter([&] {
        const std::scoped_lock hold(lock);
        try {
            condition.wait();
        } catch (const Error& error) {
            told = error.errc() == Errc::destroyed && lock.levels() == 1;
        }
    });
    REQUIRE(eventually(waits(condition, 1)));
    {
        const std::scoped_lock hold(lock);
        Child child([&] {
            try {
                condition.notify();
            } catch (const Error& error) {
                return error.errc() == Errc::not_owner ? 0 : 1;
            }
            return 2;
        });
        REQUIRE(child.join() == 0);
    }
    REQUIRE(realm.manager().erase("gone"));
    waiter.join();
    REQUIRE(told);
}
