#include "segment/segment.hpp"

#include <catch2/catch.hpp>

#include <fcntl.h>

#include "segment/bytes.hpp"

using namespace muster;
using segment::Damage;
using segment::page_size;
using segment::Segment;

namespace {

Segment make() { return Segment::create("test", segment::minimum_capacity); }

}  // namespace

TEST_CASE("a segment's file can be neither shrunk nor grown, and is closed on exec") {
    const Segment segment = make();
    CHECK(::ftruncate(segment.memfd(), 4096) != 0);
    CHECK(::ftruncate(segment.memfd(), static_cast<off_t>(segment.capacity() * 2)) != 0);
    CHECK((::fcntl(segment.memfd(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("memory is counted as it is reserved and given back") {
    const Segment segment = make();
    const std::uint64_t data = segment.regions().data, before = segment.reserved_bytes();
    CHECK(before >= segment.regions().objects);
    CHECK(before < segment.capacity());
    REQUIRE(segment.reserve(data, 10 * page_size));
    CHECK(segment.reserved_bytes() == before + 10 * page_size);
    REQUIRE(segment.reserve(data, 10 * page_size));
    CHECK(segment.reserved_bytes() == before + 10 * page_size);
    std::memset(segment.base() + data, 0x55, 10 * page_size);
    CHECK(segment.reserved_bytes() == before + 10 * page_size);
    segment.release(data + 2 * page_size, 3 * page_size);
    CHECK(segment.reserved_bytes() == before + 7 * page_size);
    CHECK(segment.base()[data + 1 * page_size] == std::byte{0x55});
    CHECK(segment.base()[data + 5 * page_size] == std::byte{0x55});
    CHECK(segment.base()[data + 2 * page_size] == std::byte{0});
}

TEST_CASE("what cannot be reserved is told, and changes nothing") {
    const Segment segment = make();
    const std::uint64_t before = segment.reserved_bytes();
    CHECK_FALSE(segment.reserve(segment.capacity(), page_size));  // sealed: there is nothing behind the end
    CHECK(segment.reserved_bytes() == before);
}

TEST_CASE("an offset is resolved only inside the segment") {
    const Segment segment = make();
    const std::uint64_t end = segment.capacity();
    CHECK(segment.offset_of(segment.at<std::uint64_t>(page_size)) == page_size);
    CHECK_NOTHROW(segment.at<std::uint64_t>(end - 8));
    CHECK_NOTHROW(segment.at<std::uint64_t>(end - 80, 10));
    CHECK_NOTHROW(segment.at<std::byte>(end, 0));
    CHECK_THROWS_AS(segment.at<std::uint64_t>(0), Damage);
    CHECK_THROWS_AS(segment.at<std::uint64_t>(page_size - 8), Damage);
    CHECK_THROWS_AS(segment.at<std::uint64_t>(end), Damage);
    CHECK_THROWS_AS(segment.at<std::uint64_t>(end - 4), Damage);
    CHECK_THROWS_AS(segment.at<std::uint64_t>(page_size + 1), Damage);
    CHECK_THROWS_AS(segment.at<std::uint64_t>(end - 80, 11), Damage);
    CHECK_THROWS_AS(segment.at<std::uint64_t>(page_size, ~std::uint64_t{0}), Damage);
    CHECK_THROWS_AS(segment.at<std::uint64_t>(page_size, ~std::uint64_t{0} / 8 + 2), Damage);
    CHECK_THROWS_AS(segment.at<std::uint64_t>(~std::uint64_t{0} - 7), Damage);
    CHECK_THROWS_AS(segment.at(segment::Offset<std::uint64_t>()), Damage);
}

TEST_CASE("a moved segment keeps its mapping") {
    Segment first = make();
    std::byte* const base = first.base();
    Segment second = std::move(first);
    CHECK(second.base() == base);
    CHECK(second.header().magic == segment::magic);
    first = std::move(second);
    CHECK(first.base() == base);
    CHECK(first.name() == "test");
}

TEST_CASE("bytes go into a segment and out again, of every size") {
    const Segment segment = make();
    const std::uint64_t at = segment.regions().data;
    REQUIRE(segment.reserve(at, page_size));
    std::byte* there = segment.base() + at;
    std::vector<std::byte> from(1000), to(1000);
    for (std::size_t i = 0; i < from.size(); ++i) from[i] = static_cast<std::byte>(i * 7 + 1);
    for (const std::size_t size : std::initializer_list<std::size_t>{0, 1, 7, 8, 9, 15, 16, 63, 255, 256, 257, 264, 999, 1000}) {
        INFO("size " << size);
        std::memset(there, 0xee, 1100);
        segment::copy_in(there, from.data(), size);
        std::fill(to.begin(), to.end(), std::byte{0});
        segment::copy_out(to.data(), there, size);
        CHECK(std::equal(from.begin(), from.begin() + static_cast<std::ptrdiff_t>(size), to.begin()));
        CHECK(segment::same_bytes(there, from.data(), size));
        const std::size_t padded = (size + 7) / 8 * 8;
        CHECK(there[padded] == std::byte{0xee});
        for (std::size_t i = size; i < padded; ++i) CHECK(there[i] == std::byte{0});
        if (size != 0) {
            there[size - 1] ^= std::byte{1};
            CHECK_FALSE(segment::same_bytes(there, from.data(), size));
        }
    }
}
