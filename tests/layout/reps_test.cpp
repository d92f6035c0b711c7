// The bytes of what is stored, frozen: a change here is a change of the layout, and bumps layout_version, and LAYOUT.md.
#include <catch2/catch.hpp>

#include <cstddef>

#include "containers/containers.hpp"
#include "containers/item.hpp"
#include "containers/queue.hpp"
#include "segment/hash.hpp"
#include "sync/sync.hpp"

using namespace muster;

namespace {

void is(const char* what, std::size_t actual, std::size_t frozen) {
    INFO(what);
    CHECK(actual == frozen);
}

}  // namespace

#define SIZE(type, bytes) is("sizeof " #type, sizeof(type), bytes)
#define FIELD(type, member, offset) is(#type "." #member, offsetof(type, member), offset)

TEST_CASE("the layout version is the one these offsets belong to") {
    CHECK(segment::layout_version == 5);
    CHECK(segment::page_size == 4096);
    CHECK(std::string(segment::magic.begin(), segment::magic.end()) == "MUSTERSG");
}

TEST_CASE("the header keeps its layout") {
    using segment::Header;
    using segment::Regions;
    SIZE(Header, 424);
    FIELD(Header, magic, 0);
    FIELD(Header, version, 8);
    FIELD(Header, header_size, 12);
    FIELD(Header, instance, 16);
    FIELD(Header, capacity, 32);
    FIELD(Header, hash_seed, 40);
    FIELD(Header, pid_namespace, 48);
    FIELD(Header, regions, 56);
    FIELD(Header, reserved, 168);
    SIZE(Regions, 112);
    FIELD(Regions, segment_domain, 0);
    FIELD(Regions, directory_domain, 8);
    FIELD(Regions, sessions_domain, 16);
    FIELD(Regions, domain_logs, 24);
    FIELD(Regions, extent_roots, 32);
    FIELD(Regions, directory_root, 40);
    FIELD(Regions, sessions, 48);
    FIELD(Regions, slots, 56);
    FIELD(Regions, name_buckets, 64);
    FIELD(Regions, page_table, 72);
    FIELD(Regions, objects, 80);
    FIELD(Regions, data, 88);
    FIELD(Regions, page_count, 96);
    FIELD(Regions, object_capacity, 104);
}

TEST_CASE("a domain and its log keep their layout") {
    using tx::DomainRep;
    using tx::LogEntry;
    SIZE(tx::RobustMutex, 48);
    SIZE(DomainRep, 128);
    FIELD(DomainRep, mutex, 0);
    FIELD(DomainRep, sequence, 48);
    FIELD(DomainRep, log_count, 56);
    FIELD(DomainRep, log_offset, 64);
    FIELD(DomainRep, log_capacity, 72);
    FIELD(DomainRep, recoveries, 80);
    FIELD(DomainRep, unreconciled, 88);
    FIELD(DomainRep, joint_number, 96);
    FIELD(DomainRep, joint_slot, 104);
    SIZE(LogEntry, 16);
    FIELD(LogEntry, offset, 0);
    FIELD(LogEntry, old, 8);
    SIZE(tx::Cell<std::uint32_t>, 4);
    SIZE(tx::Cell<std::uint64_t>, 8);
}

TEST_CASE("extents and heaps keep their layout") {
    using heap::BodyRep;
    using heap::ExtentHeader;
    using heap::ExtentRootsRep;
    using heap::HeapRep;
    using heap::PageRep;
    SIZE(PageRep, 16);
    FIELD(PageRep, next, 0);
    FIELD(PageRep, prev, 4);
    FIELD(PageRep, owner, 8);
    FIELD(PageRep, info, 12);
    CHECK(static_cast<int>(heap::PageState::interior) == 0);
    CHECK(static_cast<int>(heap::PageState::free) == 1);
    CHECK(static_cast<int>(heap::PageState::extent) == 2);
    SIZE(ExtentRootsRep, 512);
    FIELD(ExtentRootsRep, free_heads, 0);
    FIELD(ExtentRootsRep, pages_used, 128);
    FIELD(ExtentRootsRep, high_water, 136);
    SIZE(HeapRep, 72);
    FIELD(HeapRep, body, 0);
    FIELD(HeapRep, extents, 8);
    FIELD(HeapRep, spare, 16);
    FIELD(HeapRep, garbage, 24);
    FIELD(HeapRep, cursor, 32);
    FIELD(HeapRep, end, 40);
    FIELD(HeapRep, bytes, 48);
    FIELD(HeapRep, live, 56);
    FIELD(HeapRep, spare_bytes, 64);
    SIZE(ExtentHeader, 64);
    FIELD(ExtentHeader, next, 0);
    FIELD(ExtentHeader, prev, 8);
    FIELD(ExtentHeader, bytes, 16);
    SIZE(BodyRep, 4480);
    FIELD(BodyRep, header, 0);
    FIELD(BodyRep, log, 64);
    FIELD(BodyRep, free_lists, 4160);
}

