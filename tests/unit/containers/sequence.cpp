#include <catch2/catch.hpp>

#include <atomic>
#include <numeric>
#include <thread>

#include "support/sequence_list.hpp"

using namespace muster;
using test::StringList;
using test::TempSegment;

namespace {

std::vector<std::string> numbered(std::size_t count, const std::string& prefix) {
    std::vector<std::string> values;
    for (std::size_t i = 0; i < count; ++i) values.push_back(prefix + std::to_string(i));
    return values;
}

const std::vector<std::string> none;

}  // namespace

TEST_CASE("a new list is empty") {
    TempSegment segment;
    StringList list(segment, segment.make(heap::Kind::list));
    REQUIRE(list.size() == 0);
    REQUIRE(list.at(0) == "(no such index)");
    REQUIRE(list.contents().empty());
    REQUIRE_FALSE(list.erase(0));
    REQUIRE_FALSE(list.set(0, "x"));
    REQUIRE(list.pop(0) == "(no such index)");
    REQUIRE(list.violations() == none);
    list.clear();
    list.reverse();
    list.extend({});
    list.splice(0, 0, {});
    REQUIRE(list.size() == 0);
    REQUIRE(list.live_bytes() == 0);
}

TEST_CASE("a list keeps items of every length") {
    TempSegment segment(64u << 20);
    StringList list(segment, segment.make(heap::Kind::list));
    std::vector<std::string> values;
    for (const std::size_t size : {0u, 1u, 7u, 8u, 9u, 63u, 64u, 65u, 255u, 256u, 257u, 32767u, 32768u, 32769u, 65533u,
                                   65534u, 65535u, 65536u, 65537u, 1u << 20})
        values.emplace_back(size, static_cast<char>('a' + size % 26));
    for (const std::string& value : values) list.push_back(value);
    REQUIRE(list.contents() == values);
    REQUIRE(list.violations() == none);
    // Every length over every other.
    for (const std::string& value : values) {
        for (std::size_t i = 0; i < values.size(); ++i) REQUIRE(list.set(i, value));
        REQUIRE(list.contents() == std::vector<std::string>(values.size(), value));
        for (std::size_t i = 0; i < values.size(); ++i) REQUIRE(list.set(i, values[i]));
    }
    REQUIRE(list.contents() == values);
    REQUIRE(list.violations() == none);
    for (const std::string& value : values) REQUIRE(list.pop(0) == value);
    REQUIRE(list.live_bytes() == 0);
    REQUIRE(list.violations() == none);
}

TEST_CASE("splice replaces, inserts and removes a range") {
    TempSegment segment;
    StringList list(segment, segment.make(heap::Kind::list));
    list.extend({"a", "b", "c", "d", "e"});
    list.splice(1, 3, {"x", "y", "z"});
    REQUIRE(list.contents() == std::vector<std::string>{"a", "x", "y", "z", "d", "e"});
    list.splice(2, 2, {"1", "2"});
    REQUIRE(list.contents() == std::vector<std::string>{"a", "x", "1", "2", "y", "z", "d", "e"});
    list.splice(1, 7, {});
    REQUIRE(list.contents() == std::vector<std::string>{"a", "e"});
    list.splice(2, 2, {"f", "g"});
    REQUIRE(list.contents() == std::vector<std::string>{"a", "e", "f", "g"});
    list.splice(0, 4, {"only"});
    REQUIRE(list.contents() == std::vector<std::string>{"only"});
    list.replace_all(numbered(1000, "a longer value, number "));
    REQUIRE(list.contents() == numbered(1000, "a longer value, number "));
    REQUIRE(list.violations() == none);
    list.replace_all({});
    REQUIRE(list.live_bytes() == 0);
}

TEST_CASE("rearrange puts items in any order and drops the rest") {
    TempSegment segment;
    StringList list(segment, segment.make(heap::Kind::list));
    list.extend({"d", "a", "c"});
    list.rearrange({1, 3, 2, 0}, 4, {"b"});
    REQUIRE(list.contents() == std::vector<std::string>{"a", "b", "c", "d"});
    list.rearrange({3, 1, 0, 2}, 2);
    REQUIRE(list.contents() == std::vector<std::string>{"d", "b"});
    list.rearrange({1, 0}, 0);
    REQUIRE(list.size() == 0);
    REQUIRE(list.live_bytes() == 0);
    REQUIRE(list.violations() == none);
}

