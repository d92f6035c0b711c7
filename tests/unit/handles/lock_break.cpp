// Ending a hold by force, and the tokens that make it safe; hand-over to those who wait; locks that are erased in use.
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

namespace {

template <typename Lock>
Lock open(const Manager& manager, const char* name) {
    if constexpr (std::is_same_v<Lock, RLock>)
        return manager.rlock(name);
    else
        return manager.lock(name);
}

}  // namespace

TEMPLATE_TEST_CASE("a broken hold goes to the next one, and the old holder's unlock releases nobody else's", "", Lock, RLock) {
    const test::LocalRealm realm;
    auto lock = open<TestType>(realm.manager(), "ledger");
    REQUIRE(!lock.break_lock());
    lock.lock();
    const std::uint64_t mine = lock.token();
    REQUIRE(lock.break_lock());
    REQUIRE(!lock.locked());
    REQUIRE(!lock.break_lock());
    REQUIRE_THROWS_MATCHES(lock.token(), Error, fails_with(Errc::not_owner));
    SECTION("before anybody took it") {}
    SECTION("after another one took it") {
        std::thread([&] {
            lock.lock();
            REQUIRE(lock.previous_owner_died());
            REQUIRE(lock.token() > mine);
        }).join();  // and ended holding it: it is not for us to release
        REQUIRE_THROWS_MATCHES(lock.token(), Error, fails_with(Errc::not_owner));
    }
    REQUIRE_THROWS_MATCHES(lock.unlock(), Error, fails_with(Errc::not_owner));
    REQUIRE_NOTHROW(lock.token());
    lock.lock();
    REQUIRE(lock.previous_owner_died());
    REQUIRE(lock.token() > mine);
    lock.unlock();
}

TEST_CASE("each of many whose hold was broken is told, once") {
    const test::LocalRealm realm;
    Lock lock = realm.manager().lock("ledger");
    std::atomic<int> turn{0}, told{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i)
        threads.emplace_back([&, i] {
            while (turn.load() != i) std::this_thread::yield();
            lock.lock();
            if (!lock.break_lock()) return;
            turn = i + 1;
            while (turn.load() != 100) std::this_thread::yield();
            try {
                lock.unlock();
            } catch (const Error& error) {
                if (error.errc() == Errc::not_owner) ++told;
            }
        });
    while (turn.load() != 8) std::this_thread::yield();
    lock.lock();
    turn = 100;
    for (auto& thread : threads) thread.join();
    REQUIRE(told.load() == 8);
    REQUIRE(lock.owner()->pid == ::getpid());
    std::thread([&] { lock.unlock(); }).join();  // a stranger's, which Python allows
    REQUIRE_THROWS_MATCHES(lock.unlock(), Error, fails_with(Errc::not_locked));
}

TEST_CASE("a break lets on who waits, also of a stopped holder") {
    const test::LocalRealm realm;
    Lock lock = realm.manager().lock("report");
    const test::Shared<std::atomic<int>> step;
    Child holder([&] {
        lock.lock();
        const std::uint64_t token = lock.token();
        step->store(1);
        while (step->load() != 3) std::this_thread::yield();
        try {
            lock.unlock();
        } catch (const Error& error) {
            return error.errc() == Errc::not_owner && token == 1 ? 0 : 1;
        }
        return 2;
    });
    REQUIRE(eventually([&] { return step->load() == 1; }));
    REQUIRE(::kill(holder.pid(), SIGSTOP) == 0);
    std::thread waiter([&] {
        lock.lock();
        step->store(lock.previous_owner_died() && lock.token() == 2 ? 2 : 4);
    });
    REQUIRE(eventually([&] { return lock.break_lock(); }));
    waiter.join();
    REQUIRE(step->load() == 2);
    REQUIRE(::kill(holder.pid(), SIGCONT) == 0);
    step->store(3);
    REQUIRE(holder.join() == 0);
}

