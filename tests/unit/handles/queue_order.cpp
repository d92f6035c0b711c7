// Queue's handle in its three orders.
#include <catch2/catch.hpp>

#include <cmath>
#include <csignal>
#include <set>
#include <thread>

#include "support/child.hpp"
#include "support/fails_with.hpp"
#include "support/local_realm.hpp"
#include "support/random.hpp"
#include "support/require_whole.hpp"

using namespace muster;
using namespace std::chrono_literals;
using test::Child;
using test::eventually;
using test::fails_with;
using test::require_whole;

TEST_CASE("a stack gives last what came first") {
    const test::LocalRealm realm;
    auto queue = realm.manager().queue<std::string>("stack", {.maxsize = 3, .order = Order::lifo});
    REQUIRE(queue.order() == Order::lifo);
    queue.put("first");
    queue.put_many({"second", std::string(100'000, 'x')});
    REQUIRE(queue.full());
    REQUIRE(!queue.try_put("fourth"));
    REQUIRE(queue.peek() == std::string(100'000, 'x'));
    REQUIRE(queue.get_many(2) == std::vector<std::string>{std::string(100'000, 'x'), "second"});
    queue.put("third");
    REQUIRE(queue.snapshot() == std::vector<std::string>{"third", "first"});
    queue.close();
    REQUIRE(queue.drain() == std::vector<std::string>{"third", "first"});
    REQUIRE_THROWS_MATCHES(queue.get(), Error, fails_with(Errc::closed));
    require_whole(realm);
}

TEST_CASE("a priority queue gives the lowest first, and equal ones as they came") {
    const test::LocalRealm realm;
    auto queue = realm.manager().queue("todo", {.order = Order::priority});
    queue.put({5, 100});
    queue.put({7, 200});
    queue.put({3, "hello"});
    REQUIRE(queue.peek() == Value({3, "hello"}));
    REQUIRE(queue.get() == Value({3, "hello"}));
    queue.put({5, 99.5});
    queue.put({true, 0});  // 1
    REQUIRE(queue.snapshot() == std::vector<Value>{{true, 0}, {5, 99.5}, {5, 100}, {7, 200}});
    queue.clear();

    for (const char* text : {"pear", "apple", "fig"}) queue.put(text);
    REQUIRE(queue.drain() == std::vector<Value>{"apple", "fig", "pear"});

    queue.put({1});  // 1 == 1.0 == true: told apart by their form alone
    queue.put({1.0});
    queue.put({true});
    queue.put({0});
    REQUIRE(queue.drain() == std::vector<Value>{{0}, {1}, {1.0}, {true}});
    queue.put_many({3, 1, 2});
    REQUIRE(queue.drain() == std::vector<Value>{1, 2, 3});
    require_whole(realm);
}

TEST_CASE("what does not compare is refused by put, and nothing has changed") {
    const test::LocalRealm realm;
    auto queue = realm.manager().queue({.order = Order::priority});
    for (const Value& orderless : {Value(), Value({{"a", 1}}), Value(std::nan(""))})
        REQUIRE_THROWS_MATCHES(queue.put(orderless), Error, fails_with(Errc::value_error));
    const std::vector<Value> items{{0, 0}, {1, "a"}, {2, 0}};
    queue.put_many(items);
    REQUIRE_THROWS_MATCHES(queue.put("text"), Error, fails_with(Errc::value_error));
    REQUIRE_THROWS_MATCHES(queue.put({1, 2}), Error, fails_with(Errc::value_error));  // only the one in the middle minds
    REQUIRE_THROWS_MATCHES(queue.put_many({{3, 0}, {1, 2}}), Error, fails_with(Errc::value_error));
    REQUIRE_THROWS_MATCHES(queue.put_many({{4, 0}, {4, "a"}}), Error, fails_with(Errc::value_error));
    REQUIRE(queue.snapshot() == items);
    REQUIRE(queue.unfinished() == 3);
}

TEST_CASE("random values come out of a priority queue as a multimap keeps them") {
    const std::uint64_t seed = test::test_seed();
    INFO("seed " << seed << " (set MUSTER_SEED to repeat)");
    test::Random random(seed);
    const test::LocalRealm realm;
    auto queue = realm.manager().queue<std::pair<int, std::string>>("q", {.order = Order::priority});
    auto stack = realm.manager().queue<int>("s", {.order = Order::lifo});
    std::multiset<std::pair<int, std::string>> reference;
    std::vector<int> stacked;
    for (int step = 0; step < 20'000; ++step) {
        if (random.below(10) < (step / 1000 % 2 == 0 ? 7u : 3u)) {
            const int number = static_cast<int>(random.below(50)) - 25;
            const std::pair item{number, std::string(random.below(100) == 0 ? 70'000 : random.below(20), static_cast<char>('a' + random.below(26)))};
            queue.put(item);
            reference.insert(item);
            stack.put(number);
            stacked.push_back(number);
        } else {
            const auto item = queue.try_get();
            REQUIRE(item.has_value() == !reference.empty());
            REQUIRE(stack.try_get().value_or(1000) == (stacked.empty() ? 1000 : stacked.back()));
            if (!stacked.empty()) stacked.pop_back();
            if (!item) continue;
            REQUIRE(*item == *reference.begin());
            reference.erase(reference.begin());
        }
        if (step % 2000 == 1999) require_whole(realm);
    }
    REQUIRE(queue.snapshot() == std::vector<std::pair<int, std::string>>(reference.begin(), reference.end()));
}

TEST_CASE("a queue keeps the order it was made with: opened with another one it is an error") {
    const test::LocalRealm realm;
    const Manager manager = realm.manager();
    (void)manager.queue<int>("stack", {.order = Order::lifo});
    (void)manager.queue<int>("plain");
    REQUIRE(manager.queue<int>("stack").order() == Order::lifo);  // as it is
    REQUIRE(manager.queue<int>("stack", {.order = Order::lifo}).order() == Order::lifo);
    REQUIRE_THROWS_MATCHES(manager.queue<int>("stack", {.order = Order::fifo}), Error, fails_with(Errc::wrong_kind));
    REQUIRE_THROWS_WITH(manager.queue<int>("plain", {.order = Order::priority}),
                        "queue 'plain': open: object of another kind: its order is first in first out, not lowest first");
}

TEST_CASE("a full realm refuses a put into any order, and can be emptied") {
    for (const Order order : {Order::lifo, Order::priority}) {
        const test::LocalRealm realm(4u << 20);
        auto queue = realm.manager().queue<std::string>("q", {.order = order});
        int put = 0;
        REQUIRE_THROWS_MATCHES([&] { for (;; ++put) queue.put(std::to_string(put % 1000) + std::string(2000, 'x')); }(), Error,
                               fails_with(Errc::out_of_memory));
        REQUIRE(queue.size() == static_cast<std::size_t>(put));
        while (queue.try_get()) --put;
        REQUIRE(put == 0);
        require_whole(realm);
    }
}

TEST_CASE("producers killed at a priority queue or a stack leave every item once or not at all") {
    for (const Order order : {Order::lifo, Order::priority}) {
        const test::LocalRealm realm;
        auto queue = realm.manager().queue<std::pair<int, std::string>>("q", {.order = order});
        for (int round = 0; round < 15; ++round) {
            const test::Shared<std::atomic<int>> reached;
            Child producer([&] {
                for (int i = 0;; ++i) {
                    queue.put({(i * 7919) % 1000 * 1000 + i % 1000, std::string(static_cast<std::size_t>(i % 300), ' ')});
                    reached->store(i + 1);
                }
                return 0;
            });
            REQUIRE(eventually([&] { return reached->load() > 50 + round * 20; }));
            producer.kill(SIGKILL);
            producer.join();
            const auto size = static_cast<int>(queue.size()), acknowledged = reached->load();
            REQUIRE((size == acknowledged || size == acknowledged + 1));
            require_whole(realm);
            int before = -1;
            for (const auto& [number, text] : queue.drain()) {
                if (order == Order::priority) REQUIRE(number >= before);
                before = number;
            }
        }
    }
}
