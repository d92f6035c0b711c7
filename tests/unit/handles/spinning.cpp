// What takes another core some microseconds is waited for awake.
#include <catch2/catch.hpp>

#include <algorithm>
#include <atomic>
#include <mutex>

#include "base/spin.hpp"
#include "support/local_realm.hpp"
#include "support/mostly_awake.hpp"

using namespace muster;
using namespace std::chrono_literals;
using test::busy_for;
using test::mostly_awake;

TEST_CASE("a permit that comes soon is waited for awake, in the line, too") {
    test::skip_on_one_processor();
    const test::LocalRealm realm;
    Semaphore semaphore = realm.manager().semaphore("permits", 1);
    using Clock = std::chrono::steady_clock;
    auto spin = Clock::duration::max();
    for (int i = 0; i < 100; ++i) {
        const auto begin = Clock::now();
        base::spin_until([] { return false; });
        spin = std::min(spin, Clock::now() - begin);
    }
    // Longer than one looks for a free permit; then the line is there, in which one looks as long again. They take turns.
    std::atomic<int> last{-1};
    CHECK(mostly_awake(500, [&](int which) {
        for (const auto end = Clock::now() + 1ms; last == which && Clock::now() < end;) {
        }
        semaphore.acquire();
        last = which;
        busy_for(spin + spin / 2);
        semaphore.release();
    }));
}

TEST_CASE("a notification that comes soon is waited for awake") {
    test::skip_on_one_processor();
    const test::LocalRealm realm;
    Condition condition = realm.manager().condition("turns");
    int turn = 0;
    CHECK(mostly_awake(2000, [&](int which) {
        const std::scoped_lock hold(condition);
        condition.wait([&] { return turn % 2 == which; });
        ++turn;
        condition.notify();
    }));
}

TEST_CASE("an item that comes soon is waited for awake") {
    test::skip_on_one_processor();
    const test::LocalRealm realm;
    Queue<int> there = realm.manager().queue<int>("there"), back = realm.manager().queue<int>("back");
    CHECK(mostly_awake(2000, [&](int which) {
        if (which == 0) {
            there.put(1);
            (void)back.get();
        } else {
            back.put(there.get());
        }
    }));
}
