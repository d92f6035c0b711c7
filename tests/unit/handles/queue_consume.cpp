// Iterating a queue until it is closed, or until one is told to stop.
#include <catch2/catch.hpp>
#include <array>
#include <atomic>
#include <stop_token>
#include <thread>

#include "support/child.hpp"
#include "support/eventually.hpp"
#include "support/local_realm.hpp"

using namespace muster;
using test::Child;
using test::eventually;

namespace {

// The wait point of the items of a realm's first object: bit 0 is set by who sleeps or is about to, and cleared by who
// finds nobody asleep.
std::uint32_t wait_point(const test::LocalRealm& realm) {
    return __atomic_load_n(&heap::object_at(realm.session().segment(), 1).wait_points[0], __ATOMIC_SEQ_CST);
}

}  // namespace

TEST_CASE("who consumes and waits hears of a stop at once") {
    const test::LocalRealm realm;
    auto queue = realm.manager().queue<int>("q");
    for (int round = 0; round < 30; ++round) {
        std::atomic<int> got{0};
        queue.put(1);
        (void)queue.get();
        const std::uint32_t before = wait_point(realm);
        REQUIRE((before & 1) == 0);
        std::jthread consumer([&](std::stop_token stop) {
            for (const int item : queue.consume(stop)) got += item;
        });
        REQUIRE(eventually([&] { return (wait_point(realm) & 1) != 0; }));
        consumer.request_stop();  // wakes before it returns, whatever the slices of a sleep
        REQUIRE(wait_point(realm) >> 1 > before >> 1);
        consumer.join();
        REQUIRE(got == 0);
    }
}

TEST_CASE("after a stop nothing is taken, though there be items") {
    const test::LocalRealm realm;
    auto queue = realm.manager().queue<int>();
    queue.put_many({1, 2, 3, 4});
    std::stop_source source;
    int seen = 0;
    for (const int item : queue.consume(source.get_token())) {
        seen = item;
        if (item == 2) source.request_stop();
    }
    REQUIRE(seen == 2);
    REQUIRE(queue.snapshot() == std::vector<int>{3, 4});
    for (const int item : queue.consume(source.get_token())) FAIL("an item after the stop: " << item);
    REQUIRE(queue.size() == 2);
    queue.close();
    std::stop_source other;
    for (const int item : queue.consume(other.get_token())) seen = item;  // closed and drained ends it, too
    REQUIRE(seen == 4);
    for (const int item : queue.consume(std::stop_token())) FAIL("an item of a drained queue: " << item);
}

TEST_CASE("a stop ends its own consumers, and the others get every item once") {
    const test::LocalRealm realm;
    auto queue = realm.manager().queue<int>("q", {.maxsize = 16});
    constexpr std::size_t rounds = 40, each = 150, items = rounds * each;
    struct Seen {
        std::array<std::atomic<int>, items> times;
        std::atomic<std::size_t> wanted, taken;
    };
    const test::Shared<Seen> seen;
    const auto consume = [&](std::stop_token stop) {
        for (const int item : queue.consume(std::move(stop))) {
            ++seen->times[static_cast<std::size_t>(item)];
            ++seen->taken;
        }
    };
    Child process([&] {
        consume({});
        return 0;
    });
    std::jthread steady(consume);
    Child producer([&] {
        for (std::size_t i = 0; i < items; ++i) {
            while (i >= seen->wanted) std::this_thread::yield();
            queue.put(static_cast<int>(i));
        }
        return 0;
    });
    for (std::size_t round = 1; round <= rounds; ++round) {
        std::jthread passing(consume);
        seen->wanted = round * each;
        // All three are at it, or wait for more.
        REQUIRE(eventually([&] { return seen->taken >= round * each - (round % 2 == 0 ? 0 : each / 2); }));
    }  // stopped and joined
    REQUIRE(producer.join() == 0);
    queue.close();
    steady.join();
    REQUIRE(process.join() == 0);
    for (std::size_t i = 0; i < items; ++i)
        if (seen->times[i] != 1) FAIL("item " << i << " was taken " << seen->times[i] << " times");
    REQUIRE(queue.empty());
}
