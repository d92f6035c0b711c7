// The queue against std::deque: random operations, the same answers, no violation on the way.
#include <catch2/catch.hpp>

#include <cstdlib>
#include <deque>
#include <random>
#include <string>

#include "containers/containers.hpp"
#include "support/bytes.hpp"
#include "support/temp_segment.hpp"

using namespace muster;
using containers::Bytes;
using containers::Queue;
using Result = containers::Queue::Result;
using test::bytes;
using test::Out;

namespace {

void require_whole(const Queue& queue, const segment::Segment& segment, heap::ObjectRef ref) {
    std::string found;
    queue.verify([&](std::string what) { found += what + "\n"; });
    const heap::ObjectLock lock(segment, ref);
    lock.heap().verify([&](const char* what) { found += what; });
    INFO(found);
    REQUIRE(found.empty());
}

}  // namespace

TEST_CASE("a queue answers as a deque does") {
    const char* given = std::getenv("MUSTER_SEED");
    const unsigned seed = given != nullptr ? static_cast<unsigned>(std::strtoul(given, nullptr, 10)) : 20250311u;
    INFO("seed " << seed << " (set MUSTER_SEED to repeat)");
    std::mt19937 random(seed);
    const auto below = [&](unsigned n) { return std::uniform_int_distribution<unsigned>(0, n - 1)(random); };

    test::TempSegment segment(64u << 20);
    const heap::ObjectRef ref = segment.make(heap::Kind::queue);
    Queue queue(*segment, ref);
    std::deque<std::string> reference;
    for (int step = 0; step < 40'000; ++step) {
        // Long stretches that fill, then long ones that drain.
        const unsigned puts_of_ten = step / 500 % 2 == 0 ? 7 : 3;
        if (below(10) < puts_of_ten) {
            static constexpr unsigned sizes[] = {0, 1, 5, 8, 63, 64, 65, 500, 1016, 1024, 4096, 8192, 8193, 20000, 70000};
            const unsigned size = sizes[below(200) == 0 ? below(15) : below(9)];
            const std::string item(size, static_cast<char>('a' + below(26)));
            REQUIRE(queue.try_put(bytes(item)) == Result::ok);
            reference.push_back(item);
        } else if (below(10) == 0) {  // many: as they are copied, or looked at first
            const std::size_t most = 1 + below(6), enough = 1 + below(3000), wanted = below(7);
            muster::detail::Strings items;
            Queue::Many many{};
            if (below(2) == 0) {
                many = queue.get_many(most, items, enough, [&] { return std::min(wanted, items.size()); });
                REQUIRE(items.size() == many.count);
                if (!reference.empty() && wanted == 0) REQUIRE(many.result == Result::kept);
            } else {
                Queue::Seen seen;
                const std::size_t count = queue.look_at_many(most, items, enough, seen);
                REQUIRE((count == 0) == reference.empty());
                const bool overtaken = count != 0 && below(4) == 0;
                if (overtaken) {
                    Out out;
                    REQUIRE(queue.try_get(out) == Result::ok);
                    reference.pop_front();
                }
                many = queue.take_many_seen(std::min(wanted, count), seen);
                REQUIRE(many.count == (overtaken ? 0 : std::min(wanted, count)));
                REQUIRE((many.result == Result::kept) == overtaken);
            }
            for (std::size_t i = 0; i < many.count; ++i) {
                REQUIRE(std::ranges::equal(items[i], bytes(reference.front())));
                reference.pop_front();
            }
        } else {
            Out out, next;
            REQUIRE((queue.peek(next) == Result::empty) == reference.empty());
            if (below(3) == 0) {  // looked at first, then taken; now and then somebody is faster
                muster::detail::Buffer item;
                Queue::Seen seen;
                const auto taken = [&](Result result) {
                    out.value.assign(reinterpret_cast<const char*>(item.data()), item.size());
                    return result;
                };
                REQUIRE(queue.try_get(item, seen, [] { return false; }) == (reference.empty() ? Result::empty : Result::kept));
                if (!reference.empty() && below(4) == 0) {
                    Out first;
                    REQUIRE(queue.try_get(first) == Result::ok);
                    REQUIRE(first.value == reference.front());
                    reference.pop_front();
                    const bool again = !reference.empty();
                    const Result second = queue.take_seen(item, seen);
                    REQUIRE((second == Result::empty) == !again);
                    if (second == Result::kept) REQUIRE(taken(second) == Result::kept);
                    if (second == Result::ok) REQUIRE(taken(second) == Result::ok);  // of the same bytes
                    if (second == Result::kept) REQUIRE(taken(queue.take_seen(item, seen)) == Result::ok);
                    if (!again) continue;
                    next.value = reference.front();
                } else {
                    REQUIRE(taken(queue.take_seen(item, seen)) == (reference.empty() ? Result::empty : Result::ok));
                }
            } else {
                REQUIRE((queue.try_get(out) == Result::empty) == reference.empty());
            }
            if (!reference.empty()) {
                REQUIRE(out.value == reference.front());
                REQUIRE(next.value == reference.front());
                reference.pop_front();
            }
        }
        REQUIRE(queue.size() == reference.size());
        if (step % 500 == 499) {
            std::deque<std::string> all;
            queue.for_each([&](std::uint64_t) { all.clear(); },
                           [&](Bytes item) { all.emplace_back(reinterpret_cast<const char*>(item.data()), item.size()); });
            REQUIRE(all == reference);
            require_whole(queue, *segment, ref);
        }
        if (step % 9000 == 8999) {
            queue.clear();
            reference.clear();
            require_whole(queue, *segment, ref);
            const heap::ObjectLock lock(*segment, ref);
            REQUIRE(lock.heap().bytes() == heap::body_bytes);
        }
    }
}

TEST_CASE("a bounded queue is full at its bound, a closed one takes nothing more") {
    test::TempSegment segment;
    const heap::ObjectRef ref = segment.make(heap::Kind::queue);
    Queue::init(heap::object_at(*segment, ref.id), 2);
    Queue queue(*segment, ref);
    REQUIRE(queue.try_put(bytes("a")) == Result::ok);
    REQUIRE(queue.try_put(bytes("b")) == Result::ok);
    REQUIRE(queue.try_put(bytes("c")) == Result::full);
    Out out;
    REQUIRE(queue.try_get(out) == Result::ok);
    REQUIRE(out.value == "a");
    queue.close();
    REQUIRE(queue.try_put(bytes("c")) == Result::closed);
    REQUIRE(queue.try_get(out) == Result::ok);
    REQUIRE(out.value == "b");
    REQUIRE(queue.try_get(out) == Result::closed);
}

TEST_CASE("a queue in a full segment refuses and keeps what it has") {
    test::TempSegment segment(4u << 20);
    const heap::ObjectRef ref = segment.make(heap::Kind::queue);
    Queue queue(*segment, ref);
    std::size_t put = 0;
    REQUIRE_THROWS_AS(
        [&] {
            for (;; ++put) queue.try_put(bytes(std::string(20'000, static_cast<char>('a' + put % 26))));
        }(),
        heap::OutOfMemory);
    REQUIRE(queue.size() == put);
    require_whole(queue, *segment, ref);
    for (std::size_t i = 0; i < put; ++i) {
        Out out;
        REQUIRE(queue.try_get(out) == Result::ok);
        REQUIRE(out.value == std::string(20'000, static_cast<char>('a' + i % 26)));
    }
    require_whole(queue, *segment, ref);
}
