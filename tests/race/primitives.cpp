// Semaphores, events, barriers, conditions and recursive locks between threads. What they order is plain memory, but for
// the event: with ThreadSanitizer (preset tsan) an order that is not there is a race; without it the values tell.
#include <catch2/catch.hpp>

#include <array>
#include <deque>
#include <mutex>

#include "race/team.hpp"
#include "support/local_realm.hpp"
#include "sync/sync.hpp"

using namespace muster;
using namespace std::chrono_literals;
using test::Team;

TEST_CASE("permits order what those do who have them, handed over or taken, in time or not") {
    const test::LocalRealm realm;
    BoundedSemaphore one = realm.manager().bounded_semaphore(1);
    Semaphore three = realm.manager().semaphore(3);
    long counter = 0;  // plain: only the permit keeps it whole
    std::atomic<int> inside{0}, most{0};
    Team team;
    for (int w = 0; w < 4; ++w)
        team.work(600, [&](std::size_t i) {
            if (i % 4 == 0) {
                while (!one.try_acquire_for(50us)) {
                }
            } else {
                one.acquire();
            }
            ++counter;
            one.release();
            three.acquire();
            const int now = ++inside;
            for (int seen = most.load(); now > seen && !most.compare_exchange_weak(seen, now);) {
            }
            --inside;
            three.release();
        });
    team.watch([&](std::size_t) {
        if (one.get_value() > 1 || three.get_value() > 3) throw std::runtime_error("more permits than there are");
    });
    team.run();
    CHECK(counter == 2400);
    CHECK(most <= 3);
    CHECK(one.get_value() == 1);
    CHECK(three.get_value() == 3);
}

TEST_CASE("what was done before an event is set is seen by all who waited for it") {
    const test::LocalRealm realm;
    constexpr std::size_t rounds = 150;
    std::vector<Event> events;
    for (std::size_t i = 0; i < rounds; ++i) events.push_back(realm.manager().event());
    // An event is waited for without its lock: its order is made of fences (DESIGN.md), which ThreadSanitizer does not know.
    // So the values tell.
    std::array<std::atomic<std::size_t>, rounds> written{};
    std::atomic<std::size_t> wrong{0};
    Team team;
    team.work(rounds, [&](std::size_t i) {
        written[i].store(i + 1, std::memory_order_relaxed);
        events[i].set();
    });
    for (int w = 0; w < 3; ++w)
        team.work(rounds, [&, w](std::size_t i) {
            if (w == 0) {
                while (!events[i].wait_for(20us)) {
                }
            } else {
                events[i].wait();
            }
            if (written[i].load(std::memory_order_relaxed) != i + 1) ++wrong;
        });
    team.watch([&](std::size_t i) { (void)events[i % rounds].is_set(); });
    team.run();
    CHECK(wrong == 0);
}

TEST_CASE("a barrier orders its rounds, and its action stands alone between them") {
    const test::LocalRealm realm;
    constexpr std::size_t parties = 3, rounds = 300;
    std::array<std::size_t, parties> cells{};  // plain: each party's own, read by the action, and by all afterwards
    std::size_t sum = 0;
    Barrier barrier = realm.manager().barrier(parties, {.action = [&] {
                                                  sum = 0;
                                                  for (const std::size_t cell : cells) sum += cell;
                                              }});
    std::atomic<std::size_t> wrong{0};
    Team team;
    for (std::size_t p = 0; p < parties; ++p)
        team.work(rounds, [&, p](std::size_t i) {
            cells[p] = i * parties + p;
            if (barrier.wait() >= parties) ++wrong;
            if (sum != i * parties * parties + parties * (parties - 1) / 2) ++wrong;
            for (std::size_t other = 0; other < parties; ++other)
                if (cells[other] != i * parties + other) ++wrong;
            (void)barrier.wait_for(1h);  // nobody goes on to change what others still read
        });
    team.watch([&](std::size_t) {
        if (barrier.n_waiting() >= parties || barrier.broken()) ++wrong;
    });
    team.run();
    CHECK(wrong == 0);
}

