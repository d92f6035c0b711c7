// What Dict has besides storing and finding: live iteration, removal that insists, sums, copies.
#include <catch2/catch.hpp>
#include <chrono>
#include <map>
#include <thread>

#include "support/child.hpp"
#include "support/fails_with.hpp"
#include "support/local_realm.hpp"

using namespace muster;
using namespace std::chrono_literals;
using test::Child;
using test::fails_with;
using Pairs = std::vector<std::pair<std::string, int>>;

TEST_CASE("removing an absent key is key_error, popping one is none or the default") {
    const test::LocalRealm realm;
    auto dict = realm.manager().dict<std::string, int>("d");
    dict.update({{"a", 1}, {"b", 2}});
    dict.remove("a");
    REQUIRE(dict.items() == Pairs{{"b", 2}});
    REQUIRE_THROWS_MATCHES(dict.remove("a"), Error, fails_with(Errc::key_error));
    REQUIRE_THROWS_WITH(dict.remove("a"), Catch::Contains("remove") && Catch::Contains("'d'") && Catch::Contains("\"a\""));
    REQUIRE(dict.pop("a") == std::nullopt);
    REQUIRE(dict.pop("a", 7) == 7);
    REQUIRE(dict.pop("b", 7) == 2);
    REQUIRE(dict.empty());
    auto dynamic = realm.manager().dict();
    dynamic.set(1, "one");
    dynamic.remove(true);
    REQUIRE(dynamic.empty());
}

TEST_CASE("popitem takes the last inserted, an empty dict has none") {
    const test::LocalRealm realm;
    auto dict = realm.manager().dict<std::string, int>();
    dict.update({{"a", 1}, {"b", 2}, {"c", 3}});
    dict.set("a", 10);  // keeps its place
    REQUIRE(dict.popitem() == std::pair<std::string, int>{"c", 3});
    REQUIRE(dict.popitem() == std::pair<std::string, int>{"b", 2});
    REQUIRE(dict.popitem() == std::pair<std::string, int>{"a", 10});
    REQUIRE_THROWS_MATCHES(dict.popitem(), Error, fails_with(Errc::key_error));
}

TEST_CASE("setdefault stores only what is absent and gives what stands there") {
    const test::LocalRealm realm;
    auto dict = realm.manager().dict<std::string, int>();
    REQUIRE(dict.setdefault("a", 1) == 1);
    REQUIRE(dict.setdefault("a", 2) == 1);
    REQUIRE(dict.items() == Pairs{{"a", 1}});
}

TEST_CASE("update takes pairs from any range: old keys keep their place, new ones come behind") {
    const test::LocalRealm realm;
    auto dict = realm.manager().dict<std::string, int>();
    dict.update({{"a", 1}, {"b", 2}});
    dict.update(std::map<std::string, int>{{"c", 3}, {"a", 10}});
    REQUIRE(dict.items() == Pairs{{"a", 10}, {"b", 2}, {"c", 3}});
    dict.update(Pairs{});
    REQUIRE(dict.size() == 3);
}

TEST_CASE("get gives none or the default for an absent key, contains tells of it, at throws") {
    const test::LocalRealm realm;
    auto dict = realm.manager().dict<std::string, int>();
    dict.set("a", 0);
    REQUIRE(dict.get("a") == 0);
    REQUIRE(dict.get("a", 7) == 0);
    REQUIRE(dict.get("x") == std::nullopt);
    REQUIRE(dict.get("x", 7) == 7);
    REQUIRE(!dict.contains("x"));  // get stores no default
    REQUIRE(dict.contains("a"));
    REQUIRE(dict.at("a") == 0);
    REQUIRE_THROWS_MATCHES(dict.at("x"), Error, fails_with(Errc::key_error));
}

