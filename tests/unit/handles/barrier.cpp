// Barrier: rounds, indices, the action; timeouts, abort, reset; and deaths.
#include <catch2/catch.hpp>

#include <csignal>
#include <latch>
#include <numeric>
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

namespace {

// What came of a wait: the index, or minus the error.
int outcome(Barrier barrier, std::optional<std::chrono::milliseconds> timeout = {}) {
    try {
        return static_cast<int>(timeout ? barrier.wait_for(*timeout) : barrier.wait());
    } catch (const Error& error) {
        return -static_cast<int>(error.errc());
    }
}
constexpr int broken = -static_cast<int>(Errc::broken_barrier);

struct Waiter {
    int came_to = 4711;
    std::thread thread;
    explicit Waiter(const Barrier& barrier) : thread([this, barrier] { came_to = outcome(barrier); }) {}
    ~Waiter() {
        if (thread.joinable()) thread.join();
    }
    int join() { return thread.join(), came_to; }
};

}  // namespace

TEST_CASE("a thousand rounds of a barrier of five threads") {
    const test::LocalRealm realm;
    constexpr int parties = 5, rounds = 1000;
    std::atomic<int> actions{0};
    Barrier barrier = realm.manager().barrier("five", parties, {.action = [&] { ++actions; }});
    std::array<std::atomic<int>, rounds> indices{}, arrived{};
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < parties; ++t)
        threads.emplace_back([&] {
            for (std::size_t round = 0; round < rounds; ++round) {
                ++arrived[round];
                indices[round] += 1 << 4 * barrier.wait();
                if (arrived[round] != parties || actions <= static_cast<int>(round)) ++wrong;
            }
        });
    for (auto& thread : threads) thread.join();
    REQUIRE(wrong == 0);
    REQUIRE(actions == rounds);
    for (const auto& seen : indices) REQUIRE(seen == 0x11111);
    REQUIRE(barrier.n_waiting() == 0);
    REQUIRE(!barrier.broken());
    test::require_whole(realm);
}

TEST_CASE("a thousand rounds of a barrier of five processes") {
    const test::LocalRealm realm;
    constexpr int parties = 5, rounds = 1000;
    struct Seen {
        std::atomic<int> actions{0};
        std::array<std::atomic<int>, rounds> indices{}, arrived{};
    };
    const test::Shared<Seen> seen;
    Barrier barrier = realm.manager().barrier("five", parties, {.action = [&] { ++seen->actions; }});
    std::vector<std::unique_ptr<Child>> children;
    for (int c = 0; c < parties; ++c)
        children.push_back(std::make_unique<Child>([&] {
            for (std::size_t round = 0; round < rounds; ++round) {
                ++seen->arrived[round];
                seen->indices[round] += 1 << 4 * barrier.wait();
                if (seen->arrived[round] != parties || seen->actions <= static_cast<int>(round)) return 1;
            }
            return 0;
        }));
    for (auto& child : children) REQUIRE(child->join() == 0);
    REQUIRE(seen->actions == rounds);
    for (const auto& indices : seen->indices) REQUIRE(indices == 0x11111);
    test::require_whole(realm);
}

TEST_CASE("a barrier's indices go by arrival, and who waits is counted") {
    const test::LocalRealm realm;
    Barrier barrier = realm.manager().barrier("four", 4);
    REQUIRE(barrier.parties() == 4);
    std::vector<std::unique_ptr<Waiter>> waiters;
    for (std::size_t i = 0; i < 3; ++i) {
        REQUIRE(barrier.n_waiting() == i);
        waiters.push_back(std::make_unique<Waiter>(barrier));
        REQUIRE(eventually([&] { return barrier.n_waiting() == i + 1; }));
    }
    REQUIRE(barrier.wait() == 3);
    REQUIRE(barrier.n_waiting() == 0);
    for (int i = 0; i < 3; ++i) REQUIRE(waiters[static_cast<std::size_t>(i)]->join() == i);
    REQUIRE(realm.manager().barrier(1).wait() == 0);
}

