// The maps of a pool of processes: order, chunks, errors at their places.
#include "support.hpp"

#include <iterator>
#include <sstream>

using namespace muster;
using namespace muster::test;

namespace {

struct OnePass {
    std::istream& in;
    std::istream_iterator<int> begin() const { return std::istream_iterator<int>(in); }
    std::istream_iterator<int> end() const { return {}; }
};

int odd_fails(int i) {
    if (i % 2 == 1) throw Error(Errc::value_error, "check", "item " + std::to_string(i));
    return i;
}

template <typename R>
std::vector<std::string> told_of(Results<R> results) {
    std::vector<std::string> told;
    for (auto each = results.begin(); each != results.end(); ++each) {
        try {
            told.push_back(std::to_string(*each));
        } catch (const Error& error) {
            told.push_back(error.subject());
        }
    }
    return told;
}

}  // namespace

TEST_CASE("map keeps the order, whatever the chunks, also of one-pass ranges and of nothing") {
    need_processes();
    const LocalRealm realm;
    Pool pool(realm.manager(), {.processes = 3});
    std::vector<int> expected(100);
    for (int i = 0; i < 100; ++i) expected[static_cast<std::size_t>(i)] = i * i;
    for (const std::size_t chunk : {0u, 1u, 7u, 100u, 1000u}) CHECK(pool.map(square, up_to(100), chunk) == expected);
    std::istringstream words("3 1 2");
    CHECK(pool.map(square, OnePass{words}) == std::vector<int>{9, 1, 4});
    CHECK(pool.map(square, std::vector<int>{}).empty());
    CHECK(pool.map_async(square, std::vector<int>{}).get().empty());
    CHECK(pool.map([](const std::string& s) { return s.size() > 1; }, std::vector<const char*>{"a", "bb"}) == std::vector<bool>{false, true});
    STATIC_REQUIRE(std::is_void_v<decltype(pool.map([](int) {}, expected))>);
    pool.map([](int) {}, expected);
}

TEST_CASE("a chunk is a quarter of a worker's share, rounded up") {
    CHECK(detail::Chunks::of(100, 0, 5).size == 5);
    CHECK(detail::Chunks::of(101, 0, 5).size == 6);
    CHECK(detail::Chunks::of(3, 0, 5).size == 1);
    CHECK(detail::Chunks::of(0, 0, 5).size == 1);
    CHECK(detail::Chunks::of(10, 4, 5).size == 4);
    CHECK(detail::Chunks::of(10, 4, 5).parts() == 3);
    CHECK(detail::Chunks::of(10, 4, 5).length(2) == 2);
    need_processes();
    const LocalRealm realm;
    Pool pool(realm.manager(), {.processes = 2, .maxtasksperchild = 1});  // so each chunk has a worker of its own
    const auto pids = pool.map([](int) { return ::getpid(); }, up_to(17));
    REQUIRE(pids.size() == 17);
    for (std::size_t i = 1; i < pids.size(); ++i) CHECK((pids[i] == pids[i - 1]) == (i % 3 != 0));
}

TEST_CASE("map finishes all chunks, then throws the error of the first item that has one") {
    need_processes();
    const LocalRealm realm;
    Pool pool(realm.manager(), {.processes = 2});
    auto done = realm.manager().value<int>();
    using Item = std::tuple<SharedValue<int>, int>;
    std::vector<Item> items;
    for (int i = 0; i < 10; ++i) items.emplace_back(done, i);
    const auto run = [](SharedValue<int> count, int i) {
        count += 1;
        if (i == 9) throw Error(Errc::value_error, "check", "the last");
        if (i == 4) { sleep_for(20); throw Error(Errc::key_error, "check", "the first"); }
        return i;
    };
    for (const std::size_t chunk : {1u, 2u, 10u}) {
        done.set(0);
        CHECK(error_of([&] { pool.starmap(run, items, chunk); }).subject() == "the first");
        CHECK(done.get() == 10);
    }
}

