#include <catch2/catch.hpp>

#include <atomic>
#include <set>
#include <thread>

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

TEST_CASE("a new queue is empty, open and without bound") {
    TempSegment segment;
    StringQueue queue(segment, segment.make(heap::Kind::queue));
    REQUIRE(queue.queue.size() == 0);
    REQUIRE(queue.queue.maxsize() == 0);
    REQUIRE_FALSE(queue.queue.closed());
    REQUIRE(queue.queue.looks_empty());
    REQUIRE_FALSE(queue.queue.looks_full());
    REQUIRE(queue.get() == "(empty)");
    REQUIRE(queue.peek() == "(empty)");
    REQUIRE(queue.contents() == none);
    REQUIRE(queue.violations() == none);
    queue.queue.clear();
    REQUIRE(queue.live_bytes() == 0);
    REQUIRE(queue.put("") == Result::ok);  // an item of no bytes is an item
    REQUIRE(queue.get() == "");
    REQUIRE(queue.get() == "(empty)");
}

TEST_CASE("a queue keeps items of every length in their order") {
    TempSegment segment(64u << 20);
    StringQueue queue(segment, segment.make(heap::Kind::queue));
    std::vector<std::string> items;
    for (const std::size_t size : {0u, 1u, 7u, 8u, 9u, 63u, 64u, 65u, 983u, 984u, 985u, 1024u, 8191u, 8192u, 8193u,
                                   32767u, 32768u, 32769u, 65536u, 1u << 20, 0u, 3u})
        items.emplace_back(size, static_cast<char>('a' + size % 26));
    for (int round = 0; round < 20; ++round) {
        // Another place in the chunks every time.
        for (int i = 0; i < round; ++i) REQUIRE(queue.put(std::string(40, 'x')) == Result::ok);
        for (const std::string& item : items) REQUIRE(queue.put(item) == Result::ok);
        for (int i = 0; i < round; ++i) REQUIRE(queue.get() == std::string(40, 'x'));
        REQUIRE(queue.contents() == items);
        REQUIRE(queue.violations() == none);
        for (const std::string& item : items) {
            REQUIRE(queue.peek() == item);
            REQUIRE(queue.get() == item);
        }
        REQUIRE(queue.get() == "(empty)");
        REQUIRE(queue.violations() == none);
    }
}

TEST_CASE("a bounded queue counts what is in it, not what ever was") {
    TempSegment segment;
    StringQueue queue(segment, bounded(segment, 3));
    for (int round = 0; round < 100; ++round) {
        for (const char* item : {"a", "b", "c"}) REQUIRE(queue.put(item) == Result::ok);
        REQUIRE(queue.queue.looks_full());
        REQUIRE(queue.put("d") == Result::full);
        REQUIRE(queue.contents() == std::vector<std::string>{"a", "b", "c"});
        REQUIRE(queue.get() == "a");
        REQUIRE(queue.put("d") == Result::ok);
        REQUIRE(queue.put("e") == Result::full);
        if (round % 10 == 9) {
            queue.queue.clear();
        } else {
            for (const char* item : {"b", "c", "d"}) REQUIRE(queue.get() == item);
        }
        REQUIRE(queue.queue.size() == 0);
    }
    REQUIRE(queue.violations() == none);
}

TEST_CASE("a negative bound is none") {
    TempSegment segment;
    StringQueue queue(segment, bounded(segment, -5));
    for (int i = 0; i < 1000; ++i) REQUIRE(queue.put("item") == Result::ok);
    REQUIRE_FALSE(queue.queue.looks_full());
}

TEST_CASE("a closed queue is drained, and then closed for those who get, too") {
    TempSegment segment;
    StringQueue queue(segment, segment.make(heap::Kind::queue));
    REQUIRE(queue.put("one") == Result::ok);
    REQUIRE(queue.put("two") == Result::ok);
    queue.queue.close();
    queue.queue.close();
    REQUIRE(queue.queue.closed());
    REQUIRE(queue.put("three") == Result::closed);
    REQUIRE(queue.get() == "one");
    REQUIRE(queue.peek() == "two");
    REQUIRE(queue.get() == "two");
    REQUIRE(queue.get() == "(closed)");
    queue.queue.clear();
    REQUIRE(queue.put("four") == Result::closed);  // clearing does not open it
    REQUIRE(queue.violations() == none);
}

