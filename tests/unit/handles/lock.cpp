// Lock between threads and processes, and over the holder's death.
#include <catch2/catch.hpp>
#include <csignal>
#include <mutex>
#include <thread>

#include "support/child.hpp"
#include "support/local_realm.hpp"
#include "support/mostly_awake.hpp"
#include "sync/lock.hpp"

using namespace muster;
using namespace std::chrono_literals;
using test::Child;
using test::eventually;

TEST_CASE("a lock excludes, by threads and by std's guards") {
    const test::LocalRealm realm;
    Lock lock = realm.manager().lock("ledger");
    int inside = 0, sum = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&] {
            for (int i = 0; i < 5000; ++i) {
                const std::scoped_lock hold(lock);
                sum += ++inside;
                --inside;
            }
        });
    for (auto& thread : threads) thread.join();
    REQUIRE(sum == 20000);
    REQUIRE(!lock.locked());
    REQUIRE(lock.token() == 20000);
}

TEST_CASE("a lock counts exactly over a hundred processes") {
    const test::LocalRealm realm;
    const Manager manager = realm.manager();
    Lock lock = manager.lock("counter");
    const test::Shared<int> counter;
    *counter = 100;
    {
        std::vector<std::unique_ptr<Child>> children;
        for (int i = 0; i < 100; ++i)
            children.push_back(std::make_unique<Child>([&] {
                const std::scoped_lock hold(lock);
                const int seen = *counter;
                std::this_thread::yield();
                *counter = seen - 1;
                return 0;
            }));
        for (auto& child : children) REQUIRE(child->join() == 0);
    }
    REQUIRE(*counter == 0);
}

TEST_CASE("who is overtaken while it spins asks for the lock, and is the next one to have it") {
    test::skip_on_one_processor();
    const test::LocalRealm realm;
    Lock lock = realm.manager().lock("busy");
    const heap::ObjectRef ref = realm.session().directory().find_any("busy")->ref;
    const std::uint64_t& word = sync::lock_rep(heap::object_at(realm.session().segment(), ref.id)).word;
    // A sleeper that starves sets both.
    const auto asked_awake = [&] {
        const std::uint64_t now = __atomic_load_n(&word, __ATOMIC_ACQUIRE);
        return (now & sync::LockWord::handover) != 0 && (now & sync::LockWord::waiters) == 0;
    };
    std::atomic<bool> over = false;
    std::atomic<int> taken = 0;
    std::thread other([&] {
        while (!over) {
            const std::scoped_lock hold(lock);
            ++taken;
        }
    });
    using Clock = std::chrono::steady_clock;
    const auto hold_until = [](auto&& enough, std::chrono::microseconds longest) {
        for (const auto end = Clock::now() + longest; !enough() && Clock::now() < end;) {
        }
    };
    constexpr int wanted = 100;
    int asked = 0, next = 0;
    for (const auto end = Clock::now() + 60s; asked < wanted && Clock::now() < end;) {
        lock.lock();
        hold_until([] { return false; }, 1us);
        lock.unlock();
        lock.lock();  // most often before the other one
        hold_until(asked_awake, 10us);
        const bool asks = asked_awake();
        const int before = taken;
        lock.unlock();
        lock.lock();
        if (asks) ++asked, next += taken > before;
        lock.unlock();
    }
    over = true;
    other.join();
    CHECK(asked == wanted);
    CHECK(next > wanted / 2);  // all, but for those that lost their processor meanwhile
}

TEST_CASE("a lock that is kept for one who died while it asked is others' soon") {
    const test::LocalRealm realm;
    Lock lock = realm.manager().lock("busy");
    const heap::ObjectRef ref = realm.session().directory().find_any("busy")->ref;
    std::uint64_t& word = sync::lock_rep(heap::object_at(realm.session().segment(), ref.id)).word;
    const auto asked_by_the_dead = [&] {
        lock.lock();
        __atomic_fetch_or(&word, sync::LockWord::handover, __ATOMIC_ACQ_REL);
        lock.unlock();
        REQUIRE((__atomic_load_n(&word, __ATOMIC_ACQUIRE) & sync::LockWord::handover) != 0);
    };
    SECTION("who waits for it") { REQUIRE((asked_by_the_dead(), lock.try_lock_for(10s))); }
    SECTION("who only tries") { REQUIRE((asked_by_the_dead(), lock.try_lock())); }
    REQUIRE((__atomic_load_n(&word, __ATOMIC_ACQUIRE) & sync::LockWord::handover) == 0);
    lock.unlock();
    REQUIRE(lock.try_lock());
    lock.unlock();
}

