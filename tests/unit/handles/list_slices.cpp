// What changes many elements of a list at once, or makes plain data of them: slices, `+`, `*` and copies.
#include <catch2/catch.hpp>
#include <list>
#include <set>
#include <thread>

#include "support/child.hpp"
#include "support/fails_with.hpp"
#include "support/local_realm.hpp"

using namespace muster;
using test::Child;
using test::fails_with;
using Numbers = std::vector<int>;
using Bound = std::optional<Index>;

namespace {

constexpr auto none = std::nullopt;

struct SliceRow {
    Bound start, stop;
    Index step;
    Numbers values, result;
};

}  // namespace

TEST_CASE("slices are assigned as Python assigns them") {
    const test::LocalRealm realm;
    auto list = realm.manager().list<int>();
    // CPython 3.11: l = list(range(8)); l[start:stop:step] = values
    const SliceRow row = GENERATE(values<SliceRow>({
        {2, 5, 1, {9}, {0, 1, 9, 5, 6, 7}},
        {2, 5, 1, {}, {0, 1, 5, 6, 7}},
        {5, 2, 1, {20, 21}, {0, 1, 2, 3, 4, 20, 21, 5, 6, 7}},
        {none, none, 1, {1, 2}, {1, 2}},
        {-3, none, 1, {30}, {0, 1, 2, 3, 4, 30}},
        {100, 200, 1, {40}, {0, 1, 2, 3, 4, 5, 6, 7, 40}},
        {-100, 1, 1, {50, 51}, {50, 51, 1, 2, 3, 4, 5, 6, 7}},
        {0, 0, 1, {60}, {60, 0, 1, 2, 3, 4, 5, 6, 7}},
        {7, none, 1, {1, 2, 3}, {0, 1, 2, 3, 4, 5, 6, 1, 2, 3}},
        {3, 4, 1, {5}, {0, 1, 2, 5, 4, 5, 6, 7}},
        {4, -1, 1, {6, 7, 8}, {0, 1, 2, 3, 6, 7, 8, 7}},
        {none, none, 2, {70, 71, 72, 73}, {70, 1, 71, 3, 72, 5, 73, 7}},
        {none, none, -1, {0, 1, 2, 3, 4, 5, 6, 7}, {7, 6, 5, 4, 3, 2, 1, 0}},
        {6, 1, -2, {80, 81, 82}, {0, 1, 82, 3, 81, 5, 80, 7}},
        {1, none, 3, {90, 91, 92}, {0, 90, 2, 3, 91, 5, 6, 92}},
        {-1, -100, -3, {100, 101, 102}, {0, 102, 2, 3, 101, 5, 6, 100}},
        {5, 5, 2, {}, {0, 1, 2, 3, 4, 5, 6, 7}},
        {5, 2, 2, {}, {0, 1, 2, 3, 4, 5, 6, 7}},
        {0, 8, 9, {110}, {110, 1, 2, 3, 4, 5, 6, 7}},
    }));
    list.extend({0, 1, 2, 3, 4, 5, 6, 7});
    list.assign_slice(row.start, row.stop, row.values, row.step);
    REQUIRE(list.snapshot() == row.result);
}

TEST_CASE("slices are deleted as Python deletes them") {
    const test::LocalRealm realm;
    auto list = realm.manager().list<int>();
    // CPython 3.11: l = list(range(8)); del l[start:stop:step]
    const SliceRow row = GENERATE(values<SliceRow>({
        {none, none, 2, {}, {1, 3, 5, 7}},
        {none, none, -2, {}, {0, 2, 4, 6}},
        {1, 7, 3, {}, {0, 2, 3, 5, 6, 7}},
        {6, 0, -4, {}, {0, 1, 3, 4, 5, 7}},
        {-1, none, 1, {}, {0, 1, 2, 3, 4, 5, 6}},
        {none, -1, 1, {}, {7}},
        {none, none, -1, {}, {}},
        {5, 1, 1, {}, {0, 1, 2, 3, 4, 5, 6, 7}},
        {100, -100, -3, {}, {0, 2, 3, 5, 6}},
        {2, 3, 100, {}, {0, 1, 3, 4, 5, 6, 7}},
        {-2, -6, -1, {}, {0, 1, 2, 7}},
    }));
    list.extend({0, 1, 2, 3, 4, 5, 6, 7});
    list.erase_slice(row.start, row.stop, row.step);
    REQUIRE(list.snapshot() == row.result);
}

