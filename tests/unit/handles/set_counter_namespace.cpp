// The kinds that are tables underneath: Set, Counter, Namespace.
#include <catch2/catch.hpp>
#include <muster/value.hpp>
#include <thread>

#include "support/child.hpp"
#include "support/fails_with.hpp"
#include "support/local_realm.hpp"

using namespace muster;
using test::Child;
using test::code_of;

TEST_CASE("a set has each element once, in the order of insertion") {
    const test::LocalRealm realm;
    auto set = realm.manager().set<std::string>("seen");
    CHECK(set.add("b"));
    CHECK(set.add("a"));
    CHECK(!set.add("b"));
    set.update({"c", "a"});
    CHECK(set.snapshot() == std::vector<std::string>{"b", "a", "c"});
    CHECK(set.size() == 3);
    CHECK(set.contains("a"));
    CHECK(set.discard("a"));
    CHECK(!set.discard("a"));
    CHECK(code_of([&] { set.remove("a"); }) == Errc::key_error);
    CHECK(set.pop() == "c");
    set.remove("b");
    CHECK(set.empty());
    CHECK_THROWS_WITH(set.pop(), Catch::Contains("the set is empty"));
    CHECK(realm.daemon().check().violations.empty());
}

TEST_CASE("a set's elements compare as Python's, and what cannot be a key is refused") {
    const test::LocalRealm realm;
    auto set = realm.manager().set();
    CHECK(set.add(1));
    CHECK(!set.add(1.0));
    CHECK(!set.add(true));
    CHECK(set.add("1"));
    CHECK(set.add(nullptr));
    CHECK(set.snapshot() == std::vector<Value>{1, "1", nullptr});
    CHECK(code_of([&] { set.add(Value{{"a", 1}}); }) == Errc::unhashable);
}

TEST_CASE("of many processes that add the same elements one finds each new") {
    const test::LocalRealm realm;
    auto set = realm.manager().set<int>();
    const test::Shared<std::atomic<int>> fresh;
    {
        std::vector<std::unique_ptr<Child>> children;
        for (int c = 0; c < 4; ++c)
            children.push_back(std::make_unique<Child>([&] {
                for (int i = 0; i < 500; ++i)
                    if (set.add(i)) fresh->fetch_add(1);
                return 0;
            }));
        for (auto& child : children) CHECK(child->join() == 0);
    }
    CHECK(fresh->load() == 500);
    CHECK(set.size() == 500);
}

TEST_CASE("a counter is exact, among processes as among threads") {
    const test::LocalRealm realm;
    auto words = realm.manager().counter<std::string>("words");
    CHECK(words.get("none") == 0);
    CHECK(words.increment("a", 5) == 5);
    CHECK(words.increment("a", -7) == -2);
    words.update(std::vector<std::string>{"b", "c", "b"});
    words.set("c", 40);
    CHECK(words.most_common(2) == std::vector<std::pair<std::string, std::int64_t>>{{"c", 40}, {"b", 2}});
    CHECK(words.total() == 40);
    CHECK(words.erase("c"));
    CHECK(!words.contains("c"));
    {
        std::vector<std::unique_ptr<Child>> children;
        for (int c = 0; c < 3; ++c)
            children.push_back(std::make_unique<Child>([&] {
                std::thread other([&] {
                    for (int i = 0; i < 1000; ++i) words.increment("n");
                });
                for (int i = 0; i < 1000; ++i) words.increment("n");
                other.join();
                return 0;
            }));
        for (auto& child : children) CHECK(child->join() == 0);
    }
    CHECK(words.get("n") == 6000);
}

TEST_CASE("a count that would overflow is refused and stays") {
    const test::LocalRealm realm;
    auto counter = realm.manager().counter<int>();
    constexpr auto most = std::numeric_limits<std::int64_t>::max();
    counter.set(1, most);
    CHECK(code_of([&] { counter.increment(1); }) == Errc::value_error);
    CHECK(counter.get(1) == most);
    counter.set(2, 1);
    CHECK(code_of([&] { (void)counter.total(); }) == Errc::value_error);
}

TEST_CASE("a namespace has attributes of any type") {
    const test::LocalRealm realm;
    auto config = realm.manager().ns("config");
    config["rate"] = 0.5;
    config["name"] = "ingest";
    config["sizes"] = std::vector<int>{1, 2, 3};
    config["runs"] = 1;
    CHECK((config["runs"] += 2) == 3);
    CHECK((config["rate"] -= 0.25) == 0.25);
    const double rate = config["rate"];
    CHECK(rate == 0.25);
    const std::string name = config["name"];
    CHECK(name == "ingest");
    CHECK(config.get<std::vector<int>>("sizes") == std::vector<int>{1, 2, 3});
    CHECK(config.get("runs") == Value(3));
    CHECK(config.attributes() == std::vector<std::string>{"rate", "name", "sizes", "runs"});
    CHECK(config.has("runs"));
    config.erase("runs");
    CHECK(!config.has("runs"));
    CHECK(!config.find<int>("runs"));
    CHECK(config.snapshot().back().first == "sizes");
}

TEST_CASE("a missing attribute and one of another type are told apart") {
    const test::LocalRealm realm;
    auto config = realm.manager().ns("config");
    config["name"] = "x";
    CHECK(code_of([&] { (void)config.get<int>("absent"); }) == Errc::no_attribute);
    CHECK(code_of([&] { config.erase("absent"); }) == Errc::no_attribute);
    CHECK(code_of([&] { config["absent"] += 1; }) == Errc::no_attribute);
    CHECK(code_of([&] { (void)config.get<int>("name"); }) == Errc::type_mismatch);
    CHECK_THROWS_WITH((void)config.get("absent"), Catch::Contains("namespace 'config'") && Catch::Contains("absent"));
}

TEST_CASE("an attribute's += loses nothing among processes, as Python's does") {
    const test::LocalRealm realm;
    auto ns = realm.manager().ns();
    ns["x"] = 0;
    {
        std::vector<std::unique_ptr<Child>> children;
        for (int c = 0; c < 4; ++c)
            children.push_back(std::make_unique<Child>([&] {
                for (int i = 0; i < 500; ++i) ns["x"] += 1;
                return 0;
            }));
        for (auto& child : children) CHECK(child->join() == 0);
    }
    CHECK(ns.get<int>("x") == 2000);
}

TEST_CASE("these kinds are kept apart from dicts, and from each other") {
    const test::LocalRealm realm;
    const Manager manager = realm.manager();
    (void)manager.set("s");
    (void)manager.counter("c");
    (void)manager.ns("n");
    CHECK(manager.kind_of("s") == "set");
    CHECK(manager.kind_of("c") == "counter");
    CHECK(manager.kind_of("n") == "namespace");
    CHECK(code_of([&] { (void)manager.dict("s"); }) == Errc::wrong_kind);
    CHECK(code_of([&] { (void)manager.set("c"); }) == Errc::wrong_kind);
    CHECK(manager.find<Namespace>("n").has_value());
    CHECK(!manager.find<Counter<int>>("absent"));
    for (const auto& object : realm.daemon().objects()) CHECK(object.size == 0);
}
