// An object's heap, and the extents under many of them, against shadow maps: random work, no overlap, exact counts.
#include <catch2/catch.hpp>

#include <algorithm>
#include <bit>
#include <map>
#include <vector>

#include "support/random.hpp"
#include "support/soundness.hpp"
#include "support/temp_segment.hpp"

using namespace muster;
using heap::Extent;
using heap::Extents;
using heap::Heap;
using heap::ObjectLock;
using segment::page_size;
using tx::Tx;

namespace {

struct Block {
    std::uint64_t size;
    std::byte mark;
};

// What is handed out, by place. Adding one that touches another is an error.
class Shadow {
  public:
    void add(std::uint64_t at, std::uint64_t size, std::byte mark) {
        const std::uint64_t end = at + std::max<std::uint64_t>(size, 1);
        const auto next = blocks_.lower_bound(at);
        if (next != blocks_.end()) REQUIRE(end <= next->first);
        if (next != blocks_.begin()) REQUIRE(std::prev(next)->first + std::prev(next)->second.size <= at);
        blocks_.emplace(at, Block{size, mark});
    }
    std::map<std::uint64_t, Block>::iterator any(test::Random& random) {
        return std::next(blocks_.begin(), static_cast<std::ptrdiff_t>(random.below(blocks_.size())));
    }
    std::map<std::uint64_t, Block>& blocks() { return blocks_; }

