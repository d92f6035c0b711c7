// Queue's handle: blocking, bounds, and deaths of those at either end.
#include <catch2/catch.hpp>
#include <csignal>
#include <thread>

#include "support/child.hpp"
#include "support/fails_with.hpp"
#include "support/local_realm.hpp"

using namespace muster;
using namespace std::chrono_literals;
using test::Child;
using test::eventually;
using test::fails_with;

TEST_CASE("a queue gives first what came first, and tells empty from full") {
    const test::LocalRealm realm;
    auto queue = realm.manager().queue<std::string>("jobs", {.maxsize = 2});
    REQUIRE(queue.maxsize() == 2);
    queue.put("a");
    queue.put("b");
    REQUIRE(queue.full());
    REQUIRE(!queue.try_put("c"));
    REQUIRE(!queue.put_for("c", 1ms));
    REQUIRE_THROWS_MATCHES(queue.put_nowait("c"), Error, fails_with(Errc::full));
    REQUIRE(queue.snapshot() == std::vector<std::string>{"a", "b"});
    REQUIRE(queue.peek() == "a");
    REQUIRE(queue.get() == "a");
    REQUIRE(queue.get_nowait() == "b");
    REQUIRE(queue.empty());
    REQUIRE(!queue.try_get());
    REQUIRE(!queue.get_for(1ms));
    REQUIRE_THROWS_MATCHES(queue.get_nowait(), Error, fails_with(Errc::empty));
    REQUIRE_THROWS_MATCHES((void)queue.get_for(-1ms), Error, fails_with(Errc::invalid_argument));
    REQUIRE(!realm.manager().queue<int>().full());
}

TEST_CASE("mixed values go through a queue as they are") {
    const test::LocalRealm realm;
    auto queue = realm.manager().queue();
    queue.put({"Hello", nullptr, "World"});
    queue.put(nullptr);
    REQUIRE(queue.get() == Value({"Hello", nullptr, "World"}));
    REQUIRE(queue.get() == nullptr);
}

TEST_CASE("producers and consumers in processes lose and double nothing") {
    const test::LocalRealm realm;
    auto queue = realm.manager().queue<int>("q", {.maxsize = 10});
    constexpr int producers = 3, consumers = 3, each = 5000;
    const test::Shared<std::atomic<long>> sum, count;
    {
        std::vector<std::unique_ptr<Child>> children;
        for (int p = 0; p < producers; ++p)
            children.push_back(std::make_unique<Child>([&, p] {
                for (int i = 0; i < each; ++i) queue.put(p * each + i);
                return 0;
            }));
        for (int c = 0; c < consumers; ++c)
            children.push_back(std::make_unique<Child>([&] {
                for (int item = queue.get(); item >= 0; item = queue.get()) {
                    sum->fetch_add(item);
                    count->fetch_add(1);
                }
                return 0;
            }));
        for (int p = 0; p < producers; ++p) REQUIRE(children[static_cast<std::size_t>(p)]->join() == 0);
        for (int c = 0; c < consumers; ++c) queue.put(-1);
        for (int c = producers; c < producers + consumers; ++c) REQUIRE(children[static_cast<std::size_t>(c)]->join() == 0);
    }
    const long total = producers * each;
    REQUIRE(count->load() == total);
    REQUIRE(sum->load() == total * (total - 1) / 2);
    REQUIRE(queue.empty());
}

TEST_CASE("a sleeping consumer is woken, and close wakes all") {
    const test::LocalRealm realm;
    auto queue = realm.manager().queue<int>();
    const test::Shared<std::atomic<int>> got;
    Child consumer([&] {
        got->store(queue.get());
        try {
            queue.get();
        } catch (const Error& error) {
            return error.errc() == Errc::closed ? 0 : 1;
        }
        return 2;
    });
    queue.put(7);
    REQUIRE(eventually([&] { return got->load() == 7; }));
    queue.close();
    REQUIRE(consumer.join() == 0);
    REQUIRE(queue.closed());
    REQUIRE_THROWS_MATCHES(queue.put(1), Error, fails_with(Errc::closed));
}

TEST_CASE("consumers killed while they wait take no item with them") {
    const test::LocalRealm realm;
    auto queue = realm.manager().queue<int>();
    for (int round = 0; round < 10; ++round) {
        const test::Shared<std::atomic<int>> waiting, got;
        Child victim([&] {
            waiting->fetch_add(1);
            (void)queue.get();
            return 0;
        });
        Child other([&] {
            waiting->fetch_add(1);
            got->store(queue.get());
            return 0;
        });
        REQUIRE(eventually([&] { return waiting->load() == 2; }));
        victim.kill(SIGKILL);
        victim.join();
        queue.put(5);  // was there before the other, or was taken whole by the victim's last breath
        if (!eventually([&] { return got->load() == 5 || queue.empty(); })) FAIL("the item lies there and the consumer sleeps");
        if (got->load() != 5) queue.put(5);
        REQUIRE(other.join() == 0);
    }
}

TEST_CASE("producers and consumers killed at random leave every item once or not at all") {
    const test::LocalRealm realm;
    auto queue = realm.manager().queue<std::string>("q");
    long highest = -1;
    for (int round = 0; round < 40; ++round) {
        const test::Shared<std::atomic<int>> started;
        Child producer([&, round] {
            for (int i = 0;; ++i) {
                queue.put(std::to_string(round * 1'000'000 + i) + std::string(static_cast<std::size_t>(i % 300), ' '));
                started->store(i);
            }
            return 0;
        });
        REQUIRE(eventually([&] { return started->load() > 50 + round * 7; }));
        producer.kill(SIGKILL);
        producer.join();
        const int acknowledged = started->load();
        long last = -1;
        while (const auto item = queue.try_get()) {
            const long number = std::stol(*item);
            REQUIRE(number > highest);
            highest = last = number;
        }
        const long final_item = last - round * 1'000'000L;
        REQUIRE((final_item == acknowledged || final_item == acknowledged + 1));  // all that put() returned for, and one
    }
    REQUIRE(realm.daemon().check().violations.empty());
}

TEST_CASE("a waiter on an erased queue is told") {
    const test::LocalRealm realm;
    const Manager manager = realm.manager();
    auto queue = manager.queue<int>("gone");
    std::atomic<bool> told{false};
    std::thread waiter([&] {
        try {
            queue.get();
        } catch (const Error& error) {
            told = error.errc() == Errc::destroyed;
        }
    });
    REQUIRE(manager.erase("gone"));
    REQUIRE(eventually([&] { return told.load(); }));
    waiter.join();
}
