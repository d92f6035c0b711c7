// Where the regions of a segment lie, and that a segment whose header says otherwise is refused.
#include <catch2/catch.hpp>

#include <fcntl.h>
#include <sys/mman.h>

#include <functional>

#include "segment/segment.hpp"
#include "support/temp_segment.hpp"

using namespace muster;
using segment::Header;
using segment::page_size;
using segment::Regions;
using segment::Segment;

namespace {

struct Planned {
    std::uint64_t capacity;
    Regions regions;
};

// Frozen: a change moves the regions of every segment of that capacity.
constexpr Planned planned[] = {
    {0x400000, {0x1000, 0x1080, 0x1100, 0x1180, 0x7180, 0x7380, 0x8000, 0x28000, 0xa8000, 0xa9000, 0xad000, 0xed000, 0x313, 0x100}},
    {0x4000000, {0x1000, 0x1080, 0x1100, 0x1180, 0x7180, 0x7380, 0x8000, 0x28000, 0xa8000, 0xac000, 0xec000, 0x4ec000, 0x3b14, 0x1000}},
    {0x40000000, {0x1000, 0x1080, 0x1100, 0x1180, 0x7180, 0x7380, 0x8000, 0x28000, 0xa8000, 0xe8000, 0x4e8000, 0x44e8000, 0x3bb18, 0x10000}},
    {0x10000000000, {0x1000, 0x1080, 0x1100, 0x1180, 0x7180, 0x7380, 0x8000, 0x28000, 0xa8000, 0xe8000, 0x1000e8000, 0x1040e8000, 0xfefbf18, 0x10000}},
};

constexpr int all_seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

// A file that `change` made of a good segment's header.
base::UniqueFd file_like(const Segment& good, std::uint64_t size, int seals, const std::function<void(Header&)>& change) {
    base::UniqueFd fd{::memfd_create("muster:forged", MFD_CLOEXEC | MFD_ALLOW_SEALING)};
    REQUIRE(::ftruncate(fd.get(), static_cast<off_t>(size)) == 0);
    Header header = good.header();
    change(header);
    REQUIRE(::pwrite(fd.get(), &header, sizeof header, 0) == static_cast<ssize_t>(sizeof header));
    if (seals != 0) REQUIRE(::fcntl(fd.get(), F_ADD_SEALS, seals) == 0);
    return fd;
}

}  // namespace

TEST_CASE("the regions of a segment lie where they always did") {
    for (const Planned& one : planned) {
        const Regions now = segment::plan(one.capacity);
        INFO("capacity " << one.capacity);
        CHECK(now.segment_domain == one.regions.segment_domain);
        CHECK(now.directory_domain == one.regions.directory_domain);
        CHECK(now.sessions_domain == one.regions.sessions_domain);
        CHECK(now.domain_logs == one.regions.domain_logs);
        CHECK(now.extent_roots == one.regions.extent_roots);
        CHECK(now.directory_root == one.regions.directory_root);
        CHECK(now.sessions == one.regions.sessions);
        CHECK(now.slots == one.regions.slots);
        CHECK(now.name_buckets == one.regions.name_buckets);
        CHECK(now.page_table == one.regions.page_table);
        CHECK(now.objects == one.regions.objects);
        CHECK(now.data == one.regions.data);
        CHECK(now.page_count == one.regions.page_count);
        CHECK(now.object_capacity == one.regions.object_capacity);
    }
}

TEST_CASE("the regions of a segment of any size do not overlap and fit") {
    for (std::uint64_t capacity = segment::minimum_capacity; capacity <= segment::maximum_capacity;
         capacity += capacity / 7 / page_size * page_size + page_size) {
        const Regions r = segment::plan(capacity);
        INFO("capacity " << capacity);
        REQUIRE(r.segment_domain >= sizeof(Header));
        REQUIRE(r.directory_domain >= r.segment_domain + segment::domain_size);
        REQUIRE(r.sessions_domain >= r.directory_domain + segment::domain_size);
        REQUIRE(r.domain_logs >= r.sessions_domain + segment::domain_size);
        REQUIRE(r.extent_roots >= r.domain_logs + 3 * segment::fixed_log_capacity * segment::log_entry_size);
        REQUIRE(r.directory_root >= r.extent_roots + segment::extent_roots_size);
        REQUIRE(r.sessions >= r.directory_root + segment::directory_root_size);
        REQUIRE(r.slots >= r.sessions + segment::max_sessions * segment::session_size);
        REQUIRE(r.name_buckets >= r.slots + segment::max_slots * segment::slot_size);
        REQUIRE(r.page_table >= r.name_buckets + r.object_capacity * 4);
        REQUIRE(r.objects >= r.page_table + r.page_count * segment::page_entry_size);
        REQUIRE(r.data >= r.objects + r.object_capacity * segment::object_size);
        REQUIRE(r.data % page_size == 0);
        REQUIRE(r.data + r.page_count * page_size <= capacity);
        REQUIRE(r.page_count >= capacity / page_size / 2);
        REQUIRE((r.object_capacity & (r.object_capacity - 1)) == 0);
    }
}

