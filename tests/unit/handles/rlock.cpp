// RLock between threads and processes, over deaths, and its place in std's guards; what a condition builds on.
#include <catch2/catch.hpp>
#include <csignal>
#include <mutex>
#include <thread>

#include "support/child.hpp"
#include "support/fails_with.hpp"
#include "support/local_realm.hpp"

using namespace muster;
using namespace std::chrono_literals;
using test::Child;
using test::eventually;
using test::fails_with;

TEST_CASE("a recursive lock's holder takes it again, and releases it as often") {
    const test::LocalRealm realm;
    RLock lock = realm.manager().rlock("ledger");
    REQUIRE(lock.levels() == 0);
    for (std::uint32_t level = 1; level <= 3; ++level) {
        REQUIRE(lock.try_lock());
        REQUIRE(lock.levels() == level);
    }
    const auto others_get_it = [&] {
        bool got = false;
        std::thread([&] {
            got = lock.try_lock();
            if (got) lock.unlock();
        }).join();
        return got;
    };
    for (std::uint32_t level = 3; level >= 1; --level) {
        REQUIRE(!others_get_it());
        REQUIRE(lock.levels() == level);
        lock.unlock();
    }
    REQUIRE(others_get_it());
    REQUIRE(!lock.locked());
}

TEST_CASE("a recursive lock is released by its holder alone") {
    const test::LocalRealm realm;
    RLock lock = realm.manager().rlock("ledger");
    REQUIRE_THROWS_MATCHES(lock.unlock(), Error, fails_with(Errc::not_owner, "rlock 'ledger': unlock: "));
    lock.lock();
    std::thread([&] {
        REQUIRE_THROWS_MATCHES(lock.unlock(), Error, fails_with(Errc::not_owner, std::to_string(::getpid())));
        REQUIRE(lock.levels() == 0);
    }).join();
    REQUIRE(lock.levels() == 1);
    lock.unlock();
    REQUIRE_THROWS_MATCHES(lock.unlock(), Error, fails_with(Errc::not_owner));
}

TEST_CASE("a forked child is not the holder of its parent's recursive lock") {
    const test::LocalRealm realm;
    RLock lock = realm.manager().rlock();
    lock.lock();
    lock.lock();
    Child child([&] {
        if (lock.levels() != 0 || lock.try_lock()) return 1;
        try {
            lock.unlock();
        } catch (const Error& error) {
            return error.errc() == Errc::not_owner ? 0 : 2;
        }
        return 3;
    });
    REQUIRE(child.join() == 0);
    REQUIRE(lock.levels() == 2);
    lock.unlock();
    lock.unlock();
}

TEST_CASE("a recursive lock excludes, by threads and by processes") {
    const test::LocalRealm realm;
    RLock lock = realm.manager().rlock("ledger");
    const test::Shared<int> sum;
    const auto work = [&] {
        for (int i = 0; i < 2000; ++i) {
            const std::scoped_lock outer(lock);
            const std::unique_lock inner(lock, 5s);
            if (!inner.owns_lock()) return 1;
            *sum = *sum + 1;
        }
        return 0;
    };
    std::vector<std::unique_ptr<Child>> children;
    for (int i = 0; i < 3; ++i) children.push_back(std::make_unique<Child>(work));
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i) threads.emplace_back([&] { (void)work(); });
    for (auto& thread : threads) thread.join();
    for (auto& child : children) REQUIRE(child->join() == 0);
    REQUIRE(*sum == 12000);
    REQUIRE(!lock.locked());
}

TEST_CASE("timed acquisitions of a recursive lock tell that another holds it") {
    const test::LocalRealm realm;
    RLock lock = realm.manager().rlock();
    lock.lock();
    std::thread([&] {
        REQUIRE(!lock.try_lock());
        REQUIRE(!lock.try_lock_for(1ms));
        REQUIRE(!lock.try_lock_until(std::chrono::steady_clock::now() + 1ms));
    }).join();
    REQUIRE(lock.try_lock_for(0ms));
    REQUIRE(lock.levels() == 2);
}

TEST_CASE("a dead holder lets go of all levels of its recursive lock, and the next one is told") {
    const test::LocalRealm realm;
    RLock lock = realm.manager().rlock("report");
    const test::Shared<std::atomic<int>> held;
    Child holder([&] {
        for (int i = 0; i < 3; ++i) lock.lock();
        held->store(1);
        for (;;) ::pause();
        return 0;
    });
    REQUIRE(eventually([&] { return held->load() == 1; }));
    REQUIRE(!lock.try_lock());
    SECTION("somebody sleeps, and there is no daemon") {
        std::thread waiter([&] {
            lock.lock();
            held->store(lock.previous_owner_died() && lock.levels() == 1 ? 2 : 3);
            lock.unlock();
        });
        holder.kill(SIGKILL);
        waiter.join();
        REQUIRE(held->load() == 2);
    }
    SECTION("the daemon releases it") {
        holder.kill(SIGKILL);
        REQUIRE(holder.join() == -SIGKILL);
        session::Realm daemon = realm.daemon();
        REQUIRE(daemon.reclaim_dead({}).locks_released == 1);
        REQUIRE(lock.try_lock());
        REQUIRE(lock.levels() == 1);
        REQUIRE(lock.previous_owner_died());
        lock.unlock();
    }
    lock.lock();
    REQUIRE(!lock.previous_owner_died());
    lock.unlock();
}

