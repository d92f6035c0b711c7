// Queues in transactions against what the same calls do one by one in a std container: random calls, and who looks from
// outside sees the same after each transaction.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdlib>
#include <random>

#include "support/local_realm.hpp"

using namespace muster;

namespace {

using Item = std::pair<int, std::string>;  // priority, and which one it is

// Next out first.
struct Model {
    Order order;
    std::vector<Item> items, returned;  // returned: came back from a lease, out before its equals

    bool returned_first() const {
        if (returned.empty()) return false;
        return items.empty() || order != Order::priority || !(items.front() < returned.front());
    }
    std::optional<Item> get() {
        auto& from = returned_first() ? returned : items;
        if (from.empty()) return {};
        const Item next = from.front();
        from.erase(from.begin());
        return next;
    }
    void put(const Item& item) {
        const auto at = order == Order::fifo   ? items.end()
                        : order == Order::lifo ? items.begin()
                                               : std::upper_bound(items.begin(), items.end(), item);
        items.insert(at, item);
    }
    // One that was the next is given back.
    void give_back(const Item& item) { returned.insert(returned.begin(), item); }
    std::vector<Item> all() const {
        Model copy = *this;
        std::vector<Item> out;
        while (auto item = copy.get()) out.push_back(*item);
        return out;
    }
};

}  // namespace

TEST_CASE("queues of every order answer in transactions as they would call by call") {
    const char* given = std::getenv("MUSTER_SEED");
    const unsigned seed = given != nullptr ? static_cast<unsigned>(std::strtoul(given, nullptr, 10)) : 20261128u;
    INFO("seed " << seed << " (set MUSTER_SEED to repeat)");
    for (const Order order : {Order::fifo, Order::lifo, Order::priority}) {
        INFO("order " << static_cast<int>(order));
        std::mt19937 random(seed);
        const auto below = [&](unsigned n) { return std::uniform_int_distribution<unsigned>(0, n - 1)(random); };
        const test::LocalRealm realm;
        const Manager manager = realm.manager();
        auto queue = manager.queue<Item>("queue", {.order = order});
        auto other = manager.dict<std::string, int>("other");
        Model model{order, {}, {}};
        for (int step = 0; step < 1500; ++step) {
            const unsigned puts_of_ten = step / 100 % 2 == 0 ? 8 : 3;  // to a few leaves of the tree, and back
            const auto fresh = [&] {
                static constexpr unsigned sizes[] = {0, 1, 20, 300, 5000};
                return Item{static_cast<int>(below(200)), std::string(sizes[below(100) == 0 ? 4 : below(4)], static_cast<char>('a' + below(26)))};
            };
            if (below(12) == 0 && !model.all().empty()) {
                auto leased = queue.get_leased();
                const auto expected = model.get();
                REQUIRE(leased.value() == *expected);
                leased.nack();
                model.give_back(*expected);
                continue;
            }
            const bool fails = below(8) == 0;
            Model next = model;
            try {
                manager.transact([&](Transaction& t) {
                    REQUIRE(t.attempt() == 1);
                    for (unsigned call = 1 + below(10); call != 0; --call) {
                        if (below(10) < puts_of_ten) {
                            const Item item = fresh();
                            t(queue).put(item);
                            next.put(item);
                        } else {
                            REQUIRE(t(queue).try_get() == next.get());
                        }
                        if (below(4) == 0) REQUIRE(t(queue).size() == next.all().size());
                    }
                    t(other).set("step", step);
                    if (fails) throw step;
                });
                model = next;
            } catch (int) {
            }
            if (step % 10 == 0 || step > 1490) REQUIRE(queue.snapshot() == model.all());
            REQUIRE(queue.size() == model.items.size() + model.returned.size());
        }
        const auto report = realm.daemon().check();
        CHECK(report.violations.empty());
        while (auto item = model.get()) REQUIRE(queue.try_get() == item);
        CHECK(queue.empty());
    }
}