TEST_CASE("clear leaves an empty dict that can be filled again") {
    const test::LocalRealm realm;
    auto dict = realm.manager().dict<std::string, int>();
    for (int i = 0; i < 1000; ++i) dict.set(std::to_string(i), i);
    dict.clear();
    REQUIRE(dict.empty());
    REQUIRE(dict.items().empty());
    REQUIRE(!dict.contains("5"));
    dict.clear();
    dict.set("5", 6);
    REQUIRE(dict.items() == Pairs{{"5", 6}});
    REQUIRE(realm.daemon().check().violations.empty());
}

TEST_CASE("keys can be had in reverse, and copy() is its own") {
    const test::LocalRealm realm;
    auto dict = realm.manager().dict<std::string, int>();
    REQUIRE(dict.reversed().empty());
    dict.update({{"b", 2}, {"a", 1}, {"c", 3}});
    REQUIRE(dict.reversed() == std::vector<std::string>{"c", "a", "b"});
    const Pairs copy = dict.copy();
    dict.clear();
    REQUIRE(copy == Pairs{{"b", 2}, {"a", 1}, {"c", 3}});
}

TEST_CASE("iterating a live dict sees new values, and no change of its keys goes unnoticed") {
    const test::LocalRealm realm;
    auto dict = realm.manager().dict<std::string, int>();
    for (const auto& [key, value] : dict.items_live()) FAIL("an item of an empty dict: " << key << value);
    dict.update({{"a", 1}, {"b", 2}, {"c", 3}});
    Pairs seen;
    for (const auto& [key, value] : dict.items_live()) {
        if (key == "a") dict.set("b", 20);
        seen.emplace_back(key, value);
    }
    REQUIRE(seen == Pairs{{"a", 1}, {"b", 20}, {"c", 3}});
    // `change` at the key `when`; how many items were seen before the iteration failed.
    const auto until_noticed = [&](const std::string& when, auto change) {
        dict.clear();
        dict.update({{"a", 1}, {"b", 2}, {"c", 3}});
        int items = 0;
        const auto iterate = [&] {
            for (const auto& item : dict.items_live()) {
                ++items;
                if (item.first == when) change();
            }
        };
        REQUIRE_THROWS_MATCHES(iterate(), Error, fails_with(Errc::size_changed));
        return items;
    };
    REQUIRE(until_noticed("a", [&] { dict.set("d", 4); }) == 1);
    REQUIRE(until_noticed("a", [&] { dict.remove("a"); }) == 1);
    REQUIRE(until_noticed("b", [&] { dict.remove("c"); }) == 2);
    REQUIRE(until_noticed("c", [&] { dict.set("d", 4); }) == 3);  // after the last one, as in Python
    REQUIRE(until_noticed("b", [&] { dict.clear(); }) == 2);
    REQUIRE(until_noticed("a", [&] { dict.set("d", dict.popitem().second); }) == 1);  // the size is the same
    REQUIRE(until_noticed("a", [&] {
                Child other([&] {
                    dict.set("d", 4);
                    return 0;
                });
                REQUIRE(other.join() == 0);
            }) == 1);
    REQUIRE(until_noticed("a", [&] { dict.expire("b", 0s); }) == 1);
    REQUIRE(until_noticed("a", [&] {  // expired, and nobody has removed it yet
                dict.expire("b", 1ms);
                REQUIRE(test::eventually([&] { return !dict.contains("b"); }));
            }) == 1);
    dict.set("e", 5);
    int items = 0;
    for (const auto& item : dict.snapshot()) {
        dict.remove(item.first);
        ++items;
    }
    REQUIRE(items == 3);
}