TEST_CASE("a token grows from hold to hold, over deaths and breaks, and past the end of its turn") {
    const test::LocalRealm realm;
    const Manager manager = realm.manager();
    Lock lock = manager.lock("ledger");
    sync::LockRep& rep = sync::lock_rep(
        heap::object_at(realm.session().segment(), realm.session().directory().find_any("ledger")->ref.id));
    std::uint64_t last = 0;
    const auto grows = [&] {
        lock.lock();
        const std::uint64_t token = lock.token();
        REQUIRE(token > last);
        REQUIRE(token - last < 1u << 30);
        REQUIRE(lock.token() == token);
        last = token;
        lock.unlock();
    };
    for (int i = 0; i < 100; ++i) grows();
    REQUIRE(last == 100);
    for (int half = 1; half <= 5; ++half) {  // as if half a thousand million had gone by
        const std::uint64_t turn = (std::uint64_t{static_cast<unsigned>(half)} << 29) - 3;
        rep.word = turn << heap::turn_shift;
        for (int i = 0; i < 6; ++i) grows();
        REQUIRE(last == turn + 6);
    }
    Child([&] { return lock.lock(), 0; }).join();  // dies holding it
    grows();
    lock.lock();
    REQUIRE(lock.break_lock());
    REQUIRE_THROWS_AS(lock.unlock(), Error);
    grows();
}

TEST_CASE("a resource that remembers the largest token refuses the work of an ended hold") {
    const test::LocalRealm realm;
    Lock lock = realm.manager().lock("ledger");
    std::uint64_t largest = 0;
    const auto write = [&](std::uint64_t token) { return token >= largest && (largest = token, true); };
    lock.lock();
    const std::uint64_t old = lock.token();
    REQUIRE(write(old));
    REQUIRE(lock.break_lock());
    std::thread([&] {
        lock.lock();
        REQUIRE(write(lock.token()));
        lock.unlock();
    }).join();
    REQUIRE(!write(old));
}

TEST_CASE("who has waited gets the lock from one who takes it again and again") {
    const test::LocalRealm realm;
    Lock lock = realm.manager().lock("busy");
    const test::Shared<std::atomic<bool>> stop;
    const test::Shared<std::atomic<int>> rounds;
    Child greedy([&] {
        while (!stop->load()) {
            const std::scoped_lock hold(lock);
            ++*rounds;
            const auto until = std::chrono::steady_clock::now() + 100us;
            while (std::chrono::steady_clock::now() < until) {
            }
        }
        return 0;
    });
    REQUIRE(eventually([&] { return rounds->load() > 10; }));
    for (int i = 0; i < 50; ++i) {
        lock.lock();
        lock.unlock();
    }
    stop->store(true);
    REQUIRE(greedy.join() == 0);
}

TEST_CASE("an operation that comes late to an erased lock does not touch the one that has its place") {
    const test::LocalRealm realm;
    const Manager manager = realm.manager();
    const segment::Segment& segment = realm.session().segment();
    const sync::Sessions& sessions = realm.session().sessions();
    const sync::SlotId self = realm.session().slot();
    const auto reuse = [&] {  // in the middle of an operation
        manager.erase("old");
        (void)manager.rlock("new");
        return false;  // what it had found out just before
    };
    const auto fresh = [&] {
        (void)manager.lock("old").lock();
        return realm.session().directory().find_any("old")->ref;
    };
    sync::LockRep* rep = nullptr;
    const auto same_place = [&] { return &sync::lock_rep(heap::object_at(segment, realm.session().directory().find_any("new")->ref.id)) == rep; };
    SECTION("a release") {
        const heap::ObjectRef ref = fresh();
        rep = &sync::lock_rep(heap::object_at(segment, ref.id));
        sync::LockWord late(segment, sessions, ref);
        int looks = 0;
        const auto destroyed = [&] { return looks++ > 0 || reuse(); };
        REQUIRE(late.release(self, destroyed) == sync::LockWord::Released::destroyed);
        REQUIRE(looks == 2);
    }
    SECTION("an acquisition") {
        const heap::ObjectRef ref = fresh();
        manager.lock("old").unlock();
        rep = &sync::lock_rep(heap::object_at(segment, ref.id));
        sync::LockWord late(segment, sessions, ref);
        int looks = 0;
        const auto destroyed = [&] { return looks++ > 0 || reuse(); };
        REQUIRE(late.acquire(self, base::Deadline::now(), destroyed) == sync::LockWord::Outcome::destroyed);
    }
    SECTION("a break") {
        const heap::ObjectRef ref = fresh();
        rep = &sync::lock_rep(heap::object_at(segment, ref.id));
        sync::LockWord late(segment, sessions, ref);
        int looks = 0;
        REQUIRE(!late.break_hold([&] { return looks++ > 0 || reuse(); }));
    }
    REQUIRE(same_place());
    RLock placed = manager.rlock("new");
    REQUIRE(!placed.locked());
    REQUIRE(rep->word % (std::uint64_t{1} << heap::turn_shift) == 0);
    REQUIRE(placed.try_lock());
    REQUIRE(placed.levels() == 1);
}