TEST_CASE("a slice with a step takes as many values as it has elements, or nothing changes") {
    const test::LocalRealm realm;
    auto list = realm.manager().list<int>("l");
    list.extend({0, 1, 2, 3, 4});
    const std::uint64_t version = list.version();
    for (const auto& values : {Numbers{}, Numbers{1, 2}, Numbers{1, 2, 3, 4}}) {
        REQUIRE_THROWS_MATCHES(list.assign_slice({}, {}, values, 2), Error, fails_with(Errc::value_error));
        REQUIRE_THROWS_MATCHES(list.assign_slice({}, {}, values, -2), Error, fails_with(Errc::value_error));
    }
    REQUIRE_THROWS_WITH(list.assign_slice({}, {}, {7, 8}, 2),
                        Catch::Contains("list 'l'") && Catch::Contains("2 values for a slice of 3 elements"));
    REQUIRE_THROWS_MATCHES(list.assign_slice(0, 1, {1}, 0), Error, fails_with(Errc::value_error));
    REQUIRE(list.version() == version);
    REQUIRE(list.snapshot() == Numbers{0, 1, 2, 3, 4});
}

TEST_CASE("a list grows by any range, by a list and by itself") {
    const test::LocalRealm realm;
    auto list = realm.manager().list<int>(), other = realm.manager().list<int>();
    list += {1, 2};
    list += Numbers{3};
    list += std::list<int>{4, 5};
    list += std::set<int>{7, 6};
    other += list;
    REQUIRE(other.snapshot() == Numbers{1, 2, 3, 4, 5, 6, 7});
    other.clear();
    other += {1, 2};
    other += other;
    (other += {3}) += {4};
    REQUIRE(other.snapshot() == Numbers{1, 2, 1, 2, 3, 4});
    other.extend(other);
    REQUIRE(other.size() == 12);
    list.assign_slice(1, 1, other.slice(-2));
    REQUIRE(list.slice({}, 4) == Numbers{1, 3, 4, 2});
}

TEST_CASE("a list is repeated in place") {
    const test::LocalRealm realm;
    auto list = realm.manager().list<std::string>();
    const std::string block(500, 'b');
    list *= 3;
    REQUIRE(list.empty());
    list += {"a", block};
    list *= 3;
    REQUIRE(list.snapshot() == std::vector<std::string>{"a", block, "a", block, "a", block});
    list *= 1;
    REQUIRE(list.size() == 6);
    list.set(1, "only this one");
    REQUIRE(list.at(3) == block);
    list *= 1000;
    REQUIRE(list.size() == 6000);
    REQUIRE(list.count("only this one") == 1000);
    list *= 0;
    REQUIRE(list.empty());
    list += {"x"};
    list *= -1;
    REQUIRE(list.empty());
    REQUIRE(realm.daemon().check().violations.empty());
}