TEST_CASE("find gives the first match within its range") {
    TempSegment segment;
    StringList list(segment, segment.make(heap::Kind::list));
    list.extend(numbered(1000, ""));
    list.set(700, "77");
    const auto find = [&](std::uint64_t from, std::uint64_t to, const std::string& wanted) {
        return list.sequence.find(from, to, [&](containers::Bytes item) { return test::text(item) == wanted; });
    };
    REQUIRE(find(0, 1000, "77") == 77u);
    REQUIRE(find(78, 1000, "77") == 700u);
    REQUIRE(find(78, 5000, "77") == 700u);
    REQUIRE_FALSE(find(78, 700, "77"));
    REQUIRE_FALSE(find(701, 1000, "77"));
    REQUIRE_FALSE(find(900, 100, "77"));
    REQUIRE_FALSE(find(2000, 3000, "77"));
    REQUIRE(find(0, 1000, "999") == 999u);
    // Also for the holder of the lock, who wants to act on the answer.
    auto lock = list.sequence.lock();
    REQUIRE(find(0, 1000, "5") == 5u);
}

TEST_CASE("clearing a list gives its memory back") {
    TempSegment segment(64u << 20);
    StringList list(segment, segment.make(heap::Kind::list));
    const std::uint64_t before = list.bytes_held();
    for (int round = 0; round < 3; ++round) {
        list.extend(std::vector<std::string>(200'000, "a value of some twenty"));
        REQUIRE(list.bytes_held() > 4u << 20);
        list.push_back(std::string(1u << 20, 'l'));
        list.push_back(std::string(1u << 20, 'l'));
        list.erase(0);
        list.clear();
        REQUIRE(list.size() == 0);
        REQUIRE(list.bytes_held() == before);
        REQUIRE(list.violations() == none);
    }
}

TEST_CASE("a big list that is emptied item by item gives its memory back") {
    TempSegment segment(64u << 20);
    StringList list(segment, segment.make(heap::Kind::list));
    const std::uint64_t before = list.bytes_held();
    list.extend(std::vector<std::string>(200'000, std::string(60, 'x')));
    while (list.size() != 0) list.erase(list.size() / 2);
    REQUIRE(list.bytes_held() == before);
    REQUIRE(list.violations() == none);
}

TEST_CASE("memory is used again: extend and erase in a loop do not grow the heap") {
    TempSegment segment;
    StringList list(segment, segment.make(heap::Kind::list));
    std::uint64_t held = 0;
    for (int round = 0; round < 60; ++round) {
        list.extend(numbered(500, "value of round "));
        list.reverse();
        list.splice(3, 497, {});
        while (list.size() != 0) list.erase(0);
        if (round == 5) held = list.bytes_held();
        if (round > 5) REQUIRE(list.bytes_held() == held);
    }
    REQUIRE(list.live_bytes() == 0);
}

TEST_CASE("a list that finds no memory stays as it was") {
    TempSegment segment(4u << 20);
    StringList list(segment, segment.make(heap::Kind::list));
    const std::vector<std::string> start = numbered(100, "one of the first ones, ");
    list.extend(start);
    const std::uint64_t live = list.live_bytes();
    const std::vector<std::string> many(40'000, std::string(100, 'm'));
    REQUIRE_THROWS_AS(list.extend(many), heap::OutOfMemory);
    REQUIRE_THROWS_AS(list.splice(10, 20, many), heap::OutOfMemory);
    REQUIRE_THROWS_AS(list.push_back(std::string(8u << 20, 'x')), heap::OutOfMemory);
    REQUIRE_THROWS_AS(list.set(5, std::string(8u << 20, 'x')), heap::OutOfMemory);
    REQUIRE_THROWS_AS(list.insert(5, std::string(8u << 20, 'x')), heap::OutOfMemory);
    REQUIRE(list.contents() == start);
    REQUIRE(list.live_bytes() == live);
    REQUIRE(list.violations() == none);
}

TEST_CASE("a list in a full segment can be emptied, from any place") {
    for (const int place : {0, 1, 2}) {
        TempSegment segment(4u << 20);
        StringList list(segment, segment.make(heap::Kind::list));
        std::uint64_t size = 0;
        for (const std::size_t length : {600u, 7u})  // inline items last: their going frees no block
            try {
                for (;; ++size) list.insert(size / 2, std::string(length, 'f'));
            } catch (const heap::OutOfMemory&) {
            }
        REQUIRE(list.size() == size);
        while (size != 0) {
            REQUIRE(list.erase(place == 0 ? 0 : place == 1 ? size / 2 : size - 1));
            --size;
            if (size % 500 == 0) REQUIRE(list.violations() == none);
        }
        REQUIRE(list.live_bytes() == 0);
    }
}

TEST_CASE("the next change of a list drops what an unfinished one left") {
    TempSegment segment(16u << 20);
    StringList list(segment, segment.make(heap::Kind::list));
    list.extend(numbered(300, "here to stay "));
    const std::uint64_t live = list.live_bytes();
    auto& rep = heap::root_of<containers::SequenceRep>(heap::object_at(*segment, list.sequence.lock().ref().id));
    // As if the author of an extend and of a reverse had died: items beyond the size, a second tree.
    list.extend(numbered(5000, "not yet there "));
    {
        auto lock = list.sequence.lock();
        heap::mutate(lock, [&](tx::Tx& tx, heap::Heap&) {
            tx.set(rep.size, 300);
            tx.set(rep.surplus, 5000);
        });
        std::vector<std::uint64_t> words(5300, containers::item::make_inline({}));
        heap::mutate(lock, [&](tx::Tx& tx, heap::Heap& heap) {
            containers::TreeEdit edit(*segment, rep.spare, tx, heap);
            for (std::uint64_t at = 0; at < 640; at += 64) edit.append_leaf(at, &words[at], 64);
            edit.finish();
        });
    }
    REQUIRE(list.size() == 300);
    REQUIRE(list.contents() == numbered(300, "here to stay "));
    REQUIRE(list.violations() == none);
    list.set(0, "here to stay 0");
    REQUIRE(rep.surplus == 0);
    REQUIRE(rep.spare.root == 0);
    REQUIRE(list.contents() == numbered(300, "here to stay "));
    REQUIRE(list.live_bytes() == live);
    REQUIRE(list.violations() == none);
}

TEST_CASE("no change of a list needs more than 150 log entries") {
    TempSegment segment(64u << 20);
    const heap::ObjectRef ref = segment.make(heap::Kind::list);
    StringList list(segment, ref);
    // A change that overflows its log is refused (I5): a shorter log is the proof.
    heap::object_at(*segment, ref.id).domain.log_capacity = 150;
    test::Random random(7);
    std::uint64_t size = 0;
    for (int i = 0; i < 40'000; ++i, ++size) list.insert(random.below(3) == 0 ? 0 : random.below(size + 1), "");
    list.extend(numbered(20'000, "some longer text "));
    list.reverse();
    list.splice(100, 40'000, numbered(300, "more of it "));
    for (int i = 0; i < 200; ++i) list.set(random.below(list.size()), std::string(random.below(130), 's'));
    REQUIRE(list.violations() == none);
    for (int i = 0; i < 4; ++i) list.push_back(std::string(100'000, 'l'));
    while (list.size() != 0) list.erase(random.below(2) == 0 ? 0 : random.below(list.size()));
    list.extend(std::vector<std::string>(20, std::string(100'000, 'l')));
    list.rearrange({19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0}, 1);
    list.clear();
    REQUIRE(list.violations() == none);
}

TEST_CASE("readers of a list see whole states only") {
    TempSegment segment(64u << 20);
    const heap::ObjectRef ref = segment.make(heap::Kind::list);
    StringList list(segment, ref);
    // At rest: 0..n-1, each item its number and then that many bytes of its number's letter; sizes a multiple of 100.
    const auto value = [](std::uint64_t i) {
        return std::to_string(i) + " " + std::string(i % 700, static_cast<char>('a' + i % 26));
    };
    const auto hundred = [&](std::uint64_t from) {
        std::vector<std::string> values;
        for (std::uint64_t i = from; i < from + 100; ++i) values.push_back(value(i));
        return values;
    };
    std::atomic<bool> stop{false};
    std::atomic<std::uint64_t> reads{0}, wrong{0};
    const auto reader = [&](unsigned seed) {
        StringList own(segment, ref);
        test::Random random(seed);
        while (!stop.load()) {
            const std::uint64_t index = random.below(1200);
            const std::string seen = own.at(index);
            if (seen != value(index) && seen != "(no such index)") ++wrong;
            if (own.size() % 100 != 0) ++wrong;
            const auto all = own.contents();
            if (all.size() % 100 != 0) ++wrong;
            for (std::size_t i = 0; i < all.size(); ++i)
                if (all[i] != value(i)) ++wrong;
            const auto found = own.sequence.find(0, ~std::uint64_t{0}, [&](containers::Bytes item) {
                return test::text(item) == value(150);
            });
            if (found && *found != 150) ++wrong;
            ++reads;
        }
    };
    std::thread first(reader, 1), second(reader, 2);
    test::Random random(3);
    for (int i = 0; i < 400 || reads < 200; ++i) {
        const std::uint64_t size = list.size();
        const std::uint64_t keep = random.below(size / 100 + 1) * 100;
        if (size < 1000) list.extend(hundred(size));
        if (random.below(3) == 0) list.splice(keep, list.size(), hundred(keep));
        if (random.below(3) == 0 && list.size() != 0) {  // the same items once more
            const std::uint64_t from = random.below(list.size() / 100) * 100;
            list.splice(from, from + 100, hundred(from));
        }
        if (list.size() != 0) {
            const std::uint64_t index = random.below(list.size());
            list.set(index, value(index));
        }
        if (random.below(20) == 0) list.clear();
    }
    stop = true;
    first.join();
    second.join();
    REQUIRE(wrong == 0);
    REQUIRE(list.violations() == none);
}

TEST_CASE("a list that was erased is known to be gone") {
    TempSegment segment;
    containers::Directory directory(*segment);
    const auto opened = directory.open_or_create("gone", heap::Kind::list, {});
    StringList list(segment, opened.ref);
    list.push_back("x");
    REQUIRE(directory.erase("gone"));
    REQUIRE_THROWS_AS(list.size(), heap::Destroyed);
    REQUIRE_THROWS_AS(list.at(0), heap::Destroyed);
    REQUIRE_THROWS_AS(list.contents(), heap::Destroyed);
    REQUIRE_THROWS_AS(list.push_back("y"), heap::Destroyed);
}

TEST_CASE("verify of a list finds damage and always ends") {
    TempSegment segment;
    const heap::ObjectRef ref = segment.make(heap::Kind::list);
    StringList list(segment, ref);
    list.extend(numbered(20'000, "some text, "));
    auto& rep = heap::root_of<containers::SequenceRep>(heap::object_at(*segment, ref.id));
    auto& root = *segment->at<containers::NodeRep>(rep.main.root);
    const auto damaged = [&](auto& cell, auto value) {
        const auto before = cell.get();
        tx::Tx::init(cell, value);
        const bool found = !list.violations().empty();
        tx::Tx::init(cell, before);
        return found;
    };
    REQUIRE(damaged(rep.size, 19'999u));
    REQUIRE(damaged(rep.size, 0u));
    REQUIRE(damaged(rep.main.root, 12345u));
    REQUIRE(damaged(rep.main.height, 11u));
    REQUIRE(damaged(rep.main.tail, rep.main.root.get()));
    REQUIRE(damaged(root.count, 0u));
    REQUIRE(damaged(root.count, 4000u));
    REQUIRE(damaged(root.before[1], 3u));
    REQUIRE(damaged(root.child[1], rep.main.root.get()));
    REQUIRE(damaged(root.child[1], root.child[0].get()));
    REQUIRE(damaged(rep.spare.root, rep.main.root.get()));
    REQUIRE(list.violations() == none);
}