TEST_CASE("a thread's successor in its slot does not own what it held") {
    const test::LocalRealm realm;
    RLock lock = realm.manager().rlock();
    for (int i = 0; i < 50; ++i) {
        std::thread([&] {
            lock.lock();
            lock.lock();
        }).join();  // ends without unlocking: a death of the thread
        std::thread([&] {
            REQUIRE(lock.levels() == 0);
            REQUIRE_THROWS_MATCHES(lock.unlock(), Error, fails_with(Errc::not_owner));
        }).join();
        lock.lock();
        REQUIRE(lock.previous_owner_died());
        REQUIRE(lock.levels() == 1);
        lock.unlock();
    }
}

TEST_CASE("an erased recursive lock tells its waiters, and lets its holder go") {
    const test::LocalRealm realm;
    const Manager manager = realm.manager();
    RLock lock = manager.rlock("gone");
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
    waiter.join();
    REQUIRE(told.load());
    REQUIRE_NOTHROW(lock.unlock());
    REQUIRE_THROWS_MATCHES(lock.lock(), Error, fails_with(Errc::destroyed));
}

TEST_CASE("a lock and a recursive lock are kinds of their own") {
    const test::LocalRealm realm;
    const Manager manager = realm.manager();
    (void)manager.rlock("r");
    (void)manager.lock("l");
    REQUIRE_THROWS_MATCHES(manager.lock("r"), Error, fails_with(Errc::wrong_kind, "it is a rlock"));
    REQUIRE_THROWS_MATCHES(manager.rlock("l"), Error, fails_with(Errc::wrong_kind));
    REQUIRE(manager.kind_of("r") == "rlock");
    REQUIRE(manager.find<RLock>("r"));
    REQUIRE(!manager.find<RLock>("absent"));
}

TEST_CASE("all levels are let go at once, and come back as they were, for either kind of lock") {
    const test::LocalRealm realm;
    const sync::Sessions& sessions = realm.session().sessions();
    const sync::SlotId self = realm.session().slot();
    const auto never = [] { return false; };
    const auto make = [&](heap::Kind kind) {
        return sync::RecursiveLock(realm.session().segment(), sessions,
                                   realm.session().directory().open_or_create(kind == heap::Kind::lock ? "l" : "r", kind, {}).ref);
    };
    using Outcome = sync::LockWord::Outcome;
    auto lock = make(heap::Kind::lock), recursive = make(heap::Kind::rlock);
    REQUIRE(recursive.release_all(self) == 0);
    REQUIRE(lock.release_all(self) == 0);
    REQUIRE(lock.LockWord::acquire(self, base::Deadline::now(), never) == Outcome::acquired);
    for (int i = 0; i < 4; ++i) REQUIRE(recursive.acquire(self, base::Deadline::now(), never) == Outcome::acquired);
    REQUIRE(lock.release_all(self) == 1);
    REQUIRE(recursive.release_all(self) == 4);
    REQUIRE(!recursive.holder());
    REQUIRE(recursive.acquire_restoring(self, 4, base::Deadline::now(), never) == Outcome::acquired);
    REQUIRE(recursive.levels(self) == 4);
    REQUIRE(lock.acquire_restoring(self, 1, base::Deadline::now(), never) == Outcome::acquired);
    REQUIRE(lock.levels(self) == 1);
}

TEST_CASE("levels have an end, and nothing changes there") {
    const test::LocalRealm realm;
    const Manager manager = realm.manager();
    RLock lock = manager.rlock("deep");
    sync::RecursiveLock inner(realm.session().segment(), realm.session().sessions(),
                              realm.session().directory().find_any("deep")->ref);
    const auto never = [] { return false; };
    REQUIRE(inner.acquire_restoring(realm.session().slot(), sync::RecursiveLock::max_levels, base::Deadline::now(), never) ==
            sync::LockWord::Outcome::acquired);
    REQUIRE_THROWS_MATCHES(lock.lock(), Error, fails_with(Errc::limit_exceeded));
    REQUIRE(lock.levels() == sync::RecursiveLock::max_levels);
    lock.unlock();
    REQUIRE(lock.levels() == sync::RecursiveLock::max_levels - 1);
}
