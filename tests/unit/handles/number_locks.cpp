// The lock that a value and an array have of their own.
#include <catch2/catch.hpp>
#include <algorithm>
#include <csignal>
#include <mutex>
#include <thread>

#include "session/locks.hpp"
#include "support/child.hpp"
#include "support/fails_with.hpp"
#include "support/local_realm.hpp"

using namespace muster;
using namespace std::chrono_literals;
using test::Child;
using test::eventually;
using test::fails_with;

TEST_CASE("a value has a recursive lock of its own, which its calls do not take") {
    const test::LocalRealm realm;
    auto value = realm.manager().value<int>("v", 1);
    RLock lock = value.get_lock();
    {
        const std::scoped_lock once(lock);
        RLock same = realm.manager().value<int>("v").get_lock();  // of every handle
        const std::scoped_lock twice(same);
        REQUIRE(lock.levels() == 2);
        REQUIRE(lock.owner()->pid == ::getpid());
        std::thread([&] {
            REQUIRE(!value.get_lock().try_lock());
            REQUIRE_THROWS_MATCHES(value.get_lock().unlock(), Error, fails_with(Errc::not_owner));
            value += 1;
            REQUIRE(value.get() == 2);
        }).join();
    }
    REQUIRE(!lock.locked());
    REQUIRE_THROWS_MATCHES(lock.unlock(), Error, fails_with(Errc::not_owner));
    REQUIRE_THROWS_WITH(lock.unlock(), Catch::Contains("value 'v'"));
    auto other = realm.manager().value<int>(5);
    const std::scoped_lock hold(lock);
    REQUIRE(other.get_lock().try_lock());  // another one
    other.get_lock().unlock();
    REQUIRE(realm.daemon().check().violations.empty());
}

TEST_CASE("what is done under a value's lock is one step, by threads and by processes") {
    const test::LocalRealm realm;
    auto value = realm.manager().value<long>(0);
    auto array = realm.manager().array<int>(4);
    const auto add = [&] {
        for (int i = 0; i < 500; ++i) {
            {
                RLock lock = value.get_lock();
                const std::scoped_lock hold(lock);
                const long seen = value.get();
                if (i % 50 == 0) std::this_thread::yield();
                value.set(seen + 1);
            }
            RLock lock = array.get_lock();
            const std::scoped_lock hold(lock);
            for (int k = 0; k < 4; ++k) array.set(k, array.get(k) + k);
        }
    };
    {
        Child first([&] { return add(), 0; });
        Child second([&] { return add(), 0; });
        std::thread third(add);
        third.join();
        REQUIRE(first.join() == 0);
        REQUIRE(second.join() == 0);
    }
    REQUIRE(value.get() == 1500);
    REQUIRE(array.snapshot() == std::vector<int>{0, 1500, 3000, 4500});
}

TEST_CASE("with_lock gives an array's numbers as a span, and what becomes of them is there at once or not at all") {
    const test::LocalRealm realm;
    auto array = realm.manager().array<int>("a", {3, 1, 2});
    array.with_lock([&](std::span<int> numbers) {
        REQUIRE(array.get_lock().levels() == 1);
        std::sort(numbers.begin(), numbers.end());
        REQUIRE(array.snapshot() == std::vector<int>{3, 1, 2});
        std::thread([&] { REQUIRE(!array.get_lock().try_lock()); }).join();
    });
    REQUIRE(array.snapshot() == std::vector<int>{1, 2, 3});
    REQUIRE(!array.get_lock().locked());
    const auto fails = [](std::span<int> numbers) {
        numbers[0] = 100;
        throw std::runtime_error("no");
    };
    REQUIRE_THROWS_AS(array.with_lock(fails), std::runtime_error);
    REQUIRE(array.snapshot() == std::vector<int>{1, 2, 3});
    REQUIRE(!array.get_lock().locked());
    int runs = 0;
    array.with_lock([&](std::span<int> numbers) {  // somebody who does not take the lock gets in between, once
        if (++runs == 1) std::thread([&] { array.set(2, 30); }).join();
        numbers[0] = numbers[2];
    });
    REQUIRE(runs == 2);
    REQUIRE(array.snapshot() == std::vector<int>{30, 2, 30});
}

