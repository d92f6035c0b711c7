// Keys that expire against a reference that knows when: random operations under a clock moved by hand.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "containers/containers.hpp"
#include "support/bytes.hpp"
#include "support/fake_clock.hpp"
#include "support/temp_segment.hpp"

using namespace muster;
using containers::Bytes;
using containers::never;
using containers::Table;
using test::FakeClock;
using test::bytes;
using test::Out;

namespace {

std::string text(Bytes from) { return {reinterpret_cast<const char*>(from.data()), from.size()}; }

struct Reference {
    struct Entry {
        std::string key, value;
        std::uint64_t expiry;
    };
    std::vector<Entry> entries;  // in their order

    void forget() {
        std::erase_if(entries, [](const Entry& entry) { return entry.expiry <= FakeClock::now; });
    }
    Entry* find(const std::string& key) {
        forget();
        const auto at = std::find_if(entries.begin(), entries.end(), [&](const Entry& e) { return e.key == key; });
        return at == entries.end() ? nullptr : &*at;
    }
    void set(const std::string& key, const std::string& value, std::uint64_t expiry) {
        if (Entry* entry = find(key)) {
            entry->value = value;
            entry->expiry = expiry;
        } else {
            entries.push_back({key, value, expiry});
        }
    }
    bool erase(const std::string& key) {
        forget();
        return std::erase_if(entries, [&](const Entry& e) { return e.key == key; }) != 0;
    }
};

std::vector<std::string> violations(const Table& table, const segment::Segment& segment, heap::ObjectRef ref) {
    std::vector<std::string> all;
    table.verify([&](std::string what) { all.push_back(std::move(what)); });
    const heap::ObjectLock lock(segment, ref);
    lock.heap().verify([&](const char* what) { all.emplace_back(what); });
    return all;
}

}  // namespace