  private:
    std::map<std::uint64_t, Block> blocks_;
};

std::uint64_t some_size(test::Random& random) {
    const std::uint64_t kind = random.below(100);
    if (kind < 60) return random.below(200);
    if (kind < 90) return random.below(5000);
    if (kind < 98) return random.below(heap::largest_class + 1);
    return heap::largest_class + random.below(200'000);
}

// Is an aligned block of the size class that `pages` need free as a whole? Then the allocator must find it.
bool there_is_room(const test::TempSegment& segment, const std::map<std::uint64_t, Extent>& taken, std::uint64_t pages) {
    const std::uint64_t block = std::bit_ceil(pages), count = segment->regions().page_count;
    std::vector<bool> used(count);
    for (const auto& [offset, extent] : taken)
        for (std::uint64_t i = 0; i < extent.bytes / page_size; ++i)
            used[(offset - segment->regions().data) / page_size + i] = true;
    for (std::uint64_t at = 0; at + block <= count; at += block) {
        const auto begin = used.begin() + static_cast<std::ptrdiff_t>(at);
        if (std::find(begin, begin + static_cast<std::ptrdiff_t>(block), true) == begin + static_cast<std::ptrdiff_t>(block))
            return true;
    }
    return false;
}

}  // namespace

TEST_CASE("a heap hands out what a shadow map allows, to the byte") {
    const std::uint64_t seed = test::test_seed();
    INFO("seed " << seed << " (set MUSTER_SEED to repeat)");
    test::Random random(seed);
    test::TempSegment segment(8u << 20);
    const heap::ObjectRef ref = segment.make(heap::Kind::dict);
    const Extents extents(*segment);
    Shadow shadow;
    std::uint64_t live = 0;
    const auto taken = [&](std::uint64_t block, std::uint64_t size) {
        return size <= heap::largest_class ? Heap::usable(size) : extents.bytes_at(block - sizeof(heap::ExtentHeader));
    };
    bool growing = true;
    int refusals = 0, resets = 0;
    for (int step = 0; step < 30'000; ++step) {
        if (step % 3000 == 0) growing = !growing || step == 0;
        ObjectLock lock(*segment, ref);
        const bool allocate = shadow.blocks().empty() || random.below(100) < (growing ? 65u : 40u);
        if (allocate) {
            // One to three blocks in one mutation: all of them or none.
            std::vector<std::pair<std::uint64_t, std::uint64_t>> fresh(1 + random.below(3));
            for (auto& [block, size] : fresh) size = some_size(random);
            try {
                heap::mutate(lock, [&](Tx& tx, Heap& heap) {
                    for (auto& [block, size] : fresh) block = heap.allocate(tx, size);
                });
            } catch (const heap::OutOfMemory&) {
                REQUIRE(lock.heap().live_bytes() == live);
                growing = false;
                ++refusals;
                continue;
            }
            for (const auto& [block, size] : fresh) {
                const auto mark = static_cast<std::byte>(random.below(256));
                shadow.add(block, size, mark);
                std::memset(segment->base() + block, static_cast<int>(mark), size);
                live += taken(block, size);
            }
        } else if (random.below(3000) == 0) {
            heap::mutate(lock, [](Tx& tx, Heap& heap) { heap.reset(tx); });
            shadow.blocks().clear();
            live = 0;
            ++resets;
        } else {
            const auto at = shadow.any(random);
            const auto [block, what] = *at;
            for (std::uint64_t i = 0; i < what.size; ++i)
                if (segment->base()[block + i] != what.mark) FAIL("somebody wrote into the block at " << block);
            live -= taken(block, what.size);
            const std::uint64_t size = what.size;
            if (random.below(20) == 0) {  // undone: it is still there
                CHECK_THROWS(heap::mutate(lock, [&, place = block](Tx& tx, Heap& heap) {
                    heap.free(tx, place, size);
                    throw std::runtime_error("undo");
                }));
                live += taken(block, size);
            } else {
                heap::mutate(lock, [&, place = block](Tx& tx, Heap& heap) { heap.free(tx, place, size); });
                shadow.blocks().erase(at);
            }
        }
        REQUIRE(lock.heap().live_bytes() == live);
        if (step % 500 == 499) lock.heap().verify([](const char* violation) { FAIL_CHECK(violation); });
    }
    REQUIRE(test::first_violations(*segment) == "");
    for (const auto& [block, what] : shadow.blocks()) {
        ObjectLock lock(*segment, ref);
        heap::mutate(lock, [&, place = block, size = what.size](Tx& tx, Heap& heap) { heap.free(tx, place, size); });
    }
    ObjectLock lock(*segment, ref);
    CHECK(lock.heap().live_bytes() == 0);
    CHECK(resets > 0);
    CHECK(refusals > 0);
}

TEST_CASE("extents of many owners never overlap and all come back") {
    const std::uint64_t seed = test::test_seed();
    INFO("seed " << seed << " (set MUSTER_SEED to repeat)");
    test::Random random(seed);
    const test::TempSegment segment(16u << 20);
    Extents extents(*segment);
    const std::uint64_t page_count = segment->regions().page_count, reserved = segment->reserved_bytes();
    std::map<std::uint64_t, Extent> taken;
    std::uint64_t used = 0, refusals = 0;
    for (int step = 0; step < 20'000; ++step) {
        const bool acquire = taken.empty() || random.below(100) < (step / 2000 % 2 == 0 ? 60u : 40u);
        if (acquire) {
            const std::uint64_t kind = random.below(20);
            const std::uint64_t pages = kind < 12 ? 1 + random.below(4) : kind < 19 ? 1 + random.below(60) : 1 + random.below(1500);
            const auto owner = static_cast<std::uint32_t>(1 + random.below(50));
            const Extent extent = extents.acquire(pages * page_size - random.below(page_size), owner);
            if (extent.offset == 0) {
                ++refusals;
                REQUIRE_FALSE(there_is_room(segment, taken, pages));
                continue;
            }
            REQUIRE(extent.bytes == pages * page_size);
            const auto next = taken.lower_bound(extent.offset);
            if (next != taken.end()) REQUIRE(extent.offset + extent.bytes <= next->first);
            if (next != taken.begin()) REQUIRE(std::prev(next)->first + std::prev(next)->second.bytes <= extent.offset);
            REQUIRE(extent.offset + extent.bytes <= segment->capacity());
            for (std::uint64_t page = 0; page < pages; ++page) {
                auto& word = *segment->at<std::uint64_t>(extent.offset + page * page_size);
                REQUIRE(word == 0);
                word = extent.offset;
            }
            taken.emplace(extent.offset, extent);
            used += extent.bytes;
        } else {
            const auto at = std::next(taken.begin(), static_cast<std::ptrdiff_t>(random.below(taken.size())));
            const Extent extent = at->second;
            for (std::uint64_t place = 0; place < extent.bytes; place += page_size)
                REQUIRE(*segment->at<std::uint64_t>(extent.offset + place) == extent.offset);
            extents.give_back(extent.offset, extent.owner);
            used -= extent.bytes;
            taken.erase(at);
        }
        REQUIRE(extents.used_bytes() == used);
        REQUIRE(segment->reserved_bytes() == reserved + used);
        if (step % 200 != 199) continue;
        REQUIRE(extents.verify([](const char* violation) { FAIL_CHECK(violation); }) == taken.size());
        auto expected = taken.begin();
        extents.for_each([&](const Extent& extent) {
            REQUIRE(expected != taken.end());
            CHECK(extent.offset == expected->second.offset);
            CHECK(extent.bytes == expected->second.bytes);
            CHECK(extent.owner == expected->second.owner);
            ++expected;
        });
        REQUIRE(expected == taken.end());
    }
    CHECK(refusals > 0);
    for (const auto& [offset, extent] : taken) extents.give_back(offset, extent.owner);
    CHECK(extents.used_bytes() == 0);
    CHECK(segment->reserved_bytes() == reserved);
    CHECK(extents.acquire(page_count / 2 * page_size, 1).offset != 0);
}
