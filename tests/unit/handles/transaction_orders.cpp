// Queues in other orders in a transaction.
#include <cmath>
#include <thread>

#include "support/child.hpp"
#include "unit/handles/transaction_objects.hpp"

using namespace muster;
using test::Child;
using test::fails_with;

namespace {

struct Orders : test::Objects {
    Queue<int> stack = manager.queue<int>("stack", {.order = muster::Order::lifo});
    Queue<Value> lowest = manager.queue("lowest", {.order = muster::Order::priority});
};

}  // namespace

TEST_CASE("a stack in a transaction gives what came last, its own first") {
    Orders w;
    for (int i : {1, 2, 3}) w.stack.put(i);
    w.manager.transact([&](Transaction& t) {
        auto stack = t(w.stack);
        CHECK(stack.get() == 3);
        stack.put(4);
        stack.put(5);
        CHECK(stack.size() == 4);
        CHECK(stack.get() == 5);
        CHECK(stack.get() == 4);
        CHECK(stack.get() == 2);
        stack.put(6);
        stack.put(7);
        t(w.left).set("taken", 2);
        CHECK(w.stack.size() == 3);
    });
    CHECK(w.stack.snapshot() == std::vector<int>{7, 6, 1});
    CHECK(w.left.get("taken") == 2);
    CHECK(w.stack.unfinished() == 5);
    w.manager.transact([&](Transaction& t) {
        auto stack = t(w.stack);
        for (int expected : {7, 6, 1}) CHECK(stack.try_get() == expected);
        CHECK(stack.try_get() == std::nullopt);
        CHECK_THROWS_MATCHES(stack.get(), Error, fails_with(Errc::empty));
        stack.put(8);
        CHECK(stack.get() == 8);
        CHECK(stack.empty());
    });
    CHECK(w.stack.empty());
    CHECK(w.realm.daemon().check().violations.empty());
}

TEST_CASE("a priority queue in a transaction gives the lowest, of equal ones what was there first") {
    Orders w;
    auto ordered = w.manager.queue<std::pair<int, std::string>>("ordered", {.order = muster::Order::priority});
    using Item = std::pair<int, std::string>;
    for (const Item& one : {Item{3, "there"}, Item{1, "there"}, Item{2, "there"}}) ordered.put(one);
    w.manager.transact([&](Transaction& t) {
        auto queue = t(ordered);
        queue.put({2, "own"});
        queue.put({0, "own"});
        queue.put({2, "later"});
        CHECK(queue.get() == Item{0, "own"});
        CHECK(queue.get() == Item{1, "there"});
        queue.put({5, "own"});
        queue.put({0, "again"});
        CHECK(queue.size() == 6);
        CHECK(queue.get() == Item{0, "again"});
        CHECK(queue.get() == Item{2, "later"});
        queue.put({4, "own"});
    });
    CHECK(ordered.snapshot() == std::vector<Item>{{2, "own"}, {2, "there"}, {3, "there"}, {4, "own"}, {5, "own"}});
    for (int i = 0; i < 2; ++i) w.lowest.put(1);
    w.manager.transact([&](Transaction& t) {
        auto queue = t(w.lowest);
        for (const Value& one : {Value(1.0), Value(0.5), Value(true)}) queue.put(one);
        CHECK(queue.get() == Value(0.5));
        CHECK(queue.get().is_number_integer());
        CHECK(queue.get().is_number_integer());
        CHECK(queue.get().is_number_float());
        CHECK(queue.get().is_boolean());
        CHECK(queue.try_get() == std::nullopt);
    });
    CHECK(w.lowest.empty());
    CHECK(w.realm.daemon().check().violations.empty());
}

TEST_CASE("what does not compare ends the transaction with nothing changed") {
    Orders w;
    w.lowest.put(1);
    const auto put = [&](const std::vector<Value>& items) {
        w.manager.transact([&](Transaction& t) {
            t(w.left).set("put", 1);
            for (const Value& item : items) t(w.lowest).put(item);
        });
    };
    CHECK_THROWS_MATCHES(put({nullptr}), Error, fails_with(Errc::value_error));
    CHECK_THROWS_MATCHES(put({std::nan("")}), Error, fails_with(Errc::value_error));
    CHECK_THROWS_MATCHES(put({2, "text"}), Error, fails_with(Errc::value_error));
    CHECK_THROWS_MATCHES(put({"text"}), Error, fails_with(Errc::value_error));  // with what is there
    CHECK(w.left.empty());
    CHECK(w.lowest.snapshot() == std::vector<Value>{1});
    CHECK_THROWS_MATCHES(w.manager.transact([&](Transaction& t) {
        t(w.lowest).put("text");
        (void)t(w.lowest).get();
    }), Error, fails_with(Errc::value_error));
    w.manager.transact([&](Transaction& t) {  // what is taken away need not compare with what comes
        CHECK(t(w.lowest).get() == Value(1));
        t(w.lowest).put("text");
    });
    CHECK(w.lowest.snapshot() == std::vector<Value>{"text"});
}