TEST_CASE("map_async and starmap call back with all results, or the error") {
    need_processes();
    const LocalRealm realm;
    Pool pool(realm.manager(), {.processes = 2});
    std::vector<int> got;
    int errors = 0;
    const auto squares = pool.map_async(square, std::vector<int>{1, 2, 3}, {.callback = [&](const std::vector<int>& all) { got = all; }});
    CHECK(squares.get() == std::vector<int>{1, 4, 9});
    CHECK(got == std::vector<int>{1, 4, 9});
    const auto sums = pool.starmap_async([](int a, double b) { return a + b; }, std::vector<std::pair<int, double>>{{1, 0.5}, {2, 0.25}});
    CHECK(sums.get() == std::vector<double>{1.5, 2.25});
    CHECK(pool.starmap([](int a, int b) { return a * b; }, std::vector<std::array<int, 2>>{{2, 3}, {4, 5}}) == std::vector<int>{6, 20});
    const auto failed = pool.map_async(odd_fails, std::vector<int>{2, 3, 4},
                                       {.callback = [&](const std::vector<int>&) { errors = 100; }, .error_callback = [&](std::exception_ptr) { ++errors; }, .chunk = 1});
    CHECK_THROWS_MATCHES(failed.get(), Error, fails_with(Errc::value_error));
    CHECK(errors == 1);
}

TEST_CASE("imap is in order, imap_unordered as they come; an error is at its place and the iteration goes on") {
    need_processes();
    const LocalRealm realm;
    Pool pool(realm.manager(), {.processes = 3});
    const std::vector<std::string> expected{"0", "item 1", "2", "item 3", "4", "item 5", "6"};
    for (const std::size_t chunk : {1u, 3u}) {
        CHECK(told_of(pool.imap(odd_fails, up_to(7), chunk)) == expected);
        auto any = told_of(pool.imap_unordered(odd_fails, up_to(7), chunk));
        std::sort(any.begin(), any.end());
        auto all = expected;
        std::sort(all.begin(), all.end());
        CHECK(any == all);
    }
    auto results = pool.imap(odd_fails, up_to(3));
    CHECK(results.next() == 0);
    CHECK_THROWS_MATCHES(results.next(), Error, fails_with(Errc::value_error));
    CHECK(results.next(30s) == 2);
    CHECK(!results.next());
    CHECK(!results.next());
}

TEST_CASE("an unordered result does not wait for one that was given before it") {
    need_processes();
    const LocalRealm realm;
    Pool pool(realm.manager(), {.processes = 2});
    const SharedGate gate;
    struct Item { bool waits; std::uintptr_t gate; };
    const auto run = [](Item item) { return item.waits ? pass(item.gate) : false; };
    const std::vector<Item> items{{true, address(*gate)}, {false, 0}};
    auto any = pool.imap_unordered(run, items);
    CHECK(any.next() == false);
    auto ordered = pool.imap(run, items);
    CHECK_THROWS_MATCHES(ordered.next(10ms), Error, fails_with(Errc::timeout));
    gate->open = 1;
    CHECK(any.next() == true);
    CHECK(ordered.next() == true);
    CHECK(ordered.next() == false);
}

TEST_CASE("short tasks go in bundles, and one that takes long keeps none of the others waiting") {
    need_processes();
    const LocalRealm realm;
    Pool pool(realm.manager(), {.processes = 2});
    std::vector<AsyncResult<int>> warm;
    for (int i = 0; i < 3000; ++i) warm.push_back(pool.apply_async(square, i));
    for (int i = 0; i < 3000; ++i) REQUIRE(warm[static_cast<std::size_t>(i)].get() == i * i);
    const SharedGate gate;
    std::vector<AsyncResult<bool>> others;
    std::optional<AsyncResult<bool>> waits;
    for (int i = 0; i < 2000; ++i) {
        if (i == 500) waits = pool.apply_async(pass, address(*gate));
        others.push_back(pool.apply_async([] { return true; }));
    }
    for (const auto& other : others) REQUIRE(other.wait_for(20s));
    CHECK(!waits->ready());
    gate->open = 1;
    CHECK(waits->get());
}
