// The means by which a recovered segment is judged, each against a fault that is planted.
#include <catch2/catch.hpp>

#include "base/futex.hpp"
#include "crash/aftermath.hpp"
#include "crash/service.hpp"
#include "support/skip.hpp"
#include "support/temp_segment.hpp"
#include "support/trace.hpp"

using namespace muster;
using namespace muster::test;

TEST_CASE("what is left when all is erased is told") {
    TempSegment segment(segment::minimum_capacity);
    settle(*segment);
    segment.make(heap::Kind::list);
    containers::Directory(*segment).open_or_create("named", heap::Kind::dict, {});
    SECTION("nothing") { CHECK(whats_left_when_erased(*segment, false) == ""); }
    SECTION("an extent that nobody knows of") {
        heap::Extents(*segment).acquire(20'000, 99);
        CHECK(whats_left_when_erased(*segment, false) == "20480 bytes of extents are left");
    }
    SECTION("the slot of a session that is gone") {
        sync::Sessions sessions(*segment);
        const sync::SessionId gone = sessions.claim({1, 2, 3});
        sessions.free(gone);
        sessions.claim_slot(gone, 1);
        CHECK(whats_left_when_erased(*segment, false) == "slot 2 is left");
    }
    SECTION("memory outside of any extent") {
        const std::uint64_t page = segment->capacity() - segment::page_size;
        std::memset(segment->base() + page, 1, 8);
        CHECK(whats_left_when_erased(*segment, false) ==
              "page " + std::to_string(page / segment::page_size) + " has memory");
    }
}

TEST_CASE("what does not work any more is told") {
    TempSegment segment(segment::minimum_capacity);
    settle(*segment);
    const heap::ObjectRef ref = segment.make(heap::Kind::queue);
    CHECK(whats_unusable(*segment, true) == "");
    heap::Extents extents(*segment);
    while (extents.acquire(segment::page_size, ref.id).offset != 0) {
    }
    CHECK_THROWS(whats_unusable(*segment, true));
}

TEST_CASE("a sleeper sleeps until somebody wakes it") {
    TempSegment segment(segment::minimum_capacity);
    std::uint32_t& word = heap::object_at(*segment, segment.make(heap::Kind::queue).id).wait_points[0];
    Sleeper sleeper(word);
    CHECK_FALSE(sleeper.proceeds(std::chrono::milliseconds(20)));
    ++word;
    CHECK_FALSE(sleeper.proceeds(std::chrono::milliseconds(20)));
    base::futex_wake(&word);
    CHECK(sleeper.proceeds(std::chrono::seconds(20)));
}

TEST_CASE("stores through another mapping of the segment are followed") {
    if (const std::string reason = no_trace_here(); !reason.empty()) skip(reason);
    const TempSegment segment(segment::minimum_capacity);
    const auto other = segment::Segment::open(base::UniqueFd{::dup(segment->memfd())}, "other");
    const std::uint64_t at = segment->regions().data;
    const Run run = [&] {
        segment::store_word(segment->base() + at, 1);
        segment::store_word(other.base() + at, 2);
        segment::store_word(segment->base() + at, 3);
    };
    const Snapshot before(*segment);
    const Trace stores = trace_stores(*segment, run);
    before.write_to(*segment);
    const std::vector<Change> expected{{at, 1, false}, {at, 2, false}, {at, 3, false}};
    CHECK(stores.changes == expected);
    CHECK(trace_steps(*segment, run, stores).changes == expected);
}
