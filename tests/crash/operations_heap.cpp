#include "crash/subject.hpp"
#include "support/temp_segment.hpp"

namespace muster::test {
namespace {

using containers::Directory;
using heap::Heap;
using heap::Kind;
using heap::ObjectLock;
using segment::Segment;
using tx::Tx;

constexpr std::uint64_t small_block = 100, large_block = 50'000;

// The subject's root, as these tests use it: blocks that it holds.
struct BlocksRep {
    tx::Cell<std::uint64_t> blocks[8];
};

BlocksRep& blocks_root(const ObjectLock& lock) { return heap::root_of<BlocksRep>(lock.object()); }

void make_subject(const Segment& segment) { Directory(segment).create(Kind::dict, 0u); }

void allocate_block(const Segment& segment, std::size_t index, std::uint64_t size) {
    ObjectLock lock(segment, subject);
    heap::mutate(lock, [&](Tx& tx, Heap& heap) { tx.set(blocks_root(lock).blocks[index], heap.allocate(tx, size)); });
}

void free_block(const Segment& segment, std::size_t index, std::uint64_t size) {
    ObjectLock lock(segment, subject);
    heap::mutate(lock, [&](Tx& tx, Heap& heap) {
        const std::uint64_t block = blocks_root(lock).blocks[index];
        tx.set(blocks_root(lock).blocks[index], 0);
        heap.free(tx, block, size);
    });
}

void reset_heap(const Segment& segment) {
    ObjectLock lock(segment, subject);
    heap::mutate(lock, [&](Tx& tx, Heap& heap) {
        for (auto& block : blocks_root(lock).blocks) tx.set(block, 0);
        heap.reset(tx);
    });
}

// Which blocks are held, and what the heap says is handed out. Where a block lies is the heap's own affair, but two
// of them must not be at one place.
std::string blocks_of(const ObjectLock& lock) {
    std::string text;
    for (std::size_t i = 0; i < 8; ++i) {
        const std::uint64_t block = blocks_root(lock).blocks[i];
        text += block != 0 ? 'x' : '.';
        for (std::size_t j = 0; j < i; ++j)
            if (block != 0 && block == blocks_root(lock).blocks[j]) text += " twice ";
    }
    return text + ", live " + std::to_string(lock.heap().live_bytes());
}

std::string blocks(const Segment& segment) { return blocks_of(ObjectLock(segment, subject)); }

// Also what is free: for operations that do not let the heap grow.
std::string blocks_and_room(const Segment& segment) {
    const ObjectLock lock(segment, subject);
    const heap::HeapRep& rep = lock.object().heap;
    std::uint64_t room = rep.end - rep.cursor;
    const auto& lists = segment.at<heap::BodyRep>(rep.body)->free_lists;
    for (unsigned i = 0; i < heap::class_count; ++i)
        for (std::uint64_t at = lists[i]; at != 0; at = *segment.at<tx::Cell<std::uint64_t>>(at))
            room += heap::class_size(i);
    return blocks_of(lock) + ", room " + std::to_string(room);
}

std::string blocks_and_bytes(const Segment& segment) {
    const ObjectLock lock(segment, subject);
    return blocks_of(lock) + ", bytes " + std::to_string(lock.heap().bytes());
}

}  // namespace

std::vector<Operation> heap_operations() {
    std::vector<Operation> all;
    all.push_back({"heap: allocate, small from fresh memory", make_subject,
                   [](const Segment& s) { allocate_block(s, 0, small_block); }, blocks_and_room});
    all.push_back({"heap: allocate, small from freed memory",
                   [](const Segment& s) {
                       make_subject(s);
                       allocate_block(s, 0, small_block);
                       allocate_block(s, 1, small_block);
                       free_block(s, 0, small_block);
                       free_block(s, 1, small_block);
                   },
                   [](const Segment& s) { allocate_block(s, 2, small_block); }, blocks_and_room});
    all.push_back({"heap: allocate, small where the heap grows",
                   [](const Segment& s) {
                       make_subject(s);
                       allocate_block(s, 0, 3000);
                   },
                   [](const Segment& s) { allocate_block(s, 1, 3000); }, blocks});
    all.push_back({"heap: allocate, large", make_subject,
                   [](const Segment& s) { allocate_block(s, 0, large_block); }, blocks});
    all.push_back({"heap: allocate, large from a spare extent",
                   [](const Segment& s) {
                       make_subject(s);
                       allocate_block(s, 0, large_block);
                       allocate_block(s, 1, large_block);
                       free_block(s, 0, large_block);
                       free_block(s, 1, large_block);
                   },
                   [](const Segment& s) { allocate_block(s, 2, large_block); }, blocks});
    all.push_back({"heap: free, small",
                   [](const Segment& s) {
                       make_subject(s);
                       allocate_block(s, 0, small_block);
                       allocate_block(s, 1, small_block);
                       free_block(s, 1, small_block);
                   },
                   [](const Segment& s) { free_block(s, 0, small_block); }, blocks_and_room});
    all.push_back({"heap: free, large",
                   [](const Segment& s) {
                       make_subject(s);
                       for (std::size_t i = 0; i < 3; ++i) allocate_block(s, i, large_block);
                   },
                   [](const Segment& s) { free_block(s, 1, large_block); }, blocks});
    all.push_back({"heap: trim",
                   [](const Segment& s) {
                       make_subject(s);
                       allocate_block(s, 0, large_block);
                       free_block(s, 0, large_block);
                   },
                   [](const Segment& s) {
                       ObjectLock lock(s, subject);
                       lock.heap().trim();
                   },
                   blocks_and_bytes});
    all.push_back({"heap: shrink, a spare block and a chunk that nobody has used",
                   [](const Segment& s) {
                       make_subject(s);
                       allocate_block(s, 0, large_block);
                       free_block(s, 0, large_block);
                       ObjectLock lock(s, subject);
                       lock.heap().grow(small_block);
                   },
                   [](const Segment& s) {
                       ObjectLock lock(s, subject);
                       lock.heap().shrink();
                   },
                   blocks_and_bytes});
    all.back().in_steps = true;
    all.push_back({"heap: reset",
                   [](const Segment& s) {
                       make_subject(s);
                       allocate_block(s, 0, small_block);
                       allocate_block(s, 1, 4000);
                       allocate_block(s, 2, large_block);
                   },
                   reset_heap, blocks});
    all.push_back({"heap: reset, every free list in use",
                   [](const Segment& s) {
                       make_subject(s);
                       for (unsigned i = 0; i < heap::class_count; ++i) {
                           allocate_block(s, i % 8, heap::class_size(i));
                           free_block(s, i % 8, heap::class_size(i));
                       }
                       allocate_block(s, 0, small_block);
                   },
                   reset_heap, blocks_and_bytes});
    all.push_back({"heap: allocate, the largest of the classes", make_subject,
                   [](const Segment& s) { allocate_block(s, 0, heap::largest_class); }, blocks});
    all.push_back({"heap: allocate, the smallest above the classes", make_subject,
                   [](const Segment& s) { allocate_block(s, 0, heap::largest_class + 1); }, blocks});
    all.push_back({"heap: free, the last of a class",
                   [](const Segment& s) {
                       make_subject(s);
                       allocate_block(s, 0, 16);
                   },
                   [](const Segment& s) { free_block(s, 0, 16); }, blocks_and_room});
    all.push_back({"heap: trim, several",
                   [](const Segment& s) {
                       make_subject(s);
                       for (std::size_t i = 0; i < 3; ++i) allocate_block(s, i, large_block);
                       for (std::size_t i = 0; i < 3; ++i) free_block(s, i, large_block);
                   },
                   [](const Segment& s) {
                       ObjectLock lock(s, subject);
                       lock.heap().trim();
                   },
                   blocks_and_bytes});
    all.back().in_steps = true;  // one extent after the other
    for (Operation& operation : all) operation.real_containers = false;
    return all;
}

std::vector<Operation> extent_operations() {
    // For an object that is not there: the directory would take it back.
    static constexpr std::uint32_t owner = 7;
    const auto extents = [](const Segment& s) {
        std::string text;
        heap::Extents(s).for_each([&](const heap::Extent& extent) {
            text += std::to_string(extent.offset) + "+" + std::to_string(extent.bytes) + " ";
        });
        return text;
    };
    std::vector<Operation> all;
    all.push_back({"extents: acquire", [](const Segment& s) { make_subject(s); },
                   [](const Segment& s) { heap::Extents(s).acquire(20'000, owner); }, extents, false});
    all.push_back({"extents: give_back",
                   [](const Segment& s) {
                       make_subject(s);
                       heap::Extents(s).acquire(20'000, owner);
                       heap::Extents(s).acquire(20'000, owner);
                   },
                   [](const Segment& s) {
                       std::uint64_t last = 0;
                       heap::Extents(s).for_each([&](const heap::Extent& extent) {
                           if (extent.owner == owner) last = extent.offset;
                       });
                       heap::Extents(s).give_back(last, owner);
                   },
                   extents, false});
    const auto one = [](std::uint64_t pages) {
        return [pages](const Segment& s) { heap::Extents(s).acquire(pages * 4096, owner); };
    };
    const auto row = [&](const char* name, auto setup, auto run) { all.push_back({name, setup, run, extents, false}); };
    row("extents: acquire, one page of the largest block", [](const Segment&) {}, one(1));
    row("extents: acquire, a block as it is", one(1), one(1));
    row("extents: acquire, of an odd size", [](const Segment& s) { make_subject(s); }, one(21));
    const auto give_back = [](std::size_t which) {  // of the owner's extents, by address
        return [which](const Segment& s) {
            std::vector<std::uint64_t> owned;
            heap::Extents(s).for_each([&](const heap::Extent& extent) {
                if (extent.owner == owner) owned.push_back(extent.offset);
            });
            heap::Extents(s).give_back(owned.at(which), owner);
        };
    };
    row("extents: give_back, the only one", one(1), give_back(0));
    row("extents: give_back, between two others",
        [=](const Segment& s) {
            for (int i = 0; i < 3; ++i) one(1)(s);
        },
        give_back(1));
    row("extents: give_back, of an odd size", one(21), give_back(0));
    return all;
}

}  // namespace muster::test
