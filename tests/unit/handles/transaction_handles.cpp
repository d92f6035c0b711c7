// Handles as values that a transaction reads, moves and writes.
#include <catch2/catch.hpp>
#include <thread>

#include <muster/ipc.hpp>

#include "support/collected_realm.hpp"

using namespace muster;
using World = test::CollectedRealm;
using IntList = List<int>;

namespace {

IntList list_of(const World& w, const std::vector<int>& numbers) {
    IntList list = w.manager.list<int>();
    list.extend(numbers);
    return list;
}

}  // namespace

TEST_CASE("a handle that a transaction reads is the object itself, which can take part") {
    World w;
    auto table = w.manager.dict<std::string, IntList>("table");
    auto count = w.manager.array<int>("count", 1);
    table.set("primes", list_of(w, {2, 3}));
    w.manager.transact([&](Transaction& t) {
        IntList primes = t(table).at("primes");
        CHECK(primes.size() == 2);
        CHECK(primes == table.at("primes"));
        t(primes).push_back(5);
        t(count).set(0, 1);
        CHECK(primes.size() == 2);
    });
    CHECK(table.at("primes").snapshot() == std::vector<int>{2, 3, 5});
    CHECK(count.get(0) == 1);
    CHECK(w.collect() == 0);
}

TEST_CASE("a handle goes from object to object within one transaction, and is alive throughout") {
    World w;
    auto jobs = w.manager.queue<IntList>("jobs");
    auto stack = w.manager.queue<IntList>("stack", {.order = muster::Order::lifo});
    auto done = w.manager.list<IntList>("done");
    auto table = w.manager.dict<std::string, IntList>("table");
    jobs.put(list_of(w, {7}));
    CHECK(w.collect() == 0);
    w.manager.transact([&](Transaction& t) { t(stack).put(t(jobs).get()); });
    CHECK(w.collect() == 0);
    w.manager.transact([&](Transaction& t) {
        t(done).push_back(t(stack).get());
        CHECK(w.collect() == 0);
    });
    CHECK(w.collect() == 0);
    w.manager.transact([&](Transaction& t) {
        IntList last = t(done).pop();
        t(last).push_back(8);
        t(table).set("a", last);
        CHECK(t(table).at("a") == last);  // its own
    });
    CHECK(done.empty());
    CHECK(table.at("a").snapshot() == std::vector<int>{7, 8});
    CHECK(w.collect() == 0);
    {
        const IntList out = w.manager.transact([&](Transaction& t) { return *t(table).pop("a"); });
        CHECK(w.collect() == 0);
        CHECK(out.snapshot() == std::vector<int>{7, 8});
    }
    CHECK(w.collect() == 1);
}

TEST_CASE("what a transaction has read is alive until it has ended, though others have removed it") {
    World w;
    auto table = w.manager.dict<std::string, IntList>("table");
    auto journal = w.manager.list<std::string>("journal");
    table.set("a", list_of(w, {1}));
    std::uint32_t freed = 99;
    int runs = 0;
    w.manager.transact([&](Transaction& t) {
        ++runs;
        const auto found = t(table).get("a");
        if (runs == 1) {
            REQUIRE(found);
            std::thread([&] {
                table.erase("a");
                freed = w.collect();
            }).join();
            CHECK(found->snapshot() == std::vector<int>{1});
        } else {
            CHECK_FALSE(found);
        }
        t(journal).push_back(found ? "found" : "none");
    });
    CHECK(freed == 0);
    CHECK(runs == 2);
    CHECK(journal.snapshot() == std::vector<std::string>{"none"});
    CHECK(w.collect() == 1);
}

TEST_CASE("dynamic values of a transaction name live objects, also those that it has written") {
    World w;
    auto table = w.manager.dict<std::string, Value>("table");
    auto inner = list_of(w, {1});
    table.set("deep", Value{{"in", {1, to_value(inner)}}});
    w.manager.transact([&](Transaction& t) {
        const Value deep = t(table).at("deep");
        CHECK(w.manager.open(deep["in"][1]).as<IntList>().size() == 1);
        auto fresh = list_of(w, {4, 5});
        t(table).set("fresh", to_value(fresh));
        CHECK(w.manager.open(t(table).at("fresh")).as<IntList>() == fresh);
    });
    CHECK(w.manager.open(table.at("fresh")).as<IntList>().size() == 2);
}

TEST_CASE("a handle in a transaction to an object that was erased reads as destroyed") {
    World w;
    auto table = w.manager.dict<std::string, IntList>("table");
    table.set("gone", w.manager.list<int>("named"));
    w.manager.erase("named");
    const auto code = [&](const auto& fn) {
        try {
            w.manager.transact(fn);
        } catch (const Error& error) {
            return error.errc();
        }
        return Errc{};
    };
    CHECK(code([&](Transaction& t) { (void)t(table).at("gone").size(); }) == Errc::destroyed);
    CHECK(code([&](Transaction& t) { t(t(table).at("gone")).push_back(1); }) == Errc::destroyed);
    CHECK(code([&](Transaction& t) { t(table).set("again", t(table).at("gone")); }) == Errc::destroyed);
    CHECK(code([&](Transaction& t) { CHECK(t(table).erase("gone")); }) == Errc{});
    CHECK(table.empty());
}
