// Sleepers against wakers: queues, the lock word, wait points, and threads' slots coming and going under them.
#include <catch2/catch.hpp>

#include "race/team.hpp"
#include "support/local_realm.hpp"
#include "sync/sync.hpp"

using namespace muster;
using namespace std::chrono_literals;
using test::Team;

TEST_CASE("a small queue between threads loses and doubles nothing, with and without deadlines") {
    const test::LocalRealm realm;
    auto queue = realm.manager().queue<std::uint64_t>({.maxsize = 3});
    constexpr std::size_t each = 3000;
    std::atomic<std::uint64_t> sum{0};
    Team team;
    for (std::size_t p = 0; p < 2; ++p)
        team.work(each, [&, p](std::size_t i) {
            const std::uint64_t item = p * each + i + 1;
            if (i % 2 == 0) {
                queue.put(item);
            } else {
                while (!queue.put_for(item, 50us)) {
                }
            }
        });
    for (int c = 0; c < 2; ++c)
        team.work(each, [&](std::size_t i) {
            if (i % 2 == 0) {
                sum += queue.get();
                return;
            }
            for (;;)
                if (const auto item = queue.get_for(50us)) {
                    sum += *item;
                    return;
                }
        });
    team.watch([&](std::size_t) {
        const auto now = queue.snapshot();
        if (now.size() > 3) throw std::runtime_error("the queue is over its bound");
    });
    team.run();
    const std::uint64_t total = 2 * each;
    CHECK(sum == total * (total + 1) / 2);
    CHECK(queue.empty());
}

TEST_CASE("closing a queue wakes all who wait on it") {
    const test::LocalRealm realm;
    for (int round = 0; round < 30; ++round) {
        auto queue = realm.manager().queue<int>();
        std::atomic<int> told{0};
        Team team;
        for (int w = 0; w < 4; ++w)
            team.work(1, [&](std::size_t) {
                try {
                    for (;;) (void)queue.get();
                } catch (const Error& error) {
                    if (error.errc() == Errc::closed) ++told;
                }
            });
        team.work(1, [&](std::size_t) {
            queue.put(1);
            queue.close();
        });
        team.run();
        CHECK(told == 4);
    }
}

TEST_CASE("a lock orders what its holders do, and tells others who they are") {
    const test::LocalRealm realm;
    Lock lock = realm.manager().lock();
    long counter = 0;  // plain: only the lock keeps it whole
    std::atomic<std::size_t> timed_out{0}, strangers{0};
    Team team;
    for (int w = 0; w < 3; ++w)
        team.work(3000, [&](std::size_t i) {
            if (i % 4 == 0) {
                while (!lock.try_lock_for(20us)) ++timed_out;
            } else {
                lock.lock();
            }
            ++counter;
            lock.unlock();
        });
    team.watch([&](std::size_t) {
        if (const auto owner = lock.owner(); owner && owner->pid != ::getpid()) ++strangers;
    });
    team.run();
    CHECK(counter == 9000);
    CHECK(strangers == 0);
    CHECK(!lock.locked());
}

TEST_CASE("threads come and go, each with a slot of its own") {
    const test::LocalRealm realm;
    Lock lock = realm.manager().lock();
    auto dict = realm.manager().dict<int, int>();
    Team team;
    for (int w = 0; w < 3; ++w)
        team.work(100, [&, w](std::size_t) {
            std::thread([&] {
                const std::scoped_lock hold(lock);
                dict.set(w, dict.get(w, 0) + 1);
            }).join();
        });
    team.watch([&](std::size_t) { (void)lock.owner(); });
    team.watch([&](std::size_t) { (void)realm.session().sessions().count(); });
    team.run();
    for (int w = 0; w < 3; ++w) CHECK(dict.at(w) == 100);
    CHECK(!lock.locked());
}

// Dekker's pattern of announce and notify, at the wait points themselves.
TEST_CASE("two threads hand a word to and fro through wait points") {
    alignas(64) std::uint32_t point = 0;
    std::atomic<std::uint32_t> turn{0};
    constexpr std::uint32_t rounds = 20'000;
    const auto play = [&](std::uint32_t parity) {
        sync::WaitPoint wait(point);
        for (std::uint32_t i = parity; i < rounds; i += 2) {
            while (turn.load(std::memory_order_acquire) != i) {
                const std::uint32_t announced = wait.announce();
                if (turn.load(std::memory_order_acquire) == i) break;
                wait.sleep(announced, base::Deadline::never());
            }
            turn.store(i + 1, std::memory_order_release);
            wait.notify_all();
        }
    };
    const auto begin = std::chrono::steady_clock::now();
    Team team;
    team.work(1, [&](std::size_t) { play(0); });
    team.work(1, [&](std::size_t) { play(1); });
    team.run();
    CHECK(turn == rounds);
    // A wake-up that gets lost costs a slice. Some slices may be slept on a busy machine, but not one in a hundred.
    CHECK(std::chrono::steady_clock::now() - begin < rounds / 100 * sync::wait_slice);
}