TEST_CASE("bounds and the end of a queue hold in every order") {
    Orders w;
    for (const muster::Order order : {muster::Order::lifo, muster::Order::priority}) {
        auto queue = w.manager.queue<int>("bounded " + std::to_string(static_cast<int>(order)), {.maxsize = 2, .order = order});
        queue.put(1);
        queue.put(2);
        const auto put = [&](bool take) {
            w.manager.transact([&](Transaction& t) {
                if (take) t(queue).get();
                t(queue).put(3);
                t(w.left).set("put", 3);
            });
        };
        CHECK_THROWS_MATCHES(put(false), Error, fails_with(Errc::full));
        CHECK(w.left.empty());
        put(true);
        CHECK(queue.size() == 2);
        queue.close();
        CHECK_THROWS_MATCHES(put(true), Error, fails_with(Errc::closed));
        CHECK_THROWS_MATCHES(w.manager.transact([&](Transaction& t) {
            while (true) (void)t(queue).get();
        }), Error, fails_with(Errc::closed));
        CHECK(queue.size() == 2);
        w.left.clear();
    }
}

TEST_CASE("leases that came back go first in a stack, and by their value in a priority queue") {
    Orders w;
    for (int i : {1, 2, 3}) {
        w.stack.put(i);
        w.lowest.put(i);
    }
    { auto back = w.stack.get_leased(), second = w.stack.get_leased(); }
    {
        auto low = w.lowest.get_leased(), second = w.lowest.get_leased();
        second.nack();
        low.ack();
    }
    const std::vector<int> before = w.stack.snapshot();
    w.manager.transact([&](Transaction& t) {
        auto stack = t(w.stack);
        stack.put(4);
        CHECK(stack.get() == before[0]);
        CHECK(stack.get() == before[1]);
        CHECK(stack.get() == 4);
        CHECK(stack.get() == 1);
        stack.put(5);
        auto lowest = t(w.lowest);
        lowest.put(2);
        lowest.put(0);
        for (int expected : {0, 2, 2}) CHECK(lowest.get() == Value(expected));
        lowest.put(7);
    });
    CHECK(w.stack.snapshot() == std::vector<int>{5});
    CHECK(w.lowest.snapshot() == std::vector<Value>{3, 7});
    CHECK(w.realm.daemon().check().violations.empty());
}

TEST_CASE("it runs again when another item has come to be the next one") {
    Orders w;
    for (int i : {5, 6}) {
        w.stack.put(i);
        w.lowest.put(i);
    }
    int runs = 0;
    const auto with = [&](auto& queue, const std::function<void()>& meanwhile) {
        runs = 0;
        w.manager.transact([&](Transaction& t) {
            (void)t(queue).get();
            if (++runs == 1) std::thread(meanwhile).join();
            t(w.right).set("runs", runs);
        });
        return runs;
    };
    CHECK(with(w.stack, [&] { w.stack.put(7); }) == 2);
    CHECK(with(w.stack, [] {}) == 1);
    CHECK(with(w.lowest, [&] { w.lowest.put(9); }) == 1);
    CHECK(with(w.lowest, [&] { w.lowest.put(1); }) == 2);
    CHECK(w.stack.snapshot() == std::vector<int>{5});
    CHECK(w.lowest.snapshot() == std::vector<Value>{6, 9});
}

TEST_CASE("many items in one transaction are in order, too many a clear error") {
    Orders w;
    constexpr int there = 5000;
    auto lowest = w.manager.queue<std::string>("texts", {.order = muster::Order::priority});
    const auto text = [](int i) { return "item " + std::to_string(100'000 + i) + ", in a block"; };
    std::vector<std::string> all;
    for (int i = 0; i < there; ++i) all.push_back(text(i * 7 % there * 10));
    lowest.put_many(all);
    const auto both = [&](int puts, int gets) {
        w.manager.transact([&](Transaction& t) {
            for (int i = 0; i < puts; ++i) t(lowest).put(text(i * 1237 % (there * 10) / 10 * 10 + 5));
            for (int i = 0; i < gets; ++i) (void)t(lowest).get();
            t(w.left).set("puts", puts);
        });
    };
    CHECK_THROWS_MATCHES(both(1000, 0), Error, fails_with(Errc::limit_exceeded));
    CHECK(w.left.empty());
    CHECK(lowest.size() == there);
    both(40, 0);
    both(0, 80);
    std::vector<std::string> left = lowest.snapshot();
    CHECK(left.size() == there + 40 - 80);
    CHECK(std::is_sorted(left.begin(), left.end()));
    for (int i = 0; i < 200; ++i) w.stack.put(i);
    w.manager.transact([&](Transaction& t) {
        for (int i = 0; i < 1000; ++i) t(w.stack).put(200 + i);
        t(w.left).set("puts", 1000);
    });
    CHECK(w.stack.size() == 1200);
    CHECK(w.stack.get() == 1199);
    CHECK(w.realm.daemon().check().violations.empty());
}

TEST_CASE("who waits for a stack's item is woken by a transaction that puts one") {
    Orders w;
    Child getter([&] { return w.stack.get_for(std::chrono::seconds(20)) == 8 ? 0 : 1; });
    w.manager.transact([&](Transaction& t) {
        t(w.left).set("put", 1);
        t(w.stack).put(8);
    });
    CHECK(getter.join() == 0);
}
