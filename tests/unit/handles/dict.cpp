// Dict's handle: Python's semantics in C++ spelling.
#include <catch2/catch.hpp>
#include <csignal>
#include <thread>

#include "support/child.hpp"
#include "support/fails_with.hpp"
#include "support/local_realm.hpp"

using namespace muster;
using test::Child;
using test::fails_with;

namespace {

struct Job {
    int number;
    std::string what;
    bool operator==(const Job&) const = default;
};

}  // namespace

TEST_CASE("a dict stores, finds and forgets, in insertion order") {
    const test::LocalRealm realm;
    auto totals = realm.manager().dict<std::string, int>("totals");
    totals.set("b", 2);
    totals.insert_or_assign("a", 1);
    totals.set("b", 20);
    REQUIRE(totals.keys() == std::vector<std::string>{"b", "a"});
    REQUIRE(totals.values() == std::vector<int>{20, 1});
    REQUIRE(totals.items() == std::vector<std::pair<std::string, int>>{{"b", 20}, {"a", 1}});
    REQUIRE(totals.get("a") == 1);
    REQUIRE(totals.get("x") == std::nullopt);
    REQUIRE(totals.get("x", 7) == 7);
    REQUIRE(totals.at("b") == 20);
    REQUIRE_THROWS_MATCHES(totals.at("x"), Error, fails_with(Errc::key_error));
    REQUIRE(totals.contains("a"));
    REQUIRE(!totals.insert("a", 5));
    REQUIRE(totals.setdefault("a", 5) == 1);
    REQUIRE(totals.setdefault("c", 5) == 5);
    REQUIRE(totals.popitem() == std::pair<std::string, int>{"c", 5});
    REQUIRE(totals.pop("b") == 20);
    REQUIRE(totals.pop("b") == std::nullopt);
    REQUIRE(totals.pop("b", 3) == 3);
    REQUIRE(totals.erase("a"));
    REQUIRE(!totals.erase("a"));
    REQUIRE(totals.empty());
    REQUIRE_THROWS_MATCHES(totals.popitem(), Error, fails_with(Errc::key_error));
    totals.update({{"x", 1}, {"y", 2}});
    REQUIRE(totals.size() == 2);
    totals.clear();
    REQUIRE(totals.size() == 0);
}

TEST_CASE("the dynamic dict takes keys and values of any kind, and numbers compare as Python's") {
    const test::LocalRealm realm;
    auto dict = realm.manager().dict();
    dict.set(1, "one");
    dict.set("2", 2);
    dict.set(0.25, nullptr);
    REQUIRE(dict.get(1.0) == Value("one"));
    REQUIRE(dict.get(true) == Value("one"));
    REQUIRE(dict.get("1") == std::nullopt);
    dict.set(1.0, "uno");
    REQUIRE(dict.size() == 3);
    REQUIRE(dict.items() == std::vector<std::pair<Value, Value>>{{1, "uno"}, {"2", 2}, {0.25, nullptr}});
    REQUIRE(dict.items()[0].first.is_number_integer());
    REQUIRE_THROWS_MATCHES(dict.set(Value::object(), 1), Error, fails_with(Errc::unhashable));
    dict.set({1, "x"}, 5);
    REQUIRE(dict.at({1.0, "x"}) == 5);
    dict.set(true, 0);  // the first spelling stays
    REQUIRE(dict.keys()[0].is_number_integer());
}

TEST_CASE("a dict of structs needs no macro") {
    const test::LocalRealm realm;
    auto jobs = realm.manager().dict<int, Job>();
    jobs.set(1, {7, "seven"});
    REQUIRE(jobs.at(1) == Job{7, "seven"});
}

TEST_CASE("update(key, fn) loses no increment among processes") {
    const test::LocalRealm realm;
    auto totals = realm.manager().dict<std::string, int>("totals");
    {
        std::vector<std::unique_ptr<Child>> children;
        for (int c = 0; c < 4; ++c)
            children.push_back(std::make_unique<Child>([&] {
                for (int i = 0; i < 2000; ++i) totals.update("n", [](std::optional<int> n) { return n.value_or(0) + 1; });
                return 0;
            }));
        for (auto& child : children) REQUIRE(child->join() == 0);
    }
    REQUIRE(totals.at("n") == 8000);
    REQUIRE(totals.compare_and_set("n", 8000, 1));
    REQUIRE(!totals.compare_and_set("n", 8000, 2));
    REQUIRE(!totals.compare_and_set("n", std::nullopt, 2));
    REQUIRE(totals.compare_and_set("new", std::nullopt, 2));
}

TEST_CASE("update(key, fn) sees a key that goes and comes") {
    const test::LocalRealm realm;
    auto dict = realm.manager().dict<std::string, int>();
    int calls = 0;
    const int now = dict.update("k", [&](std::optional<int> n) {
        if (++calls == 1) dict.set("k", 10);  // somebody was faster
        return n.value_or(0) + 1;
    });
    REQUIRE(calls == 2);
    REQUIRE(now == 11);
    calls = 0;
    dict.update("k", [&](std::optional<int> n) {
        if (++calls == 1) dict.erase("k");
        return n.value_or(100);
    });
    REQUIRE(calls == 2);
    REQUIRE(dict.at("k") == 100);
}

