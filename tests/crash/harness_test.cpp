// The means of the crash tests, each against another one or against a fault that is planted.
#include <catch2/catch.hpp>

#include <csignal>

#include "containers/containers.hpp"
#include "crash/examine.hpp"
#include "support/skip.hpp"
#include "support/soundness.hpp"
#include "support/temp_segment.hpp"

using namespace muster;
using namespace muster::test;
using segment::Segment;

namespace {

void need_tracing() {
    if (const std::string reason = no_trace_here(); !reason.empty()) skip(reason);
}

Operation dict_store() {
    for (const Operation& operation : dict_operations())
        if (operation.name == "dict: set, a new key") return operation;
    FAIL("no such row");
    return {};
}

// A mutex holds its owner's number; that is all that may differ between two children.
std::vector<Change> without_threads(const Trace& trace) {
    std::vector<Change> changes = trace.changes;
    for (Change& change : changes) {
        const auto thread = static_cast<std::uint32_t>(trace.thread);
        for (const unsigned shift : {0u, 32u})
            if (static_cast<std::uint32_t>(change.word >> shift) == thread)
                change.word &= ~(std::uint64_t{0xffffffff} << shift);
    }
    return changes;
}

std::vector<std::string> failures_of(const Operation& operation) {
    Depth depth;
    depth.every_instruction = false;
    return examine_apart(operation, depth, 20).failures;
}

}  // namespace

TEST_CASE("following the stores finds the images that single-stepping finds") {
    need_tracing();
    for (const auto& operations : {heap_operations(), directory_operations(), dict_operations()}) {
        const Operation& operation = operations.front();
        INFO(operation.name);
        const TempSegment segment(segment::minimum_capacity);
        operation.setup(*segment);
        const Snapshot before(*segment);
        const Trace stores = trace_stores(*segment, [&] { operation.run(*segment); });
        before.write_to(*segment);
        CHECK_FALSE(before.first_difference(*segment));
        const Trace steps = trace_steps(*segment, [&] { operation.run(*segment); }, stores);
        CHECK(stores.error.empty());
        CHECK(steps.error.empty());
        CHECK(steps.images == stores.images);
        CHECK(without_threads(steps) == without_threads(stores));
        CHECK(steps.instructions > steps.images.size());
    }
}

TEST_CASE("a real death leaves what the imagined one does") {
    need_tracing();
    const Operation operation = dict_store();
    const TempSegment segment(segment::minimum_capacity);
    operation.setup(*segment);
    const Snapshot before(*segment);
    const Run run = [&] { operation.run(*segment); };
    const Trace trace = trace_stores(*segment, run);
    before.write_to(*segment);
    Images images(*segment, Snapshot(*segment), trace);
    std::size_t marked = 0;
    for (std::size_t i = 0; i < images.size(); ++i) {
        REQUIRE(die_at_image(*segment, run, i));
        const Segment& image = images.load(i);
        for_each_domain(*segment, [&](const std::string&, tx::DomainRep& domain) {
            auto& imagined = *image.at<tx::DomainRep>(segment->offset_of(&domain));
            // The lock words are compared here; the owners' numbers beside them are of two different children.
            REQUIRE(domain.mutex.owner() == imagined.mutex.owner());
            REQUIRE(domain.mutex.owner_died() == imagined.mutex.owner_died());
            marked += domain.mutex.owner_died();
            std::memcpy(&imagined.mutex, &domain.mutex, sizeof domain.mutex);
        });
        REQUIRE_FALSE(Snapshot(*segment).first_difference(image));
        before.write_to(*segment);
    }
    CHECK(marked > images.size() / 2);
    CHECK_FALSE(die_at_image(*segment, run, images.size()));
}

TEST_CASE("a page that the kernel takes away is part of the images") {
    need_tracing();
    const TempSegment segment(segment::minimum_capacity);
    const std::uint64_t page = segment->regions().data;
    REQUIRE(segment->reserve(page, segment::page_size));
    std::memset(segment->base() + page, 7, segment::page_size);
    const Snapshot before(*segment);
    const Run punch = [&] { segment->release(page, segment::page_size); };
    const Trace stores = trace_stores(*segment, punch);
    before.write_to(*segment);
    const Trace steps = trace_steps(*segment, punch, stores);
    const std::vector<Change> expected{{page, 0, true}};
    CHECK(stores.changes == expected);
    CHECK(steps.changes == expected);
}

TEST_CASE("planted faults are caught") {
    need_tracing();
    Operation operation = dict_store();
    const auto sound = operation.run;
    REQUIRE(failures_of(operation).empty());

    SECTION("a word that changes outside the transaction") {
        operation.run = [=](const Segment& segment) {
            auto& object = heap::object_at(segment, 1);
            tx::Tx::init(heap::root_of<containers::TableRep>(object).changes, 99);
            tx::Tx::init(heap::root_of<containers::TableRep>(object).size, 4);
            sound(segment);
        };
        CHECK_FALSE(failures_of(operation).empty());
    }
    SECTION("memory that is acquired and forgotten") {
        operation.run = [=](const Segment& segment) {
            sound(segment);
            heap::Extents(segment).acquire(4096, 1);
        };
        CHECK_FALSE(failures_of(operation).empty());
    }
    SECTION("a lock that is not released") {
        operation.run = [=](const Segment& segment) {
            sound(segment);
            (void)heap::object_at(segment, 1).domain.mutex.lock();
        };
        CHECK_FALSE(failures_of(operation).empty());
    }
    SECTION("an operation that throws") {
        operation.run = [=](const Segment& segment) {
            sound(segment);
            throw std::runtime_error("planted");
        };
        CHECK_FALSE(failures_of(operation).empty());
    }
    SECTION("an operation in two transactions that should be one") {
        operation.run = [=](const Segment& segment) {
            sound(segment);
            containers::Table(segment, {1, 1}).remove(std::as_bytes(std::span("k0", 2)));
        };
        CHECK_FALSE(failures_of(operation).empty());
    }
    SECTION("an operation that kills itself") {
        operation.run = [](const Segment&) { ::raise(SIGKILL); };
        CHECK_FALSE(failures_of(operation).empty());
    }
}

TEST_CASE("a segment that is not sound is told so") {
    TempSegment segment(segment::minimum_capacity);
    const heap::ObjectRef ref = segment.make(heap::Kind::dict);
    REQUIRE(violations(*segment).empty());
    heap::ObjectRep& object = heap::object_at(*segment, ref.id);
    SECTION("a count of bytes") { tx::Tx::init(object.heap.bytes, 1); }
    SECTION("a log") { object.domain.log_count = 1; }
    SECTION("a sequence number") { object.domain.sequence |= 1; }
    SECTION("a duty left undone") { object.domain.unreconciled = 1; }
    SECTION("an object that nobody holds") { tx::Tx::init(object.holders[0], 0); }
    SECTION("a count of pages") { tx::Tx::init(segment->at<heap::ExtentRootsRep>(segment->regions().extent_roots)->pages_used, 1); }
    CHECK_FALSE(violations(*segment).empty());
}
