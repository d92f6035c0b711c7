#include <catch2/catch.hpp>

#include <vector>

#include "support/failing_fallocate.hpp"
#include "support/soundness.hpp"
#include "support/temp_segment.hpp"

using namespace muster;
using heap::Heap;
using heap::ObjectLock;
using tx::Tx;

namespace {

constexpr std::uint64_t large = 50'000;

struct Fixture {
    test::TempSegment segment{segment::minimum_capacity};
    heap::ObjectRef ref = segment.make(heap::Kind::dict);

    std::uint64_t allocate(std::uint64_t size) {
        ObjectLock lock(*segment, ref);
        return heap::mutate(lock, [&](Tx& tx, Heap& heap) { return heap.allocate(tx, size); });
    }
    void free(std::uint64_t block, std::uint64_t size) {
        ObjectLock lock(*segment, ref);
        heap::mutate(lock, [&](Tx& tx, Heap& heap) { heap.free(tx, block, size); });
    }
    std::uint64_t live() const { return ObjectLock(*segment, ref).heap().live_bytes(); }
    std::uint64_t bytes() const { return ObjectLock(*segment, ref).heap().bytes(); }
    std::string wrong() const { return test::first_violations(*segment); }
};

}  // namespace

TEST_CASE("a block is at least as large as asked for, aligned, and its own") {
    Fixture f;
    std::uint64_t expected = 0;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> blocks;
    for (const std::uint64_t size : std::initializer_list<std::uint64_t>{0, 1, 16, 17, 100, 128, 129, 1000, 5000, 20'000, 32'768, 32'769,
                                                                         100'000}) {
        const std::uint64_t block = f.allocate(size);
        CHECK(block % 16 == 0);
        CHECK(Heap::usable(size) >= size);
        std::memset(f.segment->base() + block, 0xaa, size);
        blocks.emplace_back(block, size);
        expected += size <= heap::largest_class
                        ? heap::class_size(heap::class_of(size))
                        : heap::Extents(*f.segment).bytes_at(block - sizeof(heap::ExtentHeader));
        CHECK(f.live() == expected);
        CHECK(heap::Heap::Owned(ObjectLock(*f.segment, f.ref).heap()).holds(block, size));
    }
    for (std::size_t i = 0; i < blocks.size(); ++i)
        for (std::size_t j = 0; j < i; ++j) {
            const bool before = blocks[i].first + Heap::usable(blocks[i].second) <= blocks[j].first;
            const bool behind = blocks[j].first + Heap::usable(blocks[j].second) <= blocks[i].first;
            CHECK((before || behind));
        }
    CHECK(f.wrong() == "");
    for (const auto& [block, size] : blocks) f.free(block, size);
    CHECK(f.live() == 0);
    CHECK(f.wrong() == "");
}

TEST_CASE("a freed block is the next one of its class") {
    Fixture f;
    const std::uint64_t first = f.allocate(100), second = f.allocate(100);
    f.free(first, 100);
    CHECK(f.allocate(40) != first);
    CHECK(f.allocate(105) == first);
    f.free(second, 100);
    CHECK(f.allocate(97) == second);
    CHECK(f.wrong() == "");
}

TEST_CASE("a heap grows in ever larger steps, and what is left of a chunk is used") {
    Fixture f;
    std::uint64_t last = f.bytes();
    CHECK(last == heap::body_bytes);
    int steps = 0;
    for (int i = 0; i < 2000; ++i) {
        f.allocate(500);
        if (f.bytes() != last) ++steps;
        last = f.bytes();
    }
    CHECK(steps >= 3);
    CHECK(steps < 20);
    CHECK(f.live() == 2000 * 512);
    CHECK(f.bytes() < f.live() * 2 + heap::body_bytes);
    CHECK(f.wrong() == "");
}

TEST_CASE("a freed large block is kept for the next one, and given back by trim") {
    Fixture f;
    const std::uint64_t empty = f.bytes();
    const std::uint64_t block = f.allocate(large);
    const std::uint64_t used = f.bytes();
    f.free(block, large);
    CHECK(f.live() == 0);
    CHECK(f.bytes() == used);
    CHECK(f.allocate(large - 1000) == block);
    CHECK(f.bytes() == used);
    f.free(block, large - 1000);
    // Far too large for this one: it gets an extent of its own.
    const std::uint64_t other = f.allocate(33'000 / 2 * 2);
    CHECK(f.wrong() == "");
    f.free(other, 33'000);
    {
        ObjectLock lock(*f.segment, f.ref);
        lock.heap().trim();
    }
    CHECK(f.bytes() == empty);
    CHECK(heap::Extents(*f.segment).used_bytes() == empty);
    CHECK(f.wrong() == "");
}

TEST_CASE("more than the spare limit is given back to the segment") {
    test::TempSegment segment(64u << 20);
    const heap::ObjectRef ref = segment.make(heap::Kind::dict);
    ObjectLock lock(*segment, ref);
    std::vector<std::uint64_t> blocks;
    for (int i = 0; i < 12; ++i)
        blocks.push_back(heap::mutate(lock, [&](Tx& tx, Heap& heap) { return heap.allocate(tx, 1u << 20); }));
    for (const std::uint64_t block : blocks)
        heap::mutate(lock, [&](Tx& tx, Heap& heap) { heap.free(tx, block, 1u << 20); });
    CHECK(lock.heap().live_bytes() == 0);
    CHECK_FALSE(lock.heap().has_garbage());
    CHECK(lock.heap().bytes() <= (8u << 20) + heap::body_bytes);
    CHECK(lock.heap().bytes() > 7u << 20);
}

TEST_CASE("reset frees every block at once") {
    Fixture f;
    for (int i = 0; i < 50; ++i) f.allocate(300);
    f.allocate(large);
    f.free(f.allocate(large), large);
    {
        ObjectLock lock(*f.segment, f.ref);
        heap::mutate(lock, [](Tx& tx, Heap& heap) { heap.reset(tx); });
        CHECK_FALSE(lock.heap().has_garbage());
        lock.heap().trim();
    }
    CHECK(f.live() == 0);
    CHECK(f.bytes() == heap::body_bytes);
    CHECK(f.wrong() == "");
    for (int i = 0; i < 50; ++i) f.allocate(300);
    CHECK(f.wrong() == "");
}

TEST_CASE("an exception of the mutation undoes it") {
    Fixture f;
    const std::uint64_t block = f.allocate(100);
    const auto fail = [&] {
        ObjectLock lock(*f.segment, f.ref);
        heap::mutate(lock, [&](Tx& tx, Heap& heap) {
            heap.allocate(tx, 200);
            heap.free(tx, block, 100);
            throw std::runtime_error("no");
        });
    };
    const std::uint64_t before = f.live();
    CHECK_THROWS_AS(fail(), std::runtime_error);
    CHECK(f.live() == before);
    CHECK(f.wrong() == "");
    CHECK(f.allocate(100) != block);
}

TEST_CASE("a full segment is out of memory, and nothing has changed") {
    Fixture f;
    const auto fill = [&](std::uint64_t size) {
        std::vector<std::uint64_t> blocks;
        try {
            for (;;) blocks.push_back(f.allocate(size));
        } catch (const heap::OutOfMemory& error) {
            CHECK(error.bytes >= size);
        }
        return blocks;
    };
    const auto blocks = fill(large);
    CHECK(blocks.size() > 30);
    const std::uint64_t live = f.live(), bytes = f.bytes();
    CHECK_THROWS_AS(f.allocate(10 * large), heap::OutOfMemory);
    CHECK(f.live() == live);
    CHECK(f.bytes() == bytes);
    CHECK(f.wrong() == "");
    const auto small = fill(100);
    CHECK(small.size() > 10);
    CHECK(f.wrong() == "");
    for (const std::uint64_t block : small) f.free(block, 100);
    for (const std::uint64_t block : blocks) f.free(block, large);
    CHECK(f.live() == 0);
    CHECK(fill(large).size() == blocks.size());
    CHECK(f.wrong() == "");
}

TEST_CASE("a reservation that fails, any of them, is out of memory, and nothing has changed") {
    Fixture f;
    // Three blocks in one mutation: a large one, one where the heap grows, one that fits.
    const auto three = [&] {
        ObjectLock lock(*f.segment, f.ref);
        heap::mutate(lock, [&](Tx& tx, Heap& heap) {
            heap.allocate(tx, large);
            heap.allocate(tx, 10'000);
            heap.allocate(tx, 50);
        });
    };
    int failures = 0;
    for (int nth = 0;; ++nth) {
        REQUIRE(nth < 20);
        const std::uint64_t live = f.live();
        const test::FailingReservation failing(nth);
        bool thrown = false;
        try {
            three();
        } catch (const heap::OutOfMemory&) {
            thrown = true;
        }
        // (A growing heap asks again for less, so that a failure need not be seen.)
        if (thrown) {
            CHECK(failing.fired());
            CHECK(f.live() == live);
            ++failures;
        }
        CHECK(f.wrong() == "");
        if (!failing.fired()) break;
    }
    CHECK(failures >= 1);
}

TEST_CASE("an object is not made without memory for it") {
    test::TempSegment segment(segment::minimum_capacity);
    containers::Directory directory(*segment);
    int failures = 0;
    for (int nth = 0;; ++nth) {
        REQUIRE(nth < 10);
        const test::FailingReservation failing(nth);
        try {
            directory.open_or_create("name", heap::Kind::dict, {});
        } catch (const heap::OutOfMemory&) {
            ++failures;
            CHECK(directory.live() == 0);
            CHECK(heap::Extents(*segment).used_bytes() == 0);
            CHECK(test::first_violations(*segment) == "");
        }
        if (!failing.fired()) break;
    }
    CHECK(failures == 2);
    CHECK(directory.live() == 1);
}

TEST_CASE("an extent that nobody links is found by its tag") {
    Fixture f;
    const std::uint64_t used = heap::Extents(*f.segment).used_bytes();
    heap::Extents(*f.segment).acquire(12'345, f.ref.id);
    CHECK(f.wrong() != "");
    heap::object_at(*f.segment, f.ref.id).domain.unreconciled = 1;  // as after a death in between
    { const ObjectLock lock(*f.segment, f.ref); }
    CHECK(heap::Extents(*f.segment).used_bytes() == used);
    CHECK(f.wrong() == "");
}

TEST_CASE("a dead object's lock is refused") {
    Fixture f;
    CHECK_NOTHROW(ObjectLock(*f.segment, f.ref));
    CHECK_THROWS_AS(ObjectLock(*f.segment, {f.ref.id, f.ref.generation + 1}), heap::Destroyed);
    CHECK_THROWS_AS(ObjectLock(*f.segment, {0, 1}), segment::Damage);
    CHECK_THROWS_AS(ObjectLock(*f.segment, {0xffff'ffff, 1}), segment::Damage);
    containers::Directory(*f.segment).release(f.ref, 0);
    CHECK_THROWS_AS(ObjectLock(*f.segment, f.ref), heap::Destroyed);
    CHECK(heap::Extents(*f.segment).used_bytes() == 0);
}

TEST_CASE("a damaged page table is told when an object is erased, not answered with the end of the program") {
    test::TempSegment segment(segment::minimum_capacity);
    containers::Directory directory(*segment);
    directory.open_or_create("name", heap::Kind::dict, {});
    Tx::init(segment->at<heap::PageRep>(segment->regions().page_table)[0].info, 9);
    CHECK_THROWS_AS(directory.erase("name"), segment::Damage);
}

TEST_CASE("verify finds what is wrong with a heap") {
    Fixture f;
    const std::uint64_t block = f.allocate(100);
    f.free(block, 100);
    f.free(f.allocate(large), large);
    heap::HeapRep& rep = heap::object_at(*f.segment, f.ref.id).heap;
    auto& body = *f.segment->at<heap::BodyRep>(rep.body);
    const auto wrong = [&] {
        const ObjectLock lock(*f.segment, f.ref);
        std::string text;
        lock.heap().verify([&](const char* violation) { text += std::string(violation) + "; "; });
        return text;
    };
    REQUIRE(wrong() == "");
    SECTION("its bytes") { Tx::init(rep.bytes, rep.bytes + 4096); }
    SECTION("its spare bytes") { Tx::init(rep.spare_bytes, 0); }
    SECTION("more handed out than there is") { Tx::init(rep.live, rep.bytes + 1); }
    SECTION("its fresh memory") { Tx::init(rep.cursor, rep.end + 16); }
    SECTION("a free block elsewhere") { Tx::init(body.free_lists[heap::class_of(100)], f.segment->regions().data - 4096); }
    SECTION("a ring of free blocks") { Tx::init(*f.segment->at<tx::Cell<std::uint64_t>>(block), block); }
    SECTION("an extent's size") { Tx::init(f.segment->at<heap::ExtentHeader>(rep.spare)->bytes, 4096); }
    CHECK(wrong() != "");
}

TEST_CASE("an object's spare extents do not stand in the way of what it needs") {
    Fixture f;
    // Spare extents of half the realm, none large enough for what comes next.
    std::vector<std::uint64_t> blocks;
    try {
        for (;;) blocks.push_back(f.allocate(large));
    } catch (const heap::OutOfMemory&) {
    }
    for (const std::uint64_t block : blocks) f.free(block, large);
    const std::uint64_t half = f.bytes() / 2;
    REQUIRE(half > 4 * large);
    f.allocate(half);
    CHECK(f.wrong() == "");
}

TEST_CASE("two large blocks in one mutation fit or fail, whatever is spare") {
    Fixture f;
    const std::uint64_t room = heap::Extents(*f.segment).free().largest;
    const auto two = [&](std::uint64_t first, std::uint64_t second) {
        ObjectLock lock(*f.segment, f.ref);
        heap::mutate(lock, [&](Tx& tx, Heap& heap) {
            heap.allocate(tx, first);
            heap.allocate(tx, second);
        });
    };
    for (const auto& [first, second] : {std::pair(room - 4096, room - 4096), std::pair(room - 4096, large),
                                        std::pair(large, room - 4096), std::pair(room / 2, room)}) {
        const std::uint64_t kept = f.allocate(room / 4);  // becomes spare
        f.free(kept, room / 4);
        const std::uint64_t live = f.live(), used = heap::Extents(*f.segment).used_bytes();
        try {
            two(first, second);
        } catch (const heap::OutOfMemory& missing) {
            CHECK((missing.bytes == first || missing.bytes == second));
            CHECK(missing.error == 0);
            CHECK(f.live() == live);
            CHECK(heap::Extents(*f.segment).used_bytes() <= used);
        }
        CHECK(f.wrong() == "");
        ObjectLock lock(*f.segment, f.ref);
        heap::mutate(lock, [](Tx& tx, Heap& heap) { heap.reset(tx); });
        lock.heap().trim();
    }
}

TEST_CASE("a mutation that runs out of memory gives back what it had grown by") {
    Fixture f;
    const std::uint64_t used = heap::Extents(*f.segment).used_bytes(), bytes = f.bytes();
    ObjectLock lock(*f.segment, f.ref);
    CHECK_THROWS_AS(heap::mutate(lock,
                                 [](Tx& tx, Heap& heap) {
                                     heap.allocate(tx, large);
                                     heap.allocate(tx, 30'000);
                                     heap.allocate(tx, segment::minimum_capacity);
                                 }),
                    heap::OutOfMemory);
    CHECK(lock.heap().bytes() == bytes);
    CHECK(heap::Extents(*f.segment).used_bytes() == used);
}