TEST_CASE("a barrier used wrongly says so") {
    const test::LocalRealm realm;
    const Manager manager = realm.manager();
    REQUIRE_THROWS_MATCHES(manager.barrier("b", 0), Error, fails_with(Errc::value_error));
    REQUIRE_THROWS_MATCHES(manager.barrier(5000), Error, fails_with(Errc::limit_exceeded));
    Barrier barrier = manager.barrier("b", 2);
    REQUIRE_THROWS_MATCHES(manager.barrier("b", 3), Error, fails_with(Errc::value_error));
    REQUIRE(manager.find<Barrier>("b")->parties() == 2);
    Waiter waiter(barrier);
    REQUIRE(eventually([&] { return barrier.n_waiting() == 1; }));
    REQUIRE(manager.erase("b"));
    REQUIRE(waiter.join() == -static_cast<int>(Errc::destroyed));
}

TEST_CASE("one's timeout breaks a barrier for all, until it is reset") {
    const test::LocalRealm realm;
    Barrier barrier = realm.manager().barrier(3);
    Waiter patient(barrier);
    REQUIRE(eventually([&] { return barrier.n_waiting() == 1; }));
    REQUIRE(outcome(barrier, 1ms) == broken);
    REQUIRE(patient.join() == broken);
    REQUIRE(barrier.broken());
    REQUIRE(barrier.n_waiting() == 0);
    REQUIRE(outcome(barrier) == broken);  // sticky
    REQUIRE(barrier.broken());
    barrier.reset();
    REQUIRE(!barrier.broken());
    Waiter first(barrier), second(barrier);
    REQUIRE(outcome(barrier) >= 0);
    REQUIRE(first.join() >= 0);
    REQUIRE(second.join() >= 0);
    test::require_whole(realm);
}

TEST_CASE("a barrier's own timeout is that of wait()") {
    const test::LocalRealm realm;
    Barrier barrier = realm.manager().barrier("short", 2, {.timeout = 1ms});
    REQUIRE(outcome(barrier) == broken);
    REQUIRE(outcome(realm.manager().barrier("short", 2)) == broken);
    barrier.reset();
    REQUIRE(outcome(*realm.manager().find<Barrier>("short")) == broken);
    barrier.reset();
    Waiter timed(barrier);
    REQUIRE(timed.join() == broken);
}

TEST_CASE("an action that throws breaks the barrier; its exception is its caller's") {
    const test::LocalRealm realm;
    struct Failure {};
    Barrier barrier = realm.manager().barrier("acts", 2);
    Waiter waiter(barrier);
    REQUIRE(eventually([&] { return barrier.n_waiting() == 1; }));
    Barrier acting = realm.manager().barrier("acts", 2, {.action = [] { throw Failure{}; }});
    REQUIRE_THROWS_AS(acting.wait(), Failure);
    REQUIRE(waiter.join() == broken);
    REQUIRE(barrier.broken());
}

TEST_CASE("abort breaks a barrier, reset sends away who waits") {
    const test::LocalRealm realm;
    Barrier barrier = realm.manager().barrier(2);
    {
        Waiter waiter(barrier);
        REQUIRE(eventually([&] { return barrier.n_waiting() == 1; }));
        barrier.abort();
        REQUIRE(waiter.join() == broken);
        REQUIRE(barrier.broken());
    }
    barrier.reset();
    {
        Waiter waiter(barrier);
        REQUIRE(eventually([&] { return barrier.n_waiting() == 1; }));
        barrier.reset();
        REQUIRE(waiter.join() == broken);
        REQUIRE(!barrier.broken());
    }
    Waiter waiter(barrier);
    REQUIRE(outcome(barrier) >= 0);
    REQUIRE(waiter.join() >= 0);
    barrier.reset();  // of one that nobody waits at: nothing
    REQUIRE(!barrier.broken());
    test::require_whole(realm);
}

TEST_CASE("who comes while the action runs belongs to the next round") {
    const test::LocalRealm realm;
    std::latch begun(1), go_on(1);
    Barrier plain = realm.manager().barrier("acts", 2);
    Barrier acting = realm.manager().barrier("acts", 2, {.action = [&] {
                                                 begun.count_down();
                                                 go_on.wait();
                                             }});
    Waiter first(plain);
    REQUIRE(eventually([&] { return plain.n_waiting() == 1; }));
    Waiter runner(acting);
    begun.wait();
    REQUIRE(plain.n_waiting() == 0);
    Waiter late(plain);
    std::this_thread::yield();
    REQUIRE(late.came_to == 4711);
    go_on.count_down();
    REQUIRE(first.join() == 0);
    REQUIRE(runner.join() == 1);
    REQUIRE(eventually([&] { return plain.n_waiting() == 1; }));
    REQUIRE(plain.wait() == 1);
    REQUIRE(late.join() == 0);
}

