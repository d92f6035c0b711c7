// SharedValue and Array: numbers that are whole whoever writes them, and Python's indices.
#include <catch2/catch.hpp>
#include <csignal>
#include <cmath>
#include <muster/array.hpp>
#include <thread>

#include "support/child.hpp"
#include "support/fails_with.hpp"
#include "support/local_realm.hpp"

using namespace muster;
using test::Child;
using test::code_of;

TEST_CASE("a value holds a number of its type") {
    const test::LocalRealm realm;
    const Manager manager = realm.manager();
    auto count = manager.value<int>("count", -3);
    CHECK(count == -3);
    CHECK(manager.value<int>("count", 77) == -3);  // it was there
    count = 5;
    CHECK((count += 2) == 7);
    CHECK((count -= 10) == -3);
    CHECK(++count == -2);
    CHECK(count.exchange(40) == -2);
    int expected = 41;
    CHECK(!count.compare_exchange(expected, 1));
    CHECK(expected == 40);
    CHECK(count.compare_exchange(expected, 1));
    CHECK(count.update([](int now) { return now * 9; }) == 9);
    CHECK(count.fetch_sub(1) == 9);
    CHECK(count.get() == 8);
    CHECK(manager.value<double>().get() == 0.0);
    CHECK(manager.value(true).get());
    auto ratio = manager.value(0.5f);
    CHECK(ratio.fetch_add(0.25f) == 0.5f);
    CHECK(ratio.get() == 0.75f);
    CHECK(realm.daemon().check().violations.empty());
}

TEST_CASE("integers wrap around as std::atomic's, at each width") {
    const test::LocalRealm realm;
    auto byte = realm.manager().value<std::uint8_t>(255);
    CHECK(byte.fetch_add(1) == 255);
    CHECK(byte == 0);
    auto wide = realm.manager().value<std::int64_t>(std::numeric_limits<std::int64_t>::max());
    CHECK((wide += 1) == std::numeric_limits<std::int64_t>::min());
}

TEST_CASE("a value of another type is not opened, and the error names both types") {
    const test::LocalRealm realm;
    const Manager manager = realm.manager();
    (void)manager.value<int>("n");
    CHECK(code_of([&] { (void)manager.value<double>("n"); }) == Errc::type_mismatch);
    CHECK(code_of([&] { (void)manager.find<SharedValue<unsigned>>("n"); }) == Errc::type_mismatch);
    CHECK_THROWS_WITH((void)manager.value<double>("n"), Catch::Contains("int32") && Catch::Contains("float64"));
    CHECK(code_of([&] { (void)manager.array<int>("n", 1); }) == Errc::wrong_kind);
    CHECK(manager.scalar_type_of_object("n") == ScalarType::int32);
    CHECK(!manager.scalar_type_of_object("absent"));
}