TEST_CASE("a killed holder lets go of a value's lock, with and without the service") {
    const test::LocalRealm realm;
    auto value = realm.manager().value<int>("v");
    auto array = realm.manager().array<int>("a", 3);
    for (const bool service : {false, true})
        for (RLock lock : {value.get_lock(), array.get_lock()}) {
            INFO("service " << service);
            const test::Shared<std::atomic<bool>> held;
            Child holder([&] {
                lock.lock();
                lock.lock();
                held->store(true);
                for (;;) ::pause();
                return 0;
            });
            REQUIRE(eventually([&] { return held->load(); }));
            std::atomic<bool> got{false};
            std::thread waiter([&] {
                RLock mine = lock;
                const std::scoped_lock hold(mine);
                got = mine.previous_owner_died() && mine.levels() == 1;
            });
            if (service) {
                holder.kill(SIGKILL);
                REQUIRE(holder.join() == -SIGKILL);
                session::Realm daemon = realm.daemon();
                (void)daemon.reclaim_dead({});
            } else {
                holder.kill(SIGKILL);
            }
            waiter.join();
            REQUIRE(got);
            REQUIRE(!lock.locked());
        }
}

TEST_CASE("the service frees a value's lock though nobody waits for it, and lists who holds it") {
    const test::LocalRealm realm;
    auto value = realm.manager().value<int>("v");
    const test::Shared<std::atomic<bool>> held;
    Child holder([&] {
        RLock lock = value.get_lock();
        lock.lock();
        held->store(true);
        for (;;) ::pause();
        return 0;
    });
    REQUIRE(eventually([&] { return held->load(); }));
    session::Realm daemon = realm.daemon();
    const auto locks = daemon.locks();
    REQUIRE(locks.size() == 1);
    REQUIRE(locks[0].kind == "value");
    REQUIRE(locks[0].name == "v");
    REQUIRE(locks[0].holder.has_value());
    REQUIRE(locks[0].holder->pid == holder.pid());
    holder.kill(SIGKILL);
    REQUIRE(holder.join() == -SIGKILL);
    REQUIRE(daemon.reclaim_dead({}).locks_released == 1);
    REQUIRE(daemon.locks().empty());
    RLock lock = value.get_lock();
    REQUIRE(lock.try_lock());
    REQUIRE(lock.previous_owner_died());
    lock.unlock();
}

TEST_CASE("the locks of values are part of a circle, which is found and named") {
    const test::LocalRealm realm;
    auto value = realm.manager().value<int>("v");
    auto array = realm.manager().array<int>("a", 1);
    for (int round = 0; round < 30; ++round) {
        std::atomic<int> have{0};
        std::string said[2];
        const auto take = [&](RLock first, RLock second, std::string& text) {
            try {
                const std::scoped_lock one(first);
                ++have;
                while (have < 2) std::this_thread::yield();
                const std::scoped_lock two(second);
            } catch (const Error& error) {
                text = error.errc() == Errc::deadlock ? error.what() : "another error";
            }
        };
        std::thread other([&] { take(value.get_lock(), array.get_lock(), said[0]); });
        take(array.get_lock(), value.get_lock(), said[1]);
        other.join();
        REQUIRE(said[0].empty() != said[1].empty());
        REQUIRE_THAT(said[0] + said[1], Catch::Contains("value 'v'") && Catch::Contains("array 'a'"));
    }
}

TEST_CASE("a condition may be given a value's lock") {
    const test::LocalRealm realm;
    auto value = realm.manager().value<int>("v");
    Condition condition = realm.manager().condition("c", value.get_lock());
    std::thread setter([&] {
        Condition same = realm.manager().condition("c");
        const std::scoped_lock hold(same);
        value.set(5);
        same.notify_all();
    });
    {
        const std::scoped_lock hold(condition);
        condition.wait([&] { return value.get() == 5; });
        REQUIRE(value.get_lock().levels() == 1);
    }
    setter.join();
    REQUIRE(!value.get_lock().locked());
}