TEST_CASE("a barrier that is reset while its action runs lets nobody through") {
    const test::LocalRealm realm;
    Barrier plain = realm.manager().barrier("acts", 2);
    Barrier acting = realm.manager().barrier("acts", 2, {.action = [&] { plain.reset(); }});
    Waiter first(plain);
    REQUIRE(eventually([&] { return plain.n_waiting() == 1; }));
    REQUIRE(outcome(acting) == broken);
    REQUIRE(first.join() == broken);
    REQUIRE(!plain.broken());
}

TEST_CASE("an action may use barriers and semaphores itself") {
    const test::LocalRealm realm;
    const Manager manager = realm.manager();
    Semaphore semaphore = manager.semaphore(0);
    Barrier barrier = manager.barrier("outer", 2, {.action = [&] {
                                          std::thread helper([&] { semaphore.release(); });
                                          semaphore.acquire();
                                          (void)manager.barrier(1).wait();
                                          helper.join();
                                      }});
    Waiter first(barrier);
    REQUIRE(outcome(barrier) >= 0);
    REQUIRE(first.join() >= 0);
}

TEST_CASE("a killed waiter is not counted any more, and its index is given again") {
    for (const bool service : {false, true}) {
        INFO("service " << service);
        const test::LocalRealm realm;
        Barrier barrier = realm.manager().barrier("three", 3);
        Child victim([&] { return outcome(barrier); });
        REQUIRE(eventually([&] { return barrier.n_waiting() == 1; }));
        Waiter one(barrier);
        REQUIRE(eventually([&] { return barrier.n_waiting() == 2; }));
        victim.kill(SIGKILL);
        REQUIRE(victim.join() == -SIGKILL);
        if (service) (void)realm.daemon().reclaim_dead({});
        REQUIRE(eventually([&] { return barrier.n_waiting() == 1; }));
        Waiter two(barrier);
        REQUIRE(eventually([&] { return barrier.n_waiting() == 2; }));
        REQUIRE(barrier.wait() == 2);
        REQUIRE(one.join() == 1);
        REQUIRE(two.join() == 0);
        test::require_whole(realm);
    }
}

TEST_CASE("who is killed while it runs the action breaks the barrier") {
    for (const bool service : {false, true}) {
        INFO("service " << service);
        const test::LocalRealm realm;
        const test::Shared<std::atomic<int>> runs;
        Barrier barrier = realm.manager().barrier("acts", 2);
        Waiter waiter(barrier);
        REQUIRE(eventually([&] { return barrier.n_waiting() == 1; }));
        Child victim([&] {
            barrier.set_action([&] {
                runs->store(1);
                for (;;) ::pause();
            });
            return outcome(barrier);
        });
        REQUIRE(eventually([&] { return runs->load() == 1; }));
        victim.kill(SIGKILL);
        REQUIRE(victim.join() == -SIGKILL);
        if (service) (void)realm.daemon().reclaim_dead({});
        REQUIRE(waiter.join() == broken);
        REQUIRE(barrier.broken());
        test::require_whole(realm);
    }
}

TEST_CASE("parties killed at random hold nobody up and let nobody through alone") {
    const test::LocalRealm realm;
    for (int round = 0; round < 15; ++round) {
        Barrier barrier = realm.manager().barrier("storm", 3);
        const test::Shared<std::atomic<int>> turns;
        std::vector<std::unique_ptr<Child>> children;
        for (int c = 0; c < 3; ++c)
            children.push_back(std::make_unique<Child>([&] {
                for (;;) {
                    if (outcome(barrier) < 0) return 1;
                    ++*turns;
                }
                return 0;
            }));
        REQUIRE(eventually([&] { return turns->load() > 20 + 7 * round; }));
        for (auto& child : children) child->kill(SIGKILL);
        for (auto& child : children) REQUIRE(child->join() == -SIGKILL);
        if (round % 2 == 0) (void)realm.daemon().reclaim_dead({});
        std::vector<std::unique_ptr<Waiter>> waiters;
        for (int i = 0; i < 2; ++i) waiters.push_back(std::make_unique<Waiter>(barrier));
        REQUIRE(outcome(barrier) >= 0);
        for (auto& waiter : waiters) REQUIRE(waiter->join() >= 0);
        test::require_whole(realm);
        realm.manager().erase("storm");
    }
}