TEST_CASE("what would be too long or too large leaves the list as it is") {
    const test::LocalRealm realm(16u << 20);
    auto list = realm.manager().list<std::string>("l");
    list += {"a", std::string(1000, 'b')};
    REQUIRE_THROWS_MATCHES(list *= (Index{1} << 32), Error, fails_with(Errc::limit_exceeded));
    REQUIRE_THROWS_MATCHES(list *= List<>::last, Error, fails_with(Errc::limit_exceeded));
    REQUIRE_THROWS_MATCHES(list *= 1'000'000, Error, fails_with(Errc::out_of_memory));
    REQUIRE_THROWS_MATCHES(list.assign_slice(0, 1, std::vector<std::string>(20'000, std::string(1000, 'c'))), Error,
                           fails_with(Errc::out_of_memory));
    REQUIRE(list.snapshot() == std::vector<std::string>{"a", std::string(1000, 'b')});
    REQUIRE(realm.daemon().check().violations.empty());
    list *= 100;  // there is room again
    REQUIRE(list.size() == 200);
}

TEST_CASE("+, * and copy() give plain data, which is its own") {
    const test::LocalRealm realm;
    auto list = realm.manager().list<int>(), other = realm.manager().list<int>();
    list += {1, 2};
    other += {3};
    const Numbers copy = list.copy();
    REQUIRE(list + other == Numbers{1, 2, 3});
    REQUIRE(list + list == Numbers{1, 2, 1, 2});
    REQUIRE(list + Numbers{7, 8} == Numbers{1, 2, 7, 8});
    REQUIRE(Numbers{7, 8} + list == Numbers{7, 8, 1, 2});
    REQUIRE(list + std::list<int>{3, 4} == Numbers{1, 2, 3, 4});
    REQUIRE(list * 3 == Numbers{1, 2, 1, 2, 1, 2});
    REQUIRE(2 * list == Numbers{1, 2, 1, 2});
    REQUIRE((list * 0).empty());
    REQUIRE((list * -5).empty());
    REQUIRE((realm.manager().list<int>() * std::numeric_limits<Index>::max()).empty());
    REQUIRE(list.snapshot() == Numbers{1, 2});
    list.clear();
    REQUIRE(copy == Numbers{1, 2});
}

TEST_CASE("handles are assigned to a slice and repeated as the objects that they name") {
    const test::LocalRealm realm, elsewhere;
    const Manager manager = realm.manager();
    auto outer = manager.list<List<int>>("outer");
    outer.assign_slice(0, 0, {manager.list<int>(), manager.list<int>(), manager.list<int>()});
    outer.at(1).push_back(5);
    outer *= 2;
    outer.at(4).push_back(6);
    REQUIRE(outer.at(1).snapshot() == Numbers{5, 6});
    auto other = manager.list<int>();
    outer.assign_slice(0, {}, {other, other, other}, 2);
    other.push_back(7);
    REQUIRE(outer.at(-2).snapshot() == Numbers{7});
    const std::vector<List<int>> sum = outer + std::vector{other};
    REQUIRE(sum.size() == 7);
    REQUIRE(sum[0] == sum[6]);
    REQUIRE(sum[1] == outer.at(1));
    const std::vector foreign{elsewhere.manager().list<int>()};
    REQUIRE_THROWS_MATCHES(outer.assign_slice(0, 1, foreign), Error, fails_with(Errc::invalid_argument));
    REQUIRE(outer.at(0) == other);
    REQUIRE(realm.daemon().check().violations.empty());
}

TEST_CASE("iterating a live list by index sees changes, its snapshot does not") {
    const test::LocalRealm realm;
    auto list = realm.manager().list<int>();
    list += {1, 2, 3};
    const Numbers before = list.snapshot();
    Numbers seen;
    for (std::size_t i = 0; i < list.size(); ++i) {
        seen.push_back(list[static_cast<Index>(i)]);
        if (i == 0) list.set(1, 20);
        if (i == 1) list += {4};
    }
    REQUIRE(seen == Numbers{1, 20, 3, 4});
    REQUIRE(before == Numbers{1, 2, 3});
}

TEST_CASE("slices are assigned whole, beside other threads and processes") {
    const test::LocalRealm realm;
    auto list = realm.manager().list<int>();
    list.extend(Numbers(40, 0));
    const test::Shared<std::atomic<bool>> done;
    const auto assign = [&](int n) {  // all even places at once, then the odd ones
        for (int i = 0; i < 150; ++i) {
            list.assign_slice({}, {}, Numbers(20, n), 2);
            list.assign_slice(10, 20, Numbers(10, n));
            list.assign_slice(1, {}, Numbers(20, n), 2);
        }
    };
    Child first([&] { return assign(1), 0; });
    Child second([&] { return assign(2), 0; });
    std::thread third([&] {
        assign(3);
        done->store(true);
    });
    while (!done->load()) {
        const Numbers all = list.snapshot();
        if (all.size() != 40) FAIL(all.size() << " elements");
        // The last places belong to one assignment each, those of one kind.
        for (std::size_t i = 22; i < 40; ++i)
            if (all[i] != all[i - 2]) FAIL("half of an assignment at " << i);
    }
    third.join();
    REQUIRE(first.join() == 0);
    REQUIRE(second.join() == 0);
    REQUIRE(realm.daemon().check().violations.empty());
}