TEST_CASE("readers beside a writer see whole values only") {
    const test::LocalRealm realm;
    auto dict = realm.manager().dict<std::string, std::string>();
    for (int i = 0; i < 10; ++i) dict.set("k" + std::to_string(i), std::string(64, 'a'));
    const test::Shared<std::atomic<bool>> done;
    Child writer([&] {
        for (int i = 0; !done->load(); ++i) {
            const std::size_t size = i % 3 == 0 ? 64 : i % 3 == 1 ? 200 : 3000;
            dict.set("k" + std::to_string(i % 10), std::string(size, static_cast<char>('a' + i % 26)));
        }
        return 0;
    });
    for (int i = 0; i < 20'000; ++i) {
        const std::string value = dict.at("k" + std::to_string(i % 10));
        REQUIRE((value.size() == 64 || value.size() == 200 || value.size() == 3000));
        REQUIRE(value.find_first_not_of(value[0]) == std::string::npos);
        if (i % 1000 == 0) REQUIRE(dict.items().size() == 10);
    }
    done->store(true);
    REQUIRE(writer.join() == 0);
}

TEST_CASE("writers killed at random leave a whole dict, and nobody waits") {
    const test::LocalRealm realm;
    auto dict = realm.manager().dict<int, std::string>("d");
    for (int round = 0; round < 60; ++round) {
        const test::Shared<std::atomic<int>> started;
        Child writer([&] {
            for (int i = 0;; ++i) {
                started->store(i);
                const int key = i % 50;
                if (i % 7 == 3)
                    dict.erase(key);
                else
                    dict.set(key, std::string(static_cast<std::size_t>(i % 5 * 40), 'v'));
            }
            return 0;
        });
        REQUIRE(test::eventually([&] { return started->load() > 20 + round * 13; }));
        writer.kill(SIGKILL);
        dict.set(1000, "alive");  // waits for no dead
        REQUIRE(dict.at(1000) == "alive");
        writer.join();
        for (const auto& [key, value] : dict.items()) REQUIRE(value.size() % 40 == (key == 1000 ? 5 : 0));
    }
    session::Realm daemon = realm.daemon();
    (void)daemon.reclaim_dead({});
    const auto report = daemon.check();
    INFO((report.violations.empty() ? std::string() : report.violations.front().text));
    REQUIRE(report.violations.empty());
}

TEST_CASE("names are opened or created once, and kinds are kept apart") {
    const test::LocalRealm realm;
    const Manager manager = realm.manager();
    auto dict = manager.dict<std::string, int>("totals");
    dict.set("runs", 3);
    REQUIRE(manager.dict<std::string, int>("totals").at("runs") == 3);
    REQUIRE(manager.dict<std::string, int>("totals") == dict);
    REQUIRE_THROWS_MATCHES(manager.lock("totals"), Error, fails_with(Errc::wrong_kind));
    REQUIRE_THROWS_MATCHES(manager.lock(""), Error, fails_with(Errc::limit_exceeded));
    REQUIRE_THROWS_MATCHES(manager.lock(std::string(256, 'n')), Error, fails_with(Errc::limit_exceeded));
    REQUIRE(manager.kind_of("totals") == "dict");
    REQUIRE(!manager.kind_of("nothing"));
    REQUIRE(!manager.find<Lock>("nothing"));
    REQUIRE(manager.names() == std::vector<std::string>{"totals"});
    REQUIRE(manager.erase("totals"));
    REQUIRE(!manager.erase("totals"));
    REQUIRE_THROWS_MATCHES(dict.get("runs"), Error, fails_with(Errc::destroyed));
    REQUIRE_THROWS_MATCHES(dict.set("runs", 1), Error, fails_with(Errc::destroyed));
    REQUIRE(manager.dict<std::string, int>("totals").empty());
    REQUIRE_THROWS_MATCHES(dict.size(), Error, fails_with(Errc::destroyed));
}

TEST_CASE("limits are told with their sizes, and a full realm changes nothing") {
    const test::LocalRealm realm(4u << 20);
    auto dict = realm.manager().dict<std::string, std::string>("d");
    REQUIRE_THROWS_MATCHES(dict.set(std::string(70'000, 'k'), "v"), Error, fails_with(Errc::limit_exceeded));
    REQUIRE_THROWS_MATCHES(dict.set("k", std::string(8u << 20, 'v')), Error, fails_with(Errc::out_of_memory));
    REQUIRE(dict.empty());
    dict.set("k", "v");
    REQUIRE(dict.at("k") == "v");
}

TEST_CASE("an anonymous object lives as long as a process holds it") {
    const test::LocalRealm realm;
    const Manager manager = realm.manager();
    session::Realm daemon = realm.daemon();
    std::optional<Dict<std::string, int>> dict = manager.dict<std::string, int>();
    dict->set("a", 1);
    REQUIRE(daemon.object_count() == 1);
    const test::Shared<std::atomic<int>> step;
    Child child([&] {
        step->store(1);
        while (step->load() != 2) std::this_thread::yield();
        return dict->at("a") == 1 ? 0 : 1;
    });
    REQUIRE(test::eventually([&] { return step->load() == 1; }));
    dict.reset();
    REQUIRE(daemon.object_count() == 1);  // the child's
    step->store(2);
    REQUIRE(child.join() == 0);
    REQUIRE(daemon.reclaim_dead({}).objects_freed == 1);
    REQUIRE(daemon.object_count() == 0);
    REQUIRE(daemon.check().violations.empty());
}
