#include <catch2/catch.hpp>

#include <vector>

#include "support/soundness.hpp"
#include "support/temp_segment.hpp"

using namespace muster;
using heap::Extent;
using heap::Extents;
using segment::page_size;

namespace {

constexpr std::uint32_t owner = 7;

struct Fixture {
    test::TempSegment segment{segment::minimum_capacity};
    Extents extents{*segment};
    std::uint64_t pages() const { return segment->regions().page_count; }
    std::string wrong() const {
        std::string text;
        extents.verify([&](const char* violation) { text += std::string(violation) + "; "; });
        return text;
    }
};

}  // namespace

TEST_CASE("an extent has as many pages as were asked for, zero and backed by memory") {
    Fixture f;
    const std::uint64_t before = f.segment->reserved_bytes();
    for (const std::uint64_t bytes : {1ul, page_size, page_size + 1, 5 * page_size, 13 * page_size - 100}) {
        const Extent extent = f.extents.acquire(bytes, owner);
        REQUIRE(extent.offset != 0);
        CHECK(extent.bytes == (bytes + page_size - 1) / page_size * page_size);
        CHECK(extent.owner == owner);
        CHECK(extent.offset % page_size == 0);
        CHECK(extent.offset >= f.segment->regions().data);
        CHECK(f.extents.bytes_at(extent.offset) == extent.bytes);
        for (std::uint64_t i = 0; i < extent.bytes; ++i)
            if (f.segment->base()[extent.offset + i] != std::byte{0}) FAIL("not zero at " << i);
    }
    CHECK(f.extents.used_bytes() == (1 + 1 + 2 + 5 + 13) * page_size);
    CHECK(f.segment->reserved_bytes() == before + f.extents.used_bytes());
    CHECK(f.wrong() == "");
}

TEST_CASE("what is given back is free, one with its neighbours, and zero for the next owner") {
    Fixture f;
    const std::uint64_t before = f.segment->reserved_bytes();
    std::vector<Extent> taken;
    for (std::uint64_t i = 0; i < 40; ++i) taken.push_back(f.extents.acquire((1 + i % 7) * page_size, owner));
    for (const Extent& extent : taken) std::memset(f.segment->base() + extent.offset, 0xff, extent.bytes);
    for (std::size_t i = 0; i < taken.size(); i += 2) f.extents.give_back(taken[i].offset, owner);
    CHECK(f.wrong() == "");
    for (std::size_t i = 1; i < taken.size(); i += 2) f.extents.give_back(taken[i].offset, owner);
    CHECK(f.wrong() == "");
    CHECK(f.extents.used_bytes() == 0);
    CHECK(f.segment->reserved_bytes() == before);
    // As large a run as on the first day.
    const Extent large = f.extents.acquire(512 * page_size, owner);
    REQUIRE(large.offset != 0);
    for (std::uint64_t i = 0; i < large.bytes; i += 64)
        if (f.segment->base()[large.offset + i] != std::byte{0}) FAIL("not zero at " << i);
}

TEST_CASE("all memory can be handed out, and then there is none") {
    Fixture f;
    std::uint64_t count = 0;
    while (f.extents.acquire(1, owner).offset != 0) ++count;
    CHECK(count == f.pages());
    CHECK(f.extents.used_bytes() == f.pages() * page_size);
    CHECK(f.extents.acquire(1, owner).offset == 0);
    CHECK(f.wrong() == "");
    std::uint64_t extents = 0;
    f.extents.for_each([&](const Extent& extent) {
        CHECK(extent.owner == owner);
        CHECK(extent.bytes == page_size);
        ++extents;
    });
    CHECK(extents == count);
}

TEST_CASE("more than there is cannot be had, and nothing has changed") {
    Fixture f;
    CHECK(f.extents.acquire((f.pages() + 1) * page_size, owner).offset == 0);
    CHECK(f.extents.acquire(~std::uint64_t{0} - page_size, owner).offset == 0);
    CHECK(f.extents.used_bytes() == 0);
    CHECK(f.wrong() == "");
}

