// Keys with a time to live: there until then, and for nobody afterwards.
#include <catch2/catch.hpp>

#include "support/child.hpp"
#include "support/eventually.hpp"
#include "support/fake_clock.hpp"
#include "support/local_realm.hpp"

using namespace muster;
using namespace std::chrono_literals;
using test::Child;
using test::FakeClock;

namespace {

void pass(std::chrono::nanoseconds time) { FakeClock::now += static_cast<std::uint64_t>(time.count()); }

}  // namespace

TEST_CASE("a key with a time to live is there until then, and for nobody afterwards") {
    const FakeClock clock;
    const test::LocalRealm realm;
    auto dict = realm.manager().dict<std::string, int>("sessions");
    dict.insert_or_assign("short", 1, 5s);
    dict.insert_or_assign("long", 2, 1h);
    dict.insert_or_assign("stays", 3);
    CHECK(dict.ttl("short") == 5s);
    CHECK(dict.ttl("stays") == std::nullopt);
    CHECK(dict.ttl("absent") == std::nullopt);
    pass(5s - 1ns);
    CHECK(dict.get("short") == 1);
    CHECK(dict.ttl("short") == 1ns);
    CHECK(dict.size() == 3);
    pass(1ns);
    CHECK(dict.get("short") == std::nullopt);
    CHECK_FALSE(dict.contains("short"));
    CHECK(dict.size() == 2);
    CHECK(dict.keys() == std::vector<std::string>{"long", "stays"});
    CHECK(dict.values() == std::vector<int>{2, 3});
    CHECK(dict.snapshot().size() == 2);
    CHECK(dict.ttl("short") == std::nullopt);
    CHECK(dict.pop("short") == std::nullopt);
    CHECK_FALSE(dict.erase("short"));
    CHECK_FALSE(dict.expire("short", 1h));
    CHECK_FALSE(dict.persist("short"));
    CHECK_FALSE(dict.compare_and_set("short", 1, 2));
    CHECK(dict.setdefault("short", 7) == 7);
    CHECK(dict.keys().back() == "short");  // it is new
    CHECK(dict.ttl("short") == std::nullopt);
}

TEST_CASE("the last pair is the last that has not expired") {
    const FakeClock clock;
    const test::LocalRealm realm;
    auto dict = realm.manager().dict<int, int>("d");
    dict.set(1, 1);
    dict.set(2, 2, 1s);
    dict.set(3, 3, 1s);
    pass(1s);
    CHECK(dict.popitem() == std::pair{1, 1});
    CHECK(dict.empty());
    CHECK_THROWS_AS(dict.popitem(), Error);
}

TEST_CASE("assigning lets a key stay, changing leaves it its time, expire and persist say so") {
    const FakeClock clock;
    const test::LocalRealm realm;
    auto dict = realm.manager().dict<std::string, int>("d");
    dict.set("a", 1, 10s);
    dict.update("a", [](std::optional<int> old) { return *old + 1; });
    CHECK(dict.compare_and_set("a", 2, 3));
    CHECK(dict.get("a") == 3);
    CHECK(dict.ttl("a") == 10s);
    dict.set("a", 4);
    CHECK(dict.ttl("a") == std::nullopt);
    CHECK(dict.expire("a", 3s));
    CHECK(dict.ttl("a") == 3s);
    CHECK(dict.expire("a", 7s));
    CHECK(dict.ttl("a") == 7s);
    CHECK(dict.persist("a"));
    CHECK_FALSE(dict.persist("a"));
    pass(1h);
    CHECK(dict.get("a") == 4);
    CHECK_FALSE(dict.insert("a", 5, 1s));
    CHECK(dict.expire("a", 0s));  // at once
    CHECK(dict.insert("a", 5, 1s));
    CHECK(dict.ttl("a") == 1s);
    dict.set("b", 6, -1s);
    CHECK_FALSE(dict.contains("b"));
    dict.set("c", 6, std::chrono::hours::max());
    CHECK(dict.ttl("c") > std::chrono::hours(24 * 365 * 100));
}

TEST_CASE("the service removes what has expired, and lists no more than there is") {
    const FakeClock clock;
    test::LocalRealm realm;
    session::Realm service = realm.daemon();
    auto dict = realm.manager().dict<int, std::string>("d");
    for (int i = 0; i < 1000; ++i) dict.set(i, "value", 1s);
    const auto size = [&] { return service.objects().at(0).size; };
    CHECK(size() == 1000);
    CHECK(service.sweep_expired() == 0);
    pass(1s);
    CHECK(size() == 0);
    CHECK(service.sweep_expired() == 1000);
    CHECK(service.check().violations.empty());
    dict.set(1, "v", 1s);
    CHECK(dict.keys() == std::vector<int>{1});
}

TEST_CASE("all processes see a key expire, by the machine's own clock") {
    const test::LocalRealm realm;
    auto dict = realm.manager().dict<std::string, int>("d");
    dict.set("k", 1, 1h);
    Child other([&] {
        if (dict.get("k") != 1) ::_exit(1);
        dict.set("k", 2, 20ms);
        return 0;
    });
    CHECK(other.join() == 0);
    CHECK(test::eventually([&] { return !dict.contains("k"); }));
}