TEST_CASE("a table whose keys expire answers as one that knows when") {
    const char* given = std::getenv("MUSTER_SEED");
    const unsigned seed = given != nullptr ? static_cast<unsigned>(std::strtoul(given, nullptr, 10)) : 20261128u;
    INFO("seed " << seed << " (set MUSTER_SEED to repeat)");
    std::mt19937 random(seed);
    const auto below = [&](unsigned n) { return std::uniform_int_distribution<unsigned>(0, n - 1)(random); };

    const FakeClock clock;
    test::TempSegment segment(64u << 20);
    const heap::ObjectRef ref = segment.make(heap::Kind::dict);
    Table table(*segment, ref);
    Reference reference;
    const auto some_value = [&] {
        static constexpr unsigned sizes[] = {0, 1, 8, 60, 128, 129, 500, 40'000};
        return std::string(sizes[below(below(20) == 0 ? 8 : 6)], static_cast<char>('a' + below(26)));
    };
    const auto some_expiry = [&] { return below(3) == 0 ? never : FakeClock::now + below(300); };
    std::size_t expired = 0;
    for (int step = 0; step < 20'000; ++step) {
        FakeClock::now += below(3);
        const std::size_t before = reference.entries.size();
        reference.forget();
        expired += before - reference.entries.size();
        const std::string key = "key-" + std::to_string(below(200));
        auto* there = reference.find(key);
        switch (below(13)) {
            case 0: case 1: case 2: {
                const std::string value = some_value();
                const std::uint64_t expiry = some_expiry();
                const auto stored = table.store(bytes(key), {}, bytes(value), Table::If::always, {}, {}, expiry);
                REQUIRE(stored.done);
                REQUIRE(stored.present == (there != nullptr));
                reference.set(key, value, expiry);
                break;
            }
            case 3: {
                const std::string value = some_value();
                table.set(bytes(key), {}, bytes(value));
                reference.set(key, value, never);
                break;
            }
            case 4: {
                const std::string value = some_value();
                const std::uint64_t expiry = some_expiry();
                REQUIRE(table.store(bytes(key), {}, bytes(value), Table::If::absent, {}, {}, expiry).done == (there == nullptr));
                if (there == nullptr) reference.set(key, value, expiry);
                break;
            }
            case 5: {  // what is there is changed, and expires as it would have
                const std::string expected = there != nullptr && below(2) != 0 ? there->value : "something else";
                const bool should = there != nullptr && expected == there->value;
                REQUIRE(table.store(bytes(key), {}, bytes("swapped"), Table::If::equal, bytes(expected)).done == should);
                if (should) there->value = "swapped";
                break;
            }
            case 6: {
                const std::uint64_t expiry = FakeClock::now + below(300);
                REQUIRE(table.expire(bytes(key), expiry) == (there != nullptr));
                if (there != nullptr) there->expiry = expiry;
                break;
            }
            case 7:
                REQUIRE(table.persist(bytes(key)) == (there != nullptr && there->expiry != never));
                if (there != nullptr) there->expiry = never;
                break;
            case 8: {
                std::string taken;
                REQUIRE(table.remove(bytes(key), [&](Bytes value) { return taken = text(value), true; }) == (there != nullptr));
                if (there != nullptr) REQUIRE(taken == there->value);
                reference.erase(key);
                break;
            }
            case 9: {
                std::string last;
                const bool any = table.remove_last([&](Bytes k, Bytes) { return last = text(k), true; });
                REQUIRE(any == !reference.entries.empty());
                if (any) {
                    REQUIRE(last == reference.entries.back().key);
                    reference.entries.pop_back();
                }
                break;
            }
            case 10: {
                const auto swept = table.sweep(1 + below(50));
                REQUIRE(swept.removed <= swept.looked);
                break;
            }
            case 11: {
                const auto expiry = table.expiry(bytes(key));
                REQUIRE(expiry.has_value() == (there != nullptr));
                if (there != nullptr) REQUIRE(*expiry == there->expiry);
                break;
            }
            default: {
                Out out;
                REQUIRE(table.get(bytes(key), out) == (there != nullptr));
                if (there != nullptr) REQUIRE(out.value == there->value);
                REQUIRE(table.contains(bytes(key)) == (there != nullptr));
            }
        }
        reference.forget();
        REQUIRE(table.size() == reference.entries.size());
        if (step % 200 == 199) {
            std::vector<std::pair<std::string, std::string>> all;
            std::uint64_t announced = 0;
            table.for_each([&](std::uint64_t size) { announced = size, all.clear(); },
                           [&](Bytes k, Bytes v) { all.emplace_back(text(k), text(v)); });
            REQUIRE(announced == all.size());
            REQUIRE(all.size() == reference.entries.size());
            for (std::size_t i = 0; i < all.size(); ++i) {
                REQUIRE(all[i].first == reference.entries[i].key);
                REQUIRE(all[i].second == reference.entries[i].value);
            }
            const auto found = violations(table, *segment, ref);
            INFO((found.empty() ? std::string() : found.front()));
            REQUIRE(found.empty());
        }
        if (step % 9000 == 8999) {
            table.clear();
            reference = {};
        }
    }
    CHECK(expired > 1000);
}

TEST_CASE("a sweep removes all that has expired, in bounded steps, and nothing else") {
    const FakeClock clock;
    test::TempSegment segment;
    const heap::ObjectRef ref = segment.make(heap::Kind::dict);
    Table table(*segment, ref);
    for (int i = 0; i < 1000; ++i)
        table.store(bytes("k" + std::to_string(i)), {}, bytes("v"), Table::If::always, {}, {},
                    i % 2 == 0 ? FakeClock::now + 10 : i % 3 == 0 ? FakeClock::now + 100 : never);
    CHECK(table.sweep(never).looked == 0);  // nothing has expired: no look at all
    FakeClock::now += 10;
    std::uint64_t removed = 0, calls = 0;
    for (Table::Swept swept{0, 0, false}; !swept.complete; ++calls) {
        swept = table.sweep(64);
        CHECK(swept.looked <= 64);
        removed += swept.removed;
        CHECK(violations(table, *segment, ref).empty());
    }
    CHECK(calls == 16);
    CHECK(removed == 500);
    CHECK(table.size() == 500);
    CHECK(table.sweep(never).looked == 0);
    FakeClock::now += 100;
    CHECK(table.size() == 333);
    CHECK(table.sweep(never).removed == 167);
    CHECK(violations(table, *segment, ref).empty());
}

TEST_CASE("what has expired does not make the index grow, with no service to sweep") {
    const FakeClock clock;
    test::TempSegment segment(8u << 20);
    const heap::ObjectRef ref = segment.make(heap::Kind::dict);
    Table table(*segment, ref);
    for (int i = 0; i < 50'000; ++i) {
        ++FakeClock::now;
        table.store(bytes("k" + std::to_string(i)), {}, bytes("value"), Table::If::always, {}, {}, FakeClock::now + 100);
    }
    CHECK(table.size() == 100);
    const heap::ObjectLock lock(*segment, ref);
    CHECK(lock.heap().bytes() < 256u << 10);
}