TEST_CASE("an object's entry keeps its layout") {
    using heap::ObjectRep;
    SIZE(ObjectRep, 1024);
    FIELD(ObjectRep, domain, 0);
    FIELD(ObjectRep, ident, 128);
    FIELD(ObjectRep, let_go, 136);
    FIELD(ObjectRep, next, 144);
    FIELD(ObjectRep, flags, 148);
    FIELD(ObjectRep, name_length, 152);
    FIELD(ObjectRep, name, 160);
    FIELD(ObjectRep, holders, 416);
    FIELD(ObjectRep, heap, 544);
    FIELD(ObjectRep, wait_points, 616);
    FIELD(ObjectRep, watchers, 632);
    FIELD(ObjectRep, root, 640);
    CHECK(sizeof(ObjectRep::root) == 320);
    FIELD(ObjectRep, turns, 960);
    CHECK(heap::turn_shift == 34);
    CHECK(heap::Ident{5, heap::Kind::queue, heap::Life::live}.pack() == 0x0000'0005'0000'0301);
    CHECK(static_cast<int>(heap::Kind::dict) == 1);
    CHECK(static_cast<int>(heap::Kind::list) == 2);
    CHECK(static_cast<int>(heap::Kind::queue) == 3);
    CHECK(static_cast<int>(heap::Kind::lock) == 4);
    CHECK(static_cast<int>(heap::Kind::rlock) == 5);
    CHECK(static_cast<int>(heap::Kind::semaphore) == 6);
    CHECK(static_cast<int>(heap::Kind::condition) == 7);
    CHECK(static_cast<int>(heap::Kind::event) == 8);
    CHECK(static_cast<int>(heap::Kind::barrier) == 9);
    CHECK(static_cast<int>(heap::Kind::pipe) == 30);
    CHECK(static_cast<int>(heap::Life::dead) == 2);
    CHECK(heap::flag_named == 1);
    CHECK(heap::flag_doomed == 2);
}

TEST_CASE("containers keep their layout") {
    using namespace containers;
    SIZE(DirectoryRep, 256);
    FIELD(DirectoryRep, free_head, 0);
    FIELD(DirectoryRep, doomed_head, 4);
    FIELD(DirectoryRep, high_water, 8);
    FIELD(DirectoryRep, live, 16);
    FIELD(DirectoryRep, closed, 24);
    FIELD(DirectoryRep, collections, 32);
    SIZE(TableRep, 128);
    FIELD(TableRep, index, 0);
    FIELD(TableRep, slot_count, 8);
    FIELD(TableRep, size, 16);
    FIELD(TableRep, used, 24);
    FIELD(TableRep, head, 32);
    FIELD(TableRep, tail, 40);
    FIELD(TableRep, changes, 48);
    FIELD(TableRep, expiring, 56);
    FIELD(TableRep, earliest, 64);
    FIELD(TableRep, sweep_at, 72);
    FIELD(TableRep, sweep_earliest, 80);
    SIZE(EntryRep, 40);
    FIELD(EntryRep, next, 0);
    FIELD(EntryRep, prev, 8);
    FIELD(EntryRep, hash, 16);
    FIELD(EntryRep, key_size, 24);
    FIELD(EntryRep, original_size, 28);
    FIELD(EntryRep, value, 32);
    CHECK(EntryRep::timed_bit == 0x8000'0000'0000'0000);
    SIZE(SequenceRep, 128);
    FIELD(SequenceRep, size, 0);
    FIELD(SequenceRep, surplus, 8);
    FIELD(SequenceRep, main, 16);
    FIELD(SequenceRep, spare, 64);
    SIZE(TreeRep, 32);
    FIELD(TreeRep, root, 0);
    FIELD(TreeRep, height, 8);
    FIELD(TreeRep, tail, 16);
    FIELD(TreeRep, tail_begin, 24);
    SIZE(LeafRep, 512);
    SIZE(NodeRep, 1024);
    FIELD(NodeRep, count, 0);
    FIELD(NodeRep, before, 16);
    FIELD(NodeRep, child, 352);
    SIZE(FifoRep, 48);
    FIELD(FifoRep, puts, 0);
    FIELD(FifoRep, tail, 8);
    FIELD(FifoRep, gets, 16);
    FIELD(FifoRep, head, 24);
    FIELD(FifoRep, tail_chunk, 32);
    FIELD(FifoRep, head_chunk, 40);
    SIZE(QueueRep, 256);
    FIELD(QueueRep, fifo, 0);
    FIELD(QueueRep, maxsize, 48);
    FIELD(QueueRep, flags, 56);
    FIELD(QueueRep, done, 64);
    FIELD(QueueRep, tree, 72);
    FIELD(QueueRep, leased, 104);
    FIELD(QueueRep, returned, 128);
    FIELD(QueueRep, dead, 152);
    FIELD(QueueRep, leases, 176);
    FIELD(QueueRep, max_deliveries, 184);
    FIELD(QueueRep, cleared, 192);
    CHECK(static_cast<int>(Order::fifo) == 0);
    CHECK(static_cast<int>(Order::lifo) == 1);
    CHECK(static_cast<int>(Order::priority) == 2);
    SIZE(LeaseRep, 96);
    FIELD(LeaseRep, next, 0);
    FIELD(LeaseRep, prev, 8);
    FIELD(LeaseRep, id, 16);
    FIELD(LeaseRep, owner, 24);
    FIELD(LeaseRep, deliveries, 32);
    FIELD(LeaseRep, number, 40);
    FIELD(LeaseRep, since_ns, 48);
    FIELD(LeaseRep, bytes, 56);
    FIELD(LeaseRep, size, 64);
    FIELD(LeaseRep, block, 72);
    FIELD(LeaseRep, block_size, 80);
    SIZE(PipeRep, 128);
    FIELD(PipeRep, to, 0);
    FIELD(PipeRep, flags, 96);
    FIELD(PipeRep, maxsize, 104);
    FIELD(PipeRep, ends, 112);
    FIELD(PipeRep, duplex, 120);
    SIZE(PipeEndRep, 256);
    FIELD(PipeEndRep, users, 0);
    FIELD(PipeEndRep, heirs, 128);
    SIZE(ChunkRep, 32);
    FIELD(ChunkRep, next, 0);
    FIELD(ChunkRep, size, 8);
    FIELD(ChunkRep, end, 16);
}

TEST_CASE("sessions and locks keep their layout") {
    using namespace sync;
    SIZE(SessionRep, 128);
    FIELD(SessionRep, ident, 0);
    FIELD(SessionRep, pid, 8);
    FIELD(SessionRep, start_time, 16);
    FIELD(SessionRep, pid_namespace, 24);
    FIELD(SessionRep, claimed_ns, 32);
    SIZE(SlotRep, 128);
    FIELD(SlotRep, ident, 0);
    FIELD(SlotRep, tid, 8);
    FIELD(SlotRep, session_generation, 16);
    FIELD(SlotRep, wait, 24);
    FIELD(SlotRep, joint_decided, 48);
    FIELD(SlotRep, moving, 72);
    SIZE(LockRep, 64);
    FIELD(LockRep, word, 0);
    FIELD(LockRep, epoch, 8);
    FIELD(LockRep, levels, 16);
    FIELD(LockRep, broken, 32);
    CHECK(LockWord::ended == 0x4000'0000);
    CHECK(LockWord::waiters == 0x8000'0000);
    CHECK(LockWord::handover == 0x1'0000'0000);
    CHECK(LockWord::inherited_bit == 0x2'0000'0000);
    CHECK(SlotId::make(5, 3).word() == 3u * 4096 + 5);
}

TEST_CASE("what threads and processes wait on keeps its layout") {
    using namespace sync;
    CHECK(offsetof(SlotRep, reserved) + 8 * slot_sleep_word == 88);
    CHECK(offsetof(SlotRep, reserved) + 8 * slot_wait_number == 96);
    SIZE(WaiterRep, 64);
    FIELD(WaiterRep, next, 0);
    FIELD(WaiterRep, prev, 8);
    FIELD(WaiterRep, owner, 16);
    FIELD(WaiterRep, slot, 24);
    FIELD(WaiterRep, number, 32);
    FIELD(WaiterRep, ticket, 40);
    FIELD(WaiterRep, state, 48);
    FIELD(WaiterRep, data, 56);
    SIZE(LineRep, 40);
    FIELD(LineRep, head, 0);
    FIELD(LineRep, tail, 8);
    FIELD(LineRep, count, 16);
    FIELD(LineRep, ticket, 24);
    FIELD(LineRep, looked, 32);
    SIZE(EventRep, 8);
    FIELD(EventRep, word, 0);
    SIZE(SemaphoreRep, 200);
    FIELD(SemaphoreRep, value, 0);
    FIELD(SemaphoreRep, bound, 8);
    FIELD(SemaphoreRep, bounded, 16);
    FIELD(SemaphoreRep, disowned, 24);
    FIELD(SemaphoreRep, line, 32);
    FIELD(SemaphoreRep, shares, 72);
    SIZE(ConditionRep, 56);
    FIELD(ConditionRep, lock, 0);
    FIELD(ConditionRep, all_through, 8);
    FIELD(ConditionRep, line, 16);
    SIZE(BarrierRep, 112);
    FIELD(BarrierRep, parties, 0);
    FIELD(BarrierRep, timeout, 8);
    FIELD(BarrierRep, phase, 16);
    FIELD(BarrierRep, round, 24);
    FIELD(BarrierRep, released, 32);
    FIELD(BarrierRep, next, 40);
    FIELD(BarrierRep, run, 48);
    FIELD(BarrierRep, runner_slot, 56);
    FIELD(BarrierRep, runner_owner, 64);
    FIELD(BarrierRep, line, 72);
    CHECK(static_cast<int>(BarrierPhase::filling) == 0);
    CHECK(static_cast<int>(BarrierPhase::running) == 1);
    CHECK(static_cast<int>(BarrierPhase::draining) == 2);
    CHECK(static_cast<int>(BarrierPhase::resetting) == 3);
    CHECK(static_cast<int>(BarrierPhase::broken) == 4);
}

TEST_CASE("the words of items keep their form") {
    using namespace containers::item;
    CHECK(inline_limit == 7);
    CHECK(long_length == 0xffff);
    CHECK(is_inline(0x0000'0000'0000'6107));
    CHECK_FALSE(is_inline(0x0100'0000'0001'0000));
    CHECK(block_of(0xabcd'1234'5678'9ab0) == 0x1234'5678'9ab0);
}

TEST_CASE("the hash of stored keys keeps its values") {
    const auto hash = [](const std::string& text, std::uint64_t seed) {
        return segment::hash_bytes(text.data(), text.size(), seed);
    };
    CHECK(hash("", 1) == 0xf83c1ce8e4664a77);
    CHECK(hash("key", 1) == 0xfc8c2bc17c6134f1);
    CHECK(hash("a longer key of 27 bytes...", 0x1234567890abcdef) == 0xb76929a778035889);
    CHECK(hash("sixteen byte keysixteen byte keysixteen byte keysixteen byte key!", 7) == 0x2f7d2c18f04541c3);
}

TEST_CASE("the sizes of blocks keep their classes") {
    static constexpr std::uint64_t sizes[] = {16,   32,   48,   64,   80,   96,   112,  128,  160,   192,
                                              224,  256,  320,  384,  448,  512,  640,  768,  896,   1024,
                                              1280, 1536, 1792, 2048, 2560, 3072, 3584, 4096, 5120,  6144,
                                              7168, 8192, 10240, 12288, 14336, 16384, 20480, 24576, 28672, 32768};
    REQUIRE(std::size(sizes) == heap::class_count);
    for (unsigned i = 0; i < heap::class_count; ++i) {
        CHECK(heap::class_size(i) == sizes[i]);
        CHECK(heap::class_of(sizes[i]) == i);
        CHECK(heap::class_of((i == 0 ? 0 : sizes[i - 1]) + 1) == i);
    }
    CHECK(heap::class_of(0) == 0);
}
