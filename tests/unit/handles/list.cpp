// List's handle: Python's semantics in C++ spelling.
#include <catch2/catch.hpp>
#include <csignal>

#include "support/child.hpp"
#include "support/fails_with.hpp"
#include "support/local_realm.hpp"

using namespace muster;
using test::Child;
using test::fails_with;
using Numbers = std::vector<int>;

TEST_CASE("a list grows, shrinks and is indexed from either end") {
    const test::LocalRealm realm;
    auto list = realm.manager().list<int>("pids");
    list.push_back(1);
    list.append(2);
    list.extend({3, 4, 5});
    REQUIRE(list.snapshot() == Numbers{1, 2, 3, 4, 5});
    REQUIRE(list.at(0) == 1);
    REQUIRE(list[-1] == 5);
    REQUIRE(list.at(-5) == 1);
    REQUIRE_THROWS_MATCHES(list.at(5), Error, fails_with(Errc::index_error));
    REQUIRE_THROWS_MATCHES(list.at(-6), Error, fails_with(Errc::index_error));
    list.set(-1, 50);
    list.insert(0, 0);
    list.insert(-1, 49);   // before the last
    list.insert(100, 51);  // clamped
    list.insert(-100, -1);
    REQUIRE(list.snapshot() == Numbers{-1, 0, 1, 2, 3, 4, 49, 50, 51});
    REQUIRE(list.pop() == 51);
    REQUIRE(list.pop(0) == -1);
    REQUIRE(list.pop(-2) == 49);
    list.erase(0);
    REQUIRE(list.snapshot() == Numbers{1, 2, 3, 4, 50});
    REQUIRE_THROWS_MATCHES(list.erase(5), Error, fails_with(Errc::index_error));
    REQUIRE_THROWS_MATCHES(list.set(5, 1), Error, fails_with(Errc::index_error));
    list.clear();
    REQUIRE(list.empty());
    REQUIRE_THROWS_MATCHES(list.pop(), Error, fails_with(Errc::index_error));
}

TEST_CASE("values are found by equality") {
    const test::LocalRealm realm;
    auto list = realm.manager().list();
    list.extend({1, "a", 1.0, nullptr, "a"});
    REQUIRE(list.index(1.0) == 0);
    REQUIRE(list.index("a", 2) == 4);
    REQUIRE(list.index("a", -1) == 4);
    REQUIRE_THROWS_MATCHES(list.index("a", 2, 4), Error, fails_with(Errc::value_error));
    REQUIRE(list.count(1) == 2);
    REQUIRE(list.contains(nullptr));
    REQUIRE(!list.contains("1"));
    list.remove(true);
    REQUIRE(list.snapshot() == std::vector<Value>{"a", 1.0, nullptr, "a"});
    REQUIRE_THROWS_MATCHES(list.remove("zzz"), Error, fails_with(Errc::value_error));
}

TEST_CASE("slices are cut as Python cuts them") {
    const test::LocalRealm realm;
    auto list = realm.manager().list<int>();
    list.extend({0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
    REQUIRE(list.slice(2, 5) == Numbers{2, 3, 4});
    REQUIRE(list.slice({}, 3) == Numbers{0, 1, 2});
    REQUIRE(list.slice(-3) == Numbers{7, 8, 9});
    REQUIRE(list.slice(2, 100, 3) == Numbers{2, 5, 8});
    REQUIRE(list.slice({}, {}, -3) == Numbers{9, 6, 3, 0});
    REQUIRE(list.slice(7, 2, -2) == Numbers{7, 5, 3});
    REQUIRE(list.slice(5, 2).empty());
    REQUIRE(list.slice(-100, -8) == Numbers{0, 1});
    REQUIRE(list.slice({}, {}, std::numeric_limits<Index>::min()) == Numbers{9});
    REQUIRE_THROWS_MATCHES(list.slice(0, 1, 0), Error, fails_with(Errc::value_error));
    list.erase_slice(1, 9, 2);
    REQUIRE(list.snapshot() == Numbers{0, 2, 4, 6, 8, 9});
    list.erase_slice(2, 4);
    REQUIRE(list.snapshot() == Numbers{0, 2, 8, 9});
    list.erase_slice({}, {}, -1);
    REQUIRE(list.empty());
}

TEST_CASE("sort is stable, natural, and refuses what does not compare") {
    const test::LocalRealm realm;
    auto list = realm.manager().list();
    list.extend({3, 1.5, true, 2});
    list.sort();
    REQUIRE(list.snapshot() == std::vector<Value>{true, 1.5, 2, 3});
    list.sort(true);
    REQUIRE(list.snapshot() == std::vector<Value>{3, 2, 1.5, true});
    list.reverse();
    REQUIRE(list[0] == true);
    list.push_back("text");
    REQUIRE_THROWS_MATCHES(list.sort(), Error, fails_with(Errc::value_error));
    REQUIRE(list.size() == 5);
    REQUIRE(list[-1] == "text");
}

TEST_CASE("update(index, fn) and appends lose nothing among processes") {
    const test::LocalRealm realm;
    auto list = realm.manager().list<int>("l");
    list.push_back(0);
    {
        std::vector<std::unique_ptr<Child>> children;
        for (int c = 0; c < 4; ++c)
            children.push_back(std::make_unique<Child>([&, c] {
                for (int i = 0; i < 1000; ++i) {
                    list.update(0, [](int n) { return n + 1; });
                    list.push_back(c * 1000 + i);
                }
                return 0;
            }));
        for (auto& child : children) REQUIRE(child->join() == 0);
    }
    REQUIRE(list.at(0) == 4000);
    Numbers rest = list.slice(1);
    std::sort(rest.begin(), rest.end());
    for (int i = 0; i < 4000; ++i) REQUIRE(rest[static_cast<std::size_t>(i)] == i);
}

TEST_CASE("writers killed at random leave a whole list, and nobody waits") {
    const test::LocalRealm realm;
    auto list = realm.manager().list<std::string>("l");
    for (int round = 0; round < 60; ++round) {
        const test::Shared<std::atomic<int>> started;
        Child writer([&] {
            for (int i = 0;; ++i) {
                started->store(i);
                const auto middle = static_cast<Index>(list.size() / 2);
                if (list.size() > 200)
                    list.erase_slice(middle, middle + 100);
                else if (i % 3 == 0)
                    list.insert(middle, std::string(static_cast<std::size_t>(i % 30), 'i'));
                else if (i % 7 == 0)
                    list.extend({"a", "b", "a rather long element that has a block of its own"});
                else
                    list.push_back(std::string(static_cast<std::size_t>(i % 30), 'p'));
            }
            return 0;
        });
        REQUIRE(test::eventually([&] { return started->load() > 20 + round * 13; }));
        writer.kill(SIGKILL);
        list.push_back("alive");  // waits for no dead
        REQUIRE(list[-1] == "alive");
        writer.join();
    }
    session::Realm daemon = realm.daemon();
    (void)daemon.reclaim_dead({});
    const auto report = daemon.check();
    INFO((report.violations.empty() ? std::string() : report.violations.front().text));
    REQUIRE(report.violations.empty());
}