TEST_CASE("clearing a queue gives its memory back") {
    TempSegment segment(64u << 20);
    StringQueue queue(segment, segment.make(heap::Kind::queue));
    const std::uint64_t before = queue.bytes_held();
    for (int round = 0; round < 3; ++round) {
        for (int i = 0; i < 100'000; ++i) REQUIRE(queue.put(std::string(64, 'm')) == Result::ok);
        for (int i = 0; i < 3; ++i) REQUIRE(queue.put(std::string(1u << 20, 'l')) == Result::ok);
        for (int i = 0; i < 10; ++i) queue.get();
        queue.queue.clear();
        REQUIRE(queue.queue.size() == 0);
        REQUIRE(queue.bytes_held() == before);
        REQUIRE(queue.violations() == none);
    }
}

TEST_CASE("a queue in steady use holds steady memory") {
    TempSegment segment(64u << 20);
    StringQueue queue(segment, segment.make(heap::Kind::queue));
    test::Random random(11);
    std::uint64_t held = 0;
    for (int i = 0; i < 500; ++i) REQUIRE(queue.put(std::string(64, 's')) == Result::ok);
    for (int round = 0; round < 60'000; ++round) {
        REQUIRE(queue.put(std::string(round % 1000 == 7 ? 200'000 : 64, 's')) == Result::ok);
        REQUIRE(queue.get() != "(empty)");
        if (round == 20'000) held = queue.bytes_held();
    }
    REQUIRE(queue.bytes_held() == held);
    REQUIRE(queue.violations() == none);
}

TEST_CASE("a queue that finds no memory stays as it was, and can be drained and filled again") {
    TempSegment segment(4u << 20);
    StringQueue queue(segment, segment.make(heap::Kind::queue));
    REQUIRE(queue.put("first") == Result::ok);
    const std::uint64_t live = queue.live_bytes();
    REQUIRE_THROWS_AS(queue.put(std::string(8u << 20, 'x')), heap::OutOfMemory);
    REQUIRE(queue.contents() == std::vector<std::string>{"first"});
    REQUIRE(queue.live_bytes() == live);
    std::uint64_t most = 0;
    for (int round = 0; round < 3; ++round) {
        std::uint64_t count = 1;
        try {
            for (;; ++count) queue.put(std::string(300, static_cast<char>('a' + count % 26)));
        } catch (const heap::OutOfMemory&) {
        }
        if (round == 0) most = count;
        REQUIRE(count * 10 >= most * 9);  // chunks of other sizes may lie idle
        REQUIRE(queue.queue.size() == count);
        REQUIRE(queue.violations() == none);
        REQUIRE(queue.get() == "first");
        for (std::uint64_t i = 1; i < count; ++i)
            REQUIRE(queue.get() == std::string(300, static_cast<char>('a' + i % 26)));
        REQUIRE(queue.get() == "(empty)");
        REQUIRE(queue.put("first") == Result::ok);
    }
}

TEST_CASE("no put and no get of a queue needs more than 24 log entries") {
    TempSegment segment(64u << 20);
    StringQueue queue(segment, segment.make(heap::Kind::queue));
    // A change that overflows its log is refused (I5): a shorter log is the proof.
    heap::object_at(*segment, queue.ref.id).domain.log_capacity = 24;
    test::Random random(5);
    for (int i = 0; i < 30'000; ++i) {
        const bool fill = i / 1000 % 2 == 0;
        if (random.below(10) < (fill ? 7u : 3u))
            REQUIRE(queue.put(random.value(100'000)) == Result::ok);
        else
            queue.get();
    }
    while (queue.get() != "(empty)" || queue.queue.size() != 0) continue;
    REQUIRE(queue.violations() == none);
}

TEST_CASE("producers and consumers at once: each item once, and in its producer's order") {
    TempSegment segment(64u << 20);
    const heap::ObjectRef ref = bounded(segment, 50);
    constexpr int producers = 2, consumers = 2, each = 20'000;
    std::atomic<int> taken{0}, wrong{0};
    std::vector<std::vector<std::string>> got(consumers);
    std::vector<std::thread> threads;
    for (int p = 0; p < producers; ++p)
        threads.emplace_back([&, p] {
            StringQueue queue(segment, ref);
            for (int i = 0; i < each; ++i) {
                const std::string item = std::to_string(p) + " " + std::to_string(i) + " " +
                                         std::string(static_cast<std::size_t>(i % 90), '.');
                while (queue.put(item) == Result::full) std::this_thread::yield();
            }
        });
    for (int c = 0; c < consumers; ++c)
        threads.emplace_back([&, c] {
            StringQueue queue(segment, ref);
            while (taken.load() < producers * each) {
                std::string item = queue.get();
                if (queue.queue.size() > 50) ++wrong;
                if (item == "(empty)") {
                    std::this_thread::yield();
                    continue;
                }
                ++taken;
                got[static_cast<std::size_t>(c)].push_back(std::move(item));
            }
        });
    for (std::thread& thread : threads) thread.join();
    std::set<std::pair<int, int>> seen;
    for (const auto& items : got) {
        int last[producers] = {-1, -1};
        for (const std::string& item : items) {
            const int p = item[0] - '0', i = std::stoi(item.substr(2));
            REQUIRE((p == 0 || p == 1));
            REQUIRE(i > last[p]);
            last[p] = i;
            REQUIRE(item.size() - item.rfind(' ') - 1 == static_cast<std::size_t>(i % 90));
            REQUIRE(seen.emplace(p, i).second);
        }
    }
    REQUIRE(seen.size() == producers * each);
    REQUIRE(wrong == 0);
    StringQueue queue(segment, ref);
    REQUIRE(queue.queue.size() == 0);
    REQUIRE(queue.violations() == none);
}

TEST_CASE("a task is done once") {
    TempSegment segment;
    StringQueue queue(segment, segment.make(heap::Kind::queue));
    REQUIRE(queue.queue.task_done() == Queue::Done::too_many);
    for (const char* item : {"a", "b", "c", "d"}) REQUIRE(queue.put(item) == Result::ok);
    REQUIRE(queue.queue.unfinished() == 4);
    REQUIRE(queue.get() == "a");
    REQUIRE(queue.get() == "b");
    REQUIRE(queue.queue.unfinished() == 4);
    REQUIRE(queue.queue.task_done() == Queue::Done::ok);
    queue.queue.clear();  // nobody will report those
    REQUIRE(queue.queue.unfinished() == 1);
    REQUIRE(queue.queue.task_done() == Queue::Done::last);
    REQUIRE(queue.queue.task_done() == Queue::Done::too_many);
    REQUIRE(queue.queue.unfinished() == 0);
    REQUIRE(queue.violations() == none);
}

TEST_CASE("a queue that was erased is known to be gone") {
    TempSegment segment;
    containers::Directory directory(*segment);
    StringQueue queue(segment, directory.open_or_create("gone", heap::Kind::queue, {}).ref);
    REQUIRE(queue.put("x") == Result::ok);
    REQUIRE(directory.erase("gone"));
    REQUIRE_THROWS_AS(queue.put("y"), heap::Destroyed);
    REQUIRE_THROWS_AS(queue.get(), heap::Destroyed);
    REQUIRE_THROWS_AS(queue.queue.size(), heap::Destroyed);
    REQUIRE_THROWS_AS(queue.contents(), heap::Destroyed);
}

TEST_CASE("verify of a queue finds damage and always ends") {
    TempSegment segment;
    StringQueue queue(segment, segment.make(heap::Kind::queue));
    for (int i = 0; i < 2000; ++i) REQUIRE(queue.put("item number " + std::to_string(i)) == Result::ok);
    REQUIRE(queue.put(std::string(10'000, 'l')) == Result::ok);
    containers::QueueRep& rep = queue.rep();
    auto& first = *segment->at<containers::ChunkRep>(rep.fifo.head_chunk);
    REQUIRE(rep.fifo.head_chunk != rep.fifo.tail_chunk);
    const auto damaged = [&](auto& cell, auto value) {
        const auto before = cell.get();
        tx::Tx::init(cell, value);
        bool found = false;
        try {
            found = !queue.violations().empty();
        } catch (const segment::Damage&) {
            found = true;
        }
        tx::Tx::init(cell, before);
        return found;
    };
    REQUIRE(damaged(rep.fifo.puts, 1u));
    REQUIRE(damaged(rep.fifo.gets, 5000u));
    REQUIRE(damaged(rep.fifo.tail, 16u));
    REQUIRE(damaged(rep.fifo.head, rep.fifo.tail.get()));
    REQUIRE(damaged(rep.fifo.head_chunk, rep.fifo.tail_chunk.get()));
    REQUIRE(damaged(rep.fifo.tail_chunk, rep.fifo.head_chunk.get()));
    REQUIRE(damaged(first.next, rep.fifo.head_chunk.get()));
    REQUIRE(damaged(first.next, 0u));
    REQUIRE(damaged(first.size, 1u << 30));
    REQUIRE(damaged(first.end, rep.fifo.head_chunk.get()));
    REQUIRE(queue.violations() == none);
}
