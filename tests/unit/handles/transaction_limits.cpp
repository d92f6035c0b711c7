// What a transaction cannot do, and says.
#include "unit/handles/transaction_objects.hpp"

using namespace muster;
using test::fails_with;
using test::Objects;

TEST_CASE("limits of a transaction are clear errors with nothing changed") {
    Objects w;
    const auto many = [&](int keys) {
        w.manager.transact([&](Transaction& t) {
            for (int i = 0; i < keys; ++i) t(w.left).set("key " + std::to_string(i), i);
            t(w.right).set("many", 1);
        });
    };
    CHECK_THROWS_MATCHES(many(1000), Error, fails_with(Errc::limit_exceeded));
    CHECK(w.left.empty());
    CHECK(w.right.empty());
    many(60);
    CHECK(w.left.size() == 60);
    w.manager.transact([&](Transaction& t) {
        for (int i = 0; i < 60; ++i) t(w.left).erase("key " + std::to_string(i));
    });
    CHECK(w.left.empty());
    w.list.extend(std::vector<std::string>(100, "an element in a block of its own"));
    w.manager.transact([&](Transaction& t) {
        for (int i = 0; i < 40; ++i) t(w.list).set(i, "another element, longer than what was there before: " + std::to_string(i));
    });
    CHECK(w.list.at(39).ends_with("39"));
    const auto fill = [&](int count) {
        w.manager.transact([&](Transaction& t) {
            for (int i = 0; i < count; ++i) t(w.numbers).set(i, i + 1);
            t(w.right).set("filled", count);
        });
    };
    CHECK_THROWS_MATCHES(fill(300), Error, fails_with(Errc::limit_exceeded));
    CHECK(w.numbers.snapshot() == std::vector<long>(300, 0));
    CHECK(!w.right.contains("filled"));
    fill(200);
    CHECK(w.numbers.get(199) == 200);
    auto deep = w.manager.queue<int>("deep");
    for (int i = 0; i < 200; ++i) deep.put(i);
    w.manager.transact([&](Transaction& t) {
        for (int i = 0; i < 80; ++i) CHECK(t(deep).get() == i);
        for (int i = 0; i < 1000; ++i) t(deep).put(i);
    });
    CHECK(deep.size() == 1120);
    CHECK(deep.get() == 80);

    std::vector<Dict<int, int>> dicts;
    for (int i = 0; i < 17; ++i) dicts.push_back(w.manager.dict<int, int>());
    const auto over = [&](int count) {
        w.manager.transact([&](Transaction& t) {
            for (int i = 0; i < count; ++i) t(dicts[static_cast<std::size_t>(i)]).set(1, count);
        });
    };
    over(16);
    CHECK(dicts[15].get(1) == 16);
    CHECK_THROWS_MATCHES(over(17), Error, fails_with(Errc::limit_exceeded));
    CHECK(dicts[0].get(1) == 16);
    CHECK(w.realm.daemon().check().violations.empty());
}

TEST_CASE("memory that ends in the middle of a transaction leaves every object as it was") {
    test::LocalRealm small(segment::minimum_capacity);
    const Manager manager = small.manager();
    auto left = manager.dict<int, std::string>("left"), right = manager.dict<int, std::string>("right");
    left.set(0, "small");
    right.set(0, "small");
    const std::string big(900'000, 'b');
    int stored = 0;
    const auto fill = [&] {
        for (;; ++stored)
            manager.transact([&](Transaction& t) {
                t(left).set(0, "changed " + std::to_string(stored));
                t(right).set(stored + 1, big);
            });
    };
    CHECK_THROWS_MATCHES(fill(), Error, fails_with(Errc::out_of_memory));
    CHECK(stored > 0);
    CHECK(left.get(0) == "changed " + std::to_string(stored - 1));
    CHECK(right.size() == static_cast<std::size_t>(stored) + 1);
    CHECK(small.daemon().check().violations.empty());
    right.clear();
    manager.transact([&](Transaction& t) {
        t(left).set(0, "again");
        t(right).set(1, big);
    });
    CHECK(right.get(1) == big);
}

TEST_CASE("an object of another realm, a destroyed one and a value of another type are refused") {
    Objects w;
    const test::LocalRealm elsewhere;
    auto foreign = elsewhere.manager().dict<std::string, int>("left");
    CHECK_THROWS_MATCHES(w.manager.transact([&](Transaction& t) {
        t(w.left).set("a", 1);
        t(foreign).set("a", 1);
    }), Error, fails_with(Errc::invalid_argument));
    CHECK(w.left.empty());
    w.manager.erase("right");
    CHECK_THROWS_MATCHES(w.manager.transact([&](Transaction& t) {
        t(w.left).set("a", 1);
        t(w.right).set("a", 1);
    }), Error, fails_with(Errc::destroyed));
    CHECK(w.left.empty());
    auto again = w.manager.dict<std::string, int>("right");
    CHECK_THROWS_MATCHES(w.manager.transact([&](Transaction& t) {
        t(again).set("a", 1);
        t(w.right).set("a", 1);
    }), Error, fails_with(Errc::destroyed));
    CHECK(again.empty());
    w.manager.dict<std::string, std::string>("left").set("text", "no number");
    CHECK_THROWS_MATCHES(w.manager.transact([&](Transaction& t) { return t(w.left).at("text"); }), Error,
                         fails_with(Errc::type_mismatch));
}