TEST_CASE("a live iteration finds keys by what they were stored as") {
    const test::LocalRealm realm;
    auto dict = realm.manager().dict();
    dict.set(1.0, "one");
    dict.set({2, "x"}, 2);
    dict.set(std::string(300, 'k'), std::string(5000, 'v'));
    std::vector<std::pair<Value, Value>> seen;
    for (const auto& item : dict.items_live()) {
        seen.push_back(item);
        dict.set(item.first, std::string(9000, 'w'));  // a block of another size: the same set of keys
    }
    REQUIRE(seen == std::vector<std::pair<Value, Value>>{
                        {1.0, "one"}, {{2, "x"}, 2}, {std::string(300, 'k'), std::string(5000, 'v')}});
    auto again = dict.items_live();
    REQUIRE(again.begin()->second == Value(std::string(9000, 'w')));
    REQUIRE(again.begin()->first == Value(1.0));  // begin() starts anew
}

TEST_CASE("a live iteration beside a writer ends whole or with size_changed") {
    const test::LocalRealm realm;
    auto dict = realm.manager().dict<int, int>();
    for (int i = 0; i < 20; ++i) dict.set(i, 0);
    constexpr int turn = 500;  // so many new values between two changes of the keys
    struct Writer {
        std::atomic<bool> done;
        std::atomic<int> steps;
    };
    const test::Shared<Writer> writes;
    Child writer([&] {
        for (int i = 0; !writes->done; ++i) {
            dict.set(i % 20, i);
            if (i % turn == 0) {
                dict.set(100, 1);
                dict.remove(100);
            }
            writes->steps = i;
        }
        return 0;
    });
    int whole = 0, noticed = 0;
    bool undisturbed = false, none_unnoticed = true;
    const bool both = test::eventually([&] {
        undisturbed = !undisturbed;
        std::vector<int> keys;
        try {
            for (const auto& [key, value] : dict.items_live()) {
                keys.push_back(key);
                if (undisturbed || keys.size() != 10) continue;
                const int before = writes->steps;  // the keys have changed when it goes on
                none_unnoticed = none_unnoticed && test::eventually([&] { return writes->steps > before + 2 * turn; });
            }
            // Only what the set of keys was all along: without 100, or with it, the last.
            if (keys.size() < 20 || keys.size() > 21) FAIL(keys.size() << " keys");
            for (int i = 0; i < 20; ++i) REQUIRE(keys[static_cast<std::size_t>(i)] == i);
            none_unnoticed = none_unnoticed && undisturbed;
            ++whole;
        } catch (const Error& error) {
            REQUIRE(error.errc() == Errc::size_changed);
            ++noticed;
        }
        return whole > 20 && noticed > 20;
    });
    writes->done = true;
    REQUIRE(writer.join() == 0);
    INFO(whole << " whole, " << noticed << " noticed");
    REQUIRE(both);
    REQUIRE(none_unnoticed);
}

TEST_CASE("increment loses nothing among threads and processes, and refuses what would not fit") {
    const test::LocalRealm realm;
    auto dict = realm.manager().dict<std::string, int>("d");
    REQUIRE(dict.increment("n") == 1);
    REQUIRE(dict.increment("n", -11) == -10);
    const auto add = [&] {
        for (int i = 0; i < 1000; ++i) dict.increment("n", 2);
    };
    {
        Child first([&] { return add(), 0; });
        Child second([&] { return add(), 0; });
        std::thread third(add), fourth(add);
        third.join();
        fourth.join();
        REQUIRE(first.join() == 0);
        REQUIRE(second.join() == 0);
    }
    REQUIRE(dict.at("n") == 7990);
    dict.set("n", std::numeric_limits<int>::max());
    REQUIRE_THROWS_MATCHES(dict.increment("n"), Error, fails_with(Errc::value_error));
    REQUIRE_THROWS_WITH(dict.increment("n"), Catch::Contains("\"n\"") && Catch::Contains("32 bits"));
    REQUIRE(dict.at("n") == std::numeric_limits<int>::max());
    auto small = realm.manager().dict<int, std::uint8_t>();
    REQUIRE(small.increment(1, 255) == 255);
    REQUIRE_THROWS_MATCHES(small.increment(1), Error, fails_with(Errc::value_error));
    REQUIRE(small.at(1) == 255);
}