TEST_CASE("try_lock and timeouts tell that a lock is held") {
    const test::LocalRealm realm;
    Lock lock = realm.manager().lock();
    REQUIRE(lock.try_lock());
    std::thread([&] {
        REQUIRE(!lock.try_lock());
        REQUIRE(!lock.try_lock_for(1ms));
        REQUIRE(!lock.try_lock_until(std::chrono::steady_clock::now() + 1ms));
    }).join();
    REQUIRE(lock.owner()->pid == ::getpid());
    std::thread([&] { lock.unlock(); }).join();  // as in Python: anybody may
    REQUIRE(!lock.owner());
    REQUIRE_THROWS_MATCHES(lock.unlock(), Error, Catch::Predicate<Error>([](const Error& e) {
                               return e.errc() == Errc::not_locked && e.operation() == "unlock";
                           }));
}

TEST_CASE("a timed acquisition that gave up holds nothing") {
    const test::LocalRealm realm;
    Lock lock = realm.manager().lock();
    std::atomic<bool> done{false};
    int gave_up = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < 2; ++t)  // freed again and again, around the others' deadlines
        threads.emplace_back([&] {
            while (!done.load()) {
                const std::scoped_lock hold(lock);
                std::this_thread::sleep_for(20us);
            }
        });
    for (int i = 0; i < 3000 || gave_up < 100; ++i) {
        if (lock.try_lock_for(std::chrono::microseconds(i % 100)))
            lock.unlock();
        else
            ++gave_up;
    }
    done = true;
    for (auto& thread : threads) thread.join();
    REQUIRE(!lock.locked());
}

TEST_CASE("a killed holder's lock goes to the next one, who is told, without any daemon") {
    const test::LocalRealm realm;
    Lock lock = realm.manager().lock("report");
    const test::Shared<std::atomic<int>> held;
    Child holder([&] {
        lock.lock();
        held->store(1);
        for (;;) ::pause();
        return 0;
    });
    REQUIRE(eventually([&] { return held->load() == 1; }));
    REQUIRE(!lock.try_lock());
    REQUIRE(lock.owner()->pid == holder.pid());
    SECTION("the waiter sleeps already") {
        std::thread waiter([&] {
            lock.lock();
            held->store(2);
        });
        holder.kill(SIGKILL);  // a zombie from here on: dead is dead
        REQUIRE(eventually([&] { return held->load() == 2; }));
        waiter.join();
    }
    SECTION("it was killed before") {
        holder.kill(SIGKILL);
        lock.lock();
    }
    SECTION("the daemon releases it") {
        holder.kill(SIGKILL);
        REQUIRE(holder.join() == -SIGKILL);
        session::Realm daemon = realm.daemon();
        REQUIRE(daemon.reclaim_dead({}).locks_released == 1);
        REQUIRE(lock.try_lock());
    }
    REQUIRE(lock.previous_owner_died());
    lock.unlock();
    lock.lock();
    REQUIRE(!lock.previous_owner_died());
    lock.unlock();
}

TEST_CASE("a lock that a thread held when it ended is released") {
    const test::LocalRealm realm;
    Lock lock = realm.manager().lock();
    std::thread([&] { lock.lock(); }).join();
    lock.lock();
    REQUIRE(lock.previous_owner_died());
    lock.unlock();
}

TEST_CASE("a waiter on an erased lock is told") {
    const test::LocalRealm realm;
    const Manager manager = realm.manager();
    Lock lock = manager.lock("gone");
    lock.lock();
    std::atomic<bool> told{false};
    std::thread waiter([&] {
        try {
            lock.lock();
        } catch (const Error& error) {
            told = error.errc() == Errc::destroyed;
        }
    });
    REQUIRE(manager.erase("gone"));
    REQUIRE(eventually([&] { return told.load(); }));
    waiter.join();
    REQUIRE_NOTHROW(lock.unlock());
}

TEST_CASE("the child of a fork is not the holder") {
    const test::LocalRealm realm;
    Lock lock = realm.manager().lock();
    lock.lock();
    Child child([&] { return lock.try_lock() ? 1 : lock.owner()->pid == ::getppid() ? 0 : 2; });
    REQUIRE(child.join() == 0);
    lock.unlock();
}