TEST_CASE("a condition's lock orders what its holders do, whoever was notified or ran out of time") {
    const test::LocalRealm realm;
    const Manager manager = realm.manager();
    Lock plain = manager.lock();
    RLock recursive = manager.rlock();
    for (Condition condition : {manager.condition(), manager.condition(plain), manager.condition(recursive)}) {
        std::deque<std::size_t> items;  // plain
        constexpr std::size_t each = 400, most = 3;
        std::size_t sum = 0;
        Team team;
        for (std::size_t p = 0; p < 2; ++p)
            team.work(each, [&, p](std::size_t i) {
                const std::scoped_lock hold(condition);
                condition.wait([&] { return items.size() < most; });
                items.push_back(p * each + i + 1);
                condition.notify_all();
            });
        for (std::size_t c = 0; c < 2; ++c)
            team.work(each, [&](std::size_t i) {
                const std::scoped_lock hold(condition);
                const auto some = [&] { return !items.empty(); };
                if (i % 3 == 0) {
                    while (!condition.wait_for(30us, some)) {
                    }
                } else {
                    condition.wait(some);
                }
                sum += items.front();
                items.pop_front();
                condition.notify_all();
            });
        team.watch([&](std::size_t) { (void)condition.n_waiting(); });
        team.run();
        CHECK(items.empty());
        CHECK(sum == 2 * each * (2 * each + 1) / 2);
        CHECK(!condition.locked());
    }
}

TEST_CASE("a recursive lock orders what its holders do on all levels, and circles are told to one") {
    const test::LocalRealm realm;
    const Manager manager = realm.manager();
    RLock a = manager.rlock("a"), b = manager.rlock("b");
    long in_a = 0, in_b = 0;  // plain
    std::atomic<long> told{0};
    const auto both = [&](RLock& first, RLock& second) {
        for (;;) try {
                const std::scoped_lock one(first);
                const std::scoped_lock again(first);
                const std::scoped_lock two(second);
                ++in_a, ++in_b;
                return;
            } catch (const Error& error) {
                if (error.errc() != Errc::deadlock) throw;
                ++told;
            }
    };
    Team team;
    for (int w = 0; w < 2; ++w) {
        team.work(400, [&](std::size_t) { both(a, b); });
        team.work(400, [&](std::size_t) { both(b, a); });
    }
    team.watch([&](std::size_t) { (void)sync::all_cycles(realm.session().segment(), realm.session().sessions()); });
    team.watch([&](std::size_t) { (void)a.owner(), (void)b.levels(); });
    team.run();
    CHECK(in_a == 1600);
    CHECK(in_b == 1600);
    CHECK(!a.locked());
    CHECK(!b.locked());
}

TEST_CASE("what others wait for is erased, and made anew, by threads beside them") {
    const test::LocalRealm realm;
    const Manager manager = realm.manager();
    const auto unless_gone = [](const auto& call) {
        try {
            call();
        } catch (const Error& error) {
            if (error.errc() != Errc::destroyed && error.errc() != Errc::wrong_kind &&
                error.errc() != Errc::broken_barrier && error.errc() != Errc::value_error)
                throw;
        }
    };
    Team team;
    for (int w = 0; w < 2; ++w)
        team.work(150, [&](std::size_t i) {
            unless_gone([&] { (void)manager.semaphore("s", 0).try_acquire_for(200us); });
            unless_gone([&] {
                Condition condition = manager.condition("c");
                const std::scoped_lock hold(condition);
                (void)condition.wait_for(200us);
            });
            unless_gone([&] { (void)manager.barrier("b", 5).wait_for(100us); });
            unless_gone([&] { (void)manager.event("e").wait_for(100us); });
            if (i % 10 == 0) unless_gone([&] { manager.semaphore("s", 0).release(); });
        });
    team.watch([&](std::size_t i) {
        static constexpr const char* names[] = {"s", "c", "b", "e"};
        (void)manager.erase(names[i % 4]);
        std::this_thread::sleep_for(50us);
    });
    team.run();
    for (const std::string& name : manager.names()) manager.erase(name);
    CHECK(realm.daemon().check().violations.empty());
}

// One change, many words: a reader sees all or none.
TEST_CASE("an array's readers see what one call changed at once") {
    const test::LocalRealm realm;
    Array<std::int64_t> array = realm.manager().array<std::int64_t>(100);
    SharedValue<std::int64_t> value = realm.manager().value<std::int64_t>();
    std::atomic<std::size_t> torn{0};
    Team team;
    for (int w = 0; w < 2; ++w)
        team.work(1500, [&, w](std::size_t i) {
            array.assign(0, std::vector<std::int64_t>(100, static_cast<std::int64_t>(i * 2) + w));
            value.fetch_add(1);
        });
    for (int r = 0; r < 2; ++r)
        team.watch([&](std::size_t) {
            const auto seen = array.snapshot();
            for (const std::int64_t one : seen)
                if (one != seen.front()) ++torn;
        });
    team.watch([&, last = std::int64_t{0}](std::size_t) mutable {
        const std::int64_t now = value.get();
        if (now < last) ++torn;
        last = now;
    });
    team.run();
    CHECK(torn == 0);
    CHECK(value.get() == 3000);
}
