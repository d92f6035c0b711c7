// Dict's table against an ordered reference: random operations, the same answers, no violation on the way.
#include <catch2/catch.hpp>

#include <cstdlib>
#include <list>
#include <map>
#include <random>
#include <string>

#include "containers/containers.hpp"
#include "support/bytes.hpp"
#include "support/temp_segment.hpp"

using namespace muster;
using containers::Bytes;
using containers::Table;
using test::bytes;
using test::Out;

namespace {

std::string text(Bytes from) { return {reinterpret_cast<const char*>(from.data()), from.size()}; }

// A dict that remembers the order of insertion.
struct Reference {
    std::map<std::string, std::string> values;
    std::list<std::string> order;
    int came_or_went = 0;
    void set(const std::string& key, const std::string& value) {
        if (!values.contains(key)) {
            order.push_back(key);
            ++came_or_went;
        }
        values[key] = value;
    }
    bool erase(const std::string& key) {
        order.remove(key);
        const bool went = values.erase(key) != 0;
        if (went) ++came_or_went;
        return went;
    }
};

std::vector<std::pair<std::string, std::string>> contents(const Table& table) {
    std::vector<std::pair<std::string, std::string>> all;
    table.for_each([&](std::uint64_t) { all.clear(); }, [&](Bytes k, Bytes v) { all.emplace_back(text(k), text(v)); });
    return all;
}

std::vector<std::string> violations(const Table& table, const segment::Segment& segment, heap::ObjectRef ref) {
    std::vector<std::string> all;
    table.verify([&](std::string what) { all.push_back(std::move(what)); });
    const heap::ObjectLock lock(segment, ref);
    lock.heap().verify([&](const char* what) { all.emplace_back(what); });
    return all;
}

}  // namespace

