// Many items as one.
#include <catch2/catch.hpp>

#include "string_queue.hpp"

using namespace muster;
using containers::Queue;
using Result = Queue::Result;
using test::bounded;
using test::bytes;
using test::none;
using test::StringQueue;
using test::TempSegment;
using test::text;

TEST_CASE("many items are put as one and taken as one, as far as there is room") {
    TempSegment segment(64u << 20);
    StringQueue queue(segment, bounded(segment, 1000));
    const std::uint64_t empty_live = queue.live_bytes();
    heap::object_at(*segment, queue.ref.id).domain.log_capacity = 220;  // 24 large blocks come to that
    test::Random random(9);
    std::vector<std::string> expected;
    std::size_t next = 0;
    for (int round = 0; round < 300; ++round) {
        muster::detail::Strings items;
        std::vector<std::string> values(random.below(700));
        for (std::string& value : values) {
            value = random.below(30) == 0 ? random.value(40'000) : random.value(100);
            items.add(bytes(value));
        }
        const std::size_t from = random.below(values.size() + 1);
        const std::size_t room = 1000 - (expected.size() - next), offered = values.size() - from;
        const Queue::Many put = queue.queue.put_many(items, from);
        REQUIRE(put.count == std::min(room, offered));
        REQUIRE(put.result == (offered <= room ? Result::ok : Result::full));
        for (std::size_t i = 0; i < put.count; ++i) expected.push_back(values[from + i]);
        muster::detail::Strings out;
        out.add(bytes(values.emplace_back("what was there")));
        const std::size_t wanted = random.below(1100), there = expected.size() - next;
        const Queue::Many got = queue.queue.get_many(wanted, out);
        REQUIRE(got.count <= std::min(wanted, there));
        REQUIRE((got.count != 0 || wanted == 0 || there == 0));
        if (got.result == Result::empty) REQUIRE(got.count == there);
        REQUIRE(out.size() == got.count + 1);
        REQUIRE(text(out[0]) == "what was there");
        for (std::size_t i = 0; i < got.count; ++i) REQUIRE(text(out[i + 1]) == expected[next++]);
        REQUIRE(queue.queue.size() == expected.size() - next);
        if (round % 10 == 0) REQUIRE(queue.violations() == none);
    }
    for (muster::detail::Strings out; next < expected.size();) {
        out.clear();
        const Queue::Many got = queue.queue.get_many(1000, out);
        REQUIRE(got.count != 0);
        for (std::size_t i = 0; i < got.count; ++i) REQUIRE(text(out[i]) == expected[next++]);
    }
    muster::detail::Strings out;
    REQUIRE(queue.queue.get_many(5, out).result == Result::empty);
    REQUIRE(queue.queue.get_many(0, out).result == Result::ok);
    queue.queue.close();
    REQUIRE(queue.queue.get_many(5, out).result == Result::closed);
    REQUIRE(queue.queue.put_many(out).result == Result::closed);
    REQUIRE(queue.violations() == none);
    REQUIRE(queue.live_bytes() <= empty_live + 32 * 1024);  // one chunk
}

TEST_CASE("many items that find no memory: a beginning is put, or the error tells that none was") {
    TempSegment segment(4u << 20);
    StringQueue queue(segment, segment.make(heap::Kind::queue));
    muster::detail::Strings items;
    for (int i = 0; i < 20'000; ++i) items.add(bytes(std::string(300, static_cast<char>('a' + i % 26))));
    const Queue::Many put = queue.queue.put_many(items);
    REQUIRE(put.result == Result::full);
    REQUIRE(put.count > 1000);
    REQUIRE(queue.queue.size() == put.count);
    REQUIRE(queue.violations() == none);
    muster::detail::Strings large;
    large.add(bytes(std::string(4u << 20, 'l')));
    REQUIRE_THROWS_AS(queue.queue.put_many(large), heap::OutOfMemory);
    for (std::size_t i = 0; i < put.count; ++i) REQUIRE(queue.get() == text(items[i]));
    REQUIRE(queue.get() == "(empty)");
}