TEST_CASE("+= loses nothing among processes and threads, and a killed one has done it or not") {
    const test::LocalRealm realm;
    auto count = realm.manager().value<long>();
    const test::Shared<std::atomic<long>> done;
    {
        std::vector<std::unique_ptr<Child>> children;
        for (int c = 0; c < 3; ++c)
            children.push_back(std::make_unique<Child>([&] {
                std::thread other([&] {
                    for (int i = 0; i < 2000; ++i) count += 1;
                });
                for (int i = 0; i < 2000; ++i) count += 1;
                other.join();
                return 0;
            }));
        for (auto& child : children) REQUIRE(child->join() == 0);
        CHECK(count == 12'000);
        for (int round = 0; round < 20; ++round) {
            Child worker([&] {
                for (;;) {
                    count += 1;
                    done->fetch_add(1);
                }
                return 0;
            });
            const long before = done->load();
            REQUIRE(test::eventually([&] { return done->load() > before; }));
            worker.kill(SIGKILL);
            REQUIRE(worker.join() == -SIGKILL);
        }
    }
    const long sure = 12'000 + done->load();
    CHECK(count >= sure);
    CHECK(count <= sure + 20);  // each may have died between its step and its note of it
}

TEST_CASE("an array has Python's indices and a fixed length") {
    const test::LocalRealm realm;
    const Manager manager = realm.manager();
    auto numbers = manager.array<std::int16_t>("a", 5);
    CHECK(numbers.snapshot() == std::vector<std::int16_t>(5));
    for (std::int16_t i = 0; i < 5; ++i) numbers[i] = static_cast<std::int16_t>(i * i);
    CHECK(numbers.snapshot() == std::vector<std::int16_t>{0, 1, 4, 9, 16});
    CHECK(numbers[-1] == 16);
    CHECK((numbers[-5] += 3) == 3);
    CHECK((numbers[1] -= 3) == -2);
    CHECK(numbers.slice(1, 2) == std::vector<std::int16_t>{-2, 4});
    for (const std::ptrdiff_t wrong : {5, -6}) {
        CHECK(code_of([&] { (void)numbers.get(wrong); }) == Errc::index_error);
        CHECK(code_of([&] { numbers[wrong] = 1; }) == Errc::index_error);
    }
    CHECK(code_of([&] { (void)numbers.slice(3, 3); }) == Errc::index_error);
    CHECK(code_of([&] { (void)manager.array<std::int16_t>("a", 6); }) == Errc::value_error);
    CHECK(manager.array<std::int16_t>("a", 5).get(2) == 4);
    auto flags = manager.array({true, false, true});
    flags[1] = true;
    CHECK(flags.snapshot() == std::vector<bool>{true, true, true});
    CHECK(manager.array<int>(0).snapshot().empty());
    CHECK(realm.daemon().check().violations.empty());
}

TEST_CASE("a range is written all at once, short or long") {
    const test::LocalRealm realm;
    auto numbers = realm.manager().array<float>(3000);
    const std::vector<float> some{1, 2, 3};
    numbers.assign(5, some);
    CHECK(numbers.slice(4, 5) == std::vector<float>{0, 1, 2, 3, 0});
    std::vector<float> many(2500, 0.5f);
    numbers.assign(400, many);
    CHECK(numbers.slice(399, 2) == std::vector<float>{0, 0.5f});
    CHECK(numbers.slice(2899, 2) == std::vector<float>{0.5f, 0});
    CHECK(numbers.get(6) == 2);
    numbers.fill(7);
    CHECK(numbers.snapshot() == std::vector<float>(3000, 7));
    numbers.update([](std::span<float> all) {
        for (float& number : all) number = std::sqrt(number * 7);
    });
    CHECK(numbers.get(1234) == 7);
    CHECK(realm.daemon().check().violations.empty());
}

TEST_CASE("an array that many update stays whole, whoever is killed") {
    const test::LocalRealm realm;
    auto numbers = realm.manager().array<int>(600);  // 300 words: by way of a copy
    for (int round = 0; round < 10; ++round) {
        std::vector<std::unique_ptr<Child>> children;
        for (int c = 0; c < 2; ++c)
            children.push_back(std::make_unique<Child>([&] {
                for (;;)
                    numbers.update([](std::span<int> all) {
                        for (int& number : all) ++number;
                    });
                return 0;
            }));
        const int before = numbers.get(0);
        REQUIRE(test::eventually([&] { return numbers.get(0) > before + 3; }));
        for (auto& child : children) child->kill(SIGKILL);
        for (auto& child : children) REQUIRE(child->join() == -SIGKILL);
        const auto all = numbers.snapshot();
        CHECK(std::count(all.begin(), all.end(), all.front()) == 600);
    }
    CHECK(realm.daemon().check().violations.empty());
}

TEST_CASE("an array that does not fit is refused, and nothing is left of it") {
    const test::LocalRealm realm(4u << 20);
    const Manager manager = realm.manager();
    const auto used = realm.daemon().memory().used;
    CHECK(code_of([&] { (void)manager.array<double>("large", 1'000'000); }) == Errc::out_of_memory);
    CHECK(code_of([&] { (void)manager.array<double>(1'000'000); }) == Errc::out_of_memory);
    CHECK(code_of([&] { (void)manager.array<double>("huge", 1ull << 40); }) == Errc::limit_exceeded);
    CHECK(manager.names().empty());
    CHECK(realm.daemon().memory().used <= used + segment::object_size);
    CHECK(realm.daemon().check().violations.empty());
    CHECK(manager.array<double>("small", 1000).size() == 1000);
}

TEST_CASE("an erased value is gone for its handles") {
    const test::LocalRealm realm;
    const Manager manager = realm.manager();
    auto count = manager.value<int>("count");
    auto numbers = manager.array<int>("numbers", 3);
    manager.erase("count");
    manager.erase("numbers");
    CHECK(code_of([&] { (void)count.get(); }) == Errc::destroyed);
    CHECK(code_of([&] { count += 1; }) == Errc::destroyed);
    CHECK(code_of([&] { (void)numbers.snapshot(); }) == Errc::destroyed);
    CHECK(code_of([&] { numbers.fill(1); }) == Errc::destroyed);
}