TEST_CASE("a table answers as an ordered map does") {
    const char* given = std::getenv("MUSTER_SEED");
    const unsigned seed = given != nullptr ? static_cast<unsigned>(std::strtoul(given, nullptr, 10)) : 20240607u;
    INFO("seed " << seed << " (set MUSTER_SEED to repeat)");
    std::mt19937 random(seed);
    const auto below = [&](unsigned n) { return std::uniform_int_distribution<unsigned>(0, n - 1)(random); };

    test::TempSegment segment(64u << 20);
    const heap::ObjectRef ref = segment.make(heap::Kind::dict);
    Table table(*segment, ref);
    Reference reference;
    const auto value_of_some_size = [&] {
        static constexpr unsigned sizes[] = {0, 1, 7, 8, 64, 100, 128, 129, 500, 5000, 40000, 200000};
        const unsigned pick = below(100);
        const unsigned size = sizes[pick < 80 ? below(7) : pick < 99 ? below(10) : below(12)];
        return std::string(size == 0 ? 0 : size - below(size < 8 ? size : 8), static_cast<char>('a' + below(26)));
    };
    for (int step = 0; step < 20'000; ++step) {
        const std::string key = "key-" + std::to_string(below(step < 15'000 ? 400 : 5000)) + std::string(below(20), 'x');
        const std::uint64_t changes = table.changes();
        reference.came_or_went = 0;
        switch (below(10)) {
            case 0: case 1: case 2: case 3: {
                const std::string value = value_of_some_size();
                const auto stored = table.store(bytes(key), {}, bytes(value));
                REQUIRE(stored.done);
                REQUIRE(stored.present == reference.values.contains(key));
                reference.set(key, value);
                break;
            }
            case 4: {
                const std::string value = value_of_some_size();
                REQUIRE(table.store(bytes(key), {}, bytes(value), Table::If::absent).done == !reference.values.contains(key));
                if (!reference.values.contains(key)) reference.set(key, value);
                break;
            }
            case 5: {
                const bool there = reference.values.contains(key);
                const std::string expected = there && below(2) != 0 ? reference.values[key] : "something else";
                const bool should = there && expected == reference.values[key];
                REQUIRE(table.store(bytes(key), {}, bytes("swapped"), Table::If::equal, bytes(expected)).done == should);
                if (should) reference.set(key, "swapped");
                break;
            }
            case 6: case 7: {
                std::string taken;
                const bool there = reference.values.contains(key);
                REQUIRE(table.remove(bytes(key), [&](Bytes value) { return taken = text(value), true; }) == there);
                if (there) REQUIRE(taken == reference.values[key]);
                reference.erase(key);
                break;
            }
            case 8: {
                std::string last;
                const bool there = table.remove_last([&](Bytes k, Bytes) { return last = text(k), true; });
                REQUIRE(there == !reference.order.empty());
                if (there) {
                    REQUIRE(last == reference.order.back());
                    reference.erase(last);
                }
                break;
            }
            default: {
                Out out;
                REQUIRE(table.get(bytes(key), out) == reference.values.contains(key));
                if (reference.values.contains(key)) REQUIRE(out.value == reference.values[key]);
            }
        }
        REQUIRE(table.size() == reference.values.size());
        REQUIRE((table.changes() != changes) == (reference.came_or_went != 0));
        if (step % 1000 == 999) {
            const auto all = contents(table);
            auto at = reference.order.begin();
            REQUIRE(all.size() == reference.order.size());
            for (const auto& [k, v] : all) {
                REQUIRE(k == *at++);
                REQUIRE(v == reference.values[k]);
            }
            const auto found = violations(table, *segment, ref);
            INFO((found.empty() ? std::string() : found.front()));
            REQUIRE(found.empty());
        }
        if (step % 7000 == 6999) {
            table.clear();
            reference = {};
            REQUIRE(violations(table, *segment, ref).empty());
            heap::ObjectLock lock(*segment, ref);
            REQUIRE(lock.heap().bytes() == heap::body_bytes);
        }
    }
}

TEST_CASE("a table keeps its first key's spelling and the order over overwriting") {
    test::TempSegment segment;
    const heap::ObjectRef ref = segment.make(heap::Kind::dict);
    Table table(*segment, ref);
    table.store(bytes("one"), bytes("ONE"), bytes("1"));
    table.store(bytes("two"), {}, bytes("2"));
    table.store(bytes("one"), {}, bytes(std::string(1000, 'z')));
    const auto all = contents(table);
    REQUIRE(all.size() == 2);
    REQUIRE(all[0].first == "ONE");
    REQUIRE(all[0].second == std::string(1000, 'z'));
    REQUIRE(all[1].first == "two");
}

TEST_CASE("a full segment refuses and changes nothing") {
    test::TempSegment segment(4u << 20);
    const heap::ObjectRef ref = segment.make(heap::Kind::dict);
    Table table(*segment, ref);
    std::size_t stored = 0;
    const std::string value(10'000, 'v');
    REQUIRE_THROWS_AS(
        [&] {
            for (;; ++stored) table.store(bytes("k" + std::to_string(stored)), {}, bytes(value));
        }(),
        heap::OutOfMemory);
    REQUIRE(stored > 10);
    REQUIRE(table.size() == stored);
    REQUIRE(violations(table, *segment, ref).empty());
    REQUIRE(table.store(bytes("k0"), {}, bytes("small")).done);  // and it goes on
    for (std::size_t i = 0; i < stored; ++i) REQUIRE(table.remove(bytes("k" + std::to_string(i))));
    REQUIRE(violations(table, *segment, ref).empty());
}

TEST_CASE("large values give their memory back") {
    test::TempSegment segment(64u << 20);
    const heap::ObjectRef ref = segment.make(heap::Kind::dict);
    Table table(*segment, ref);
    const std::uint64_t before = heap::Extents(*segment).used_bytes();
    for (int i = 0; i < 20; ++i) table.store(bytes("k" + std::to_string(i)), {}, bytes(std::string(1u << 20, 'v')));
    REQUIRE(segment->reserved_bytes() > 20u << 20);
    table.clear();
    REQUIRE(heap::Extents(*segment).used_bytes() == before);
    REQUIRE(segment->reserved_bytes() < 4u << 20);
}