TEST_CASE("a segment's file is opened again as it was made") {
    const Segment made = Segment::create("first", 5'000'001);
    CHECK(made.capacity() % page_size == 0);
    CHECK(made.capacity() >= 5'000'001);
    const Segment opened = Segment::open(base::UniqueFd(::dup(made.memfd())), "second");
    CHECK(opened.capacity() == made.capacity());
    CHECK(opened.hash_seed() == made.hash_seed());
    CHECK(opened.instance() == made.instance());
    CHECK(opened.instance().size() == 32);
    made.base()[made.regions().extent_roots] = std::byte{42};
    CHECK(opened.base()[made.regions().extent_roots] == std::byte{42});
    CHECK(Segment::create("other", 5'000'001).instance() != made.instance());
}

TEST_CASE("a file that is no segment of ours is refused") {
    const Segment good = Segment::create("good", segment::minimum_capacity);
    const std::uint64_t size = good.capacity();
    const auto refused = [](base::UniqueFd fd, Errc code, const std::string& words) {
        try {
            Segment::open(std::move(fd), "forged");
            FAIL("opened");
        } catch (const Error& error) {
            CHECK(error.errc() == code);
            INFO(error.what());
            CHECK(std::string(error.what()).find(words) != std::string::npos);
        }
    };
    const auto forged = [&](const std::function<void(Header&)>& change) { return file_like(good, size, all_seals, change); };

    CHECK_NOTHROW(Segment::open(forged([](Header&) {}), "copy"));
    refused(forged([](Header& h) { h.magic[3] = 'x'; }), Errc::damaged, "magic");
    refused(forged([](Header& h) { h.version += 1; }), Errc::protocol, "layout version " + std::to_string(segment::layout_version + 1));
    refused(forged([](Header& h) { h.header_size = 64; }), Errc::damaged, "contradicts");
    refused(forged([](Header& h) { h.capacity += page_size; }), Errc::damaged, "contradicts");
    refused(forged([](Header& h) { h.regions.objects += 64; }), Errc::damaged, "contradicts");
    refused(forged([](Header& h) { h.regions.page_count += 1; }), Errc::damaged, "contradicts");
    refused(file_like(good, size, 0, [](Header&) {}), Errc::damaged, "sealed");
    refused(file_like(good, size, F_SEAL_GROW | F_SEAL_SEAL, [](Header&) {}), Errc::damaged, "sealed");
    refused(file_like(good, size + 1, all_seals, [](Header&) {}), Errc::damaged, "size");
    refused(file_like(good, page_size, all_seals, [](Header&) {}), Errc::damaged, "size");
    refused(base::UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)), Errc::damaged, "size");
    refused(base::UniqueFd(), Errc::system, "fstat");
}

TEST_CASE("a segment of an impossible capacity is not made") {
    CHECK_THROWS_AS(Segment::create("small", segment::minimum_capacity - page_size), Error);
    CHECK_THROWS_AS(Segment::create("large", segment::maximum_capacity + 1), Error);
}

TEST_CASE("the header of a mapped segment does not move its regions") {
    const Segment segment = Segment::create("scribbled", segment::minimum_capacity);
    const Regions before = segment.regions();
    auto* header = reinterpret_cast<Header*>(segment.base());
    header->regions.objects = header->regions.data = 1;
    header->capacity = 1;
    CHECK(segment.regions().objects == before.objects);
    CHECK(segment.capacity() == segment::minimum_capacity);
    CHECK_THROWS_AS(segment.at<std::uint64_t>(segment::minimum_capacity), segment::Damage);
}