TEST_CASE("only an extent can be given back, and only by its owner") {
    Fixture f;
    const Extent extent = f.extents.acquire(3 * page_size, owner);
    CHECK_THROWS_AS(f.extents.give_back(extent.offset, owner + 1), segment::Damage);
    CHECK_THROWS_AS(f.extents.give_back(extent.offset + page_size, owner), segment::Damage);
    CHECK_THROWS_AS(f.extents.give_back(extent.offset + 8, owner), segment::Damage);
    CHECK_THROWS_AS(f.extents.give_back(0, owner), segment::Damage);
    CHECK_THROWS_AS(f.extents.give_back(f.segment->capacity(), owner), segment::Damage);
    CHECK(f.extents.used_bytes() == extent.bytes);
    f.extents.give_back(extent.offset, owner);
    CHECK_THROWS_AS(f.extents.give_back(extent.offset, owner), segment::Damage);
    CHECK(f.wrong() == "");
}

TEST_CASE("the worst merging of free blocks fits the log") {
    // One page less than a power of two: given back, it is as many blocks as it has bits, each of which merges.
    test::TempSegment segment(2ull << 30);
    Extents extents(*segment);
    tx::DomainRep& domain = *segment->at<tx::DomainRep>(segment->regions().segment_domain);
    std::uint64_t largest = 1;
    while (largest * 2 <= segment->regions().page_count) largest *= 2;
    // Larger than a quarter of the machine's memory is not needed to see it.
    const std::uint64_t pages = std::min<std::uint64_t>(largest, 4096) - 1;
    const Extent first = extents.acquire(pages * page_size, owner);
    REQUIRE(first.offset != 0);
    extents.give_back(first.offset, owner);
    std::uint64_t most = 0;
    for (std::uint64_t i = 0; i < segment::fixed_log_capacity; ++i) {
        const auto& entry = segment->at<tx::LogEntry>(domain.log_offset, domain.log_capacity)[i];
        if (entry.offset != 0) most = i + 1;
    }
    // 12 bits took so many entries; 28 bits are the most there can be.
    CHECK(most > 12);
    CHECK(most * 28 / 12 < segment::fixed_log_capacity);
    CHECK(extents.used_bytes() == 0);
    extents.verify([](const char* violation) { FAIL_CHECK(violation); });
}

TEST_CASE("verify finds what is wrong with the page table") {
    Fixture f;
    const Extent extent = f.extents.acquire(3 * page_size, owner);
    const std::uint64_t page = (extent.offset - f.segment->regions().data) / page_size;
    auto* pages = f.segment->at<heap::PageRep>(f.segment->regions().page_table, f.pages());
    auto& roots = *f.segment->at<heap::ExtentRootsRep>(f.segment->regions().extent_roots);
    REQUIRE(f.wrong() == "");
    SECTION("an extent without an owner") { tx::Tx::init(pages[page].owner, 0); }
    SECTION("a wrong count") { tx::Tx::init(roots.pages_used, 1); }
    SECTION("a list that is cut") {
        for (auto& head : roots.free_heads)
            if (head != 0) tx::Tx::init(head, 0);
    }
    SECTION("a list that leads nowhere") {
        for (auto& head : roots.free_heads)
            if (head != 0) tx::Tx::init(head, 0xffff'fff0u);
    }
    SECTION("a list that is a ring") {
        for (auto& head : roots.free_heads)
            if (head != 0) tx::Tx::init(pages[head - 1].next, head.get());
    }
    CHECK(f.wrong() != "");
}

TEST_CASE("a page table that is no chain of blocks is damage, not an endless walk") {
    Fixture f;
    auto* pages = f.segment->at<heap::PageRep>(f.segment->regions().page_table, f.pages());
    SECTION("an unknown state") { tx::Tx::init(pages[0].info, 9); }
    SECTION("an interior page where a block should begin") { tx::Tx::init(pages[0].info, 0); }
    SECTION("a block of impossible size") { tx::Tx::init(pages[0].info, 1u | 40u << 8); }
    SECTION("an extent of no pages") {
        tx::Tx::init(pages[0].info, 2);
        tx::Tx::init(pages[0].next, 0);
    }
    SECTION("an extent over the end") {
        tx::Tx::init(pages[0].info, 2);
        tx::Tx::init(pages[0].next, 0xffff'ffffu);
    }
    CHECK_THROWS_AS(f.extents.for_each([](const Extent&) {}), segment::Damage);
}
