#include "heap/heap_of.hpp"

#include <algorithm>
#include <vector>

namespace muster::heap {
namespace {

// Freed large extents that an object keeps for its next large block.
constexpr std::uint64_t spare_limit = 8u << 20;
constexpr std::uint64_t largest_chunk = 1u << 20;

}  // namespace

std::uint64_t Heap::usable(std::uint64_t size) noexcept {
    return size <= largest_class ? class_size(class_of(size)) : size;
}

std::uint64_t Heap::allocate(Tx& tx, std::uint64_t size) {
    MUSTER_CHECK(!tx.has_freed());
    if (size > largest_class) return allocate_large(tx, size);
    const unsigned index = class_of(size);
    Cell<std::uint64_t>& list = body().free_lists[index];
    const std::uint64_t block_size = class_size(index);
    std::uint64_t block = list;
    if (block != 0) {
        const auto* free_block = segment_.block<Cell<std::uint64_t>>(block, block_size / 8);
        tx.set(list, free_block->get());
        // The link in the block stays needed until the commit: a roll-back puts the block back into the list.
        tx.save(free_block);
    } else {
        block = rep_.cursor;
        if (rep_.end - block < block_size) {
            tx.roll_back();
            throw NeedMemory{block_size};
        }
        (void)segment_.block<std::uint64_t>(block, block_size / 8);
        tx.set(rep_.cursor, block + block_size);
    }
    if (__builtin_expect(block % 16 != 0, false)) throw segment::Damage{"heap: a block off its boundary"};
    tx.set(rep_.live, rep_.live + block_size);
    return block;
}

void Heap::free(Tx& tx, std::uint64_t block, std::uint64_t size) {
    if (tx::FreedLater* later = tx.later(); __builtin_expect(later != nullptr && !later->at_the_end, false)) {
        if (later->count == later->blocks.size()) throw tx::LogFull{};
        later->blocks[later->count++] = {block, size};
        return;
    }
    tx.freed();
    if (size > largest_class) return free_large(tx, block);
    const unsigned index = class_of(size);
    Cell<std::uint64_t>& list = body().free_lists[index];
    tx.set(*segment_.block<Cell<std::uint64_t>>(block), list.get());
    tx.set(list, block);
    tx.set(rep_.live, rep_.live - class_size(index));
}

void Heap::free_later(Tx& tx) {
    tx::FreedLater& later = *tx.later();
    later.at_the_end = true;
    for (unsigned i = 0; i < later.count; ++i) free(tx, later.blocks[i].block, later.blocks[i].size);
}

void Heap::link(Tx& tx, Cell<std::uint64_t>& list, std::uint64_t extent) {
    const std::uint64_t head = list;
    if (head != 0) tx.set(header(head).prev, extent);
    tx.set(header(extent).next, head);
    tx.set(header(extent).prev, 0);
    tx.set(list, extent);
}

void Heap::unlink(Tx& tx, Cell<std::uint64_t>& list, std::uint64_t extent) {
    const std::uint64_t next = header(extent).next, prev = header(extent).prev;
    if (next != 0) tx.set(header(next).prev, prev);
    if (prev != 0)
        tx.set(header(prev).next, next);
    else
        tx.set(list, next);
}

std::uint64_t Heap::allocate_large(Tx& tx, std::uint64_t size) {
    const std::uint64_t wanted = size + sizeof(ExtentHeader);
    std::uint64_t steps = 0;
    for (std::uint64_t at = rep_.spare; at != 0; at = header(at).next) {
        bound(steps);
        if (header(at).bytes < wanted || header(at).bytes > wanted * 2 + body_bytes) continue;
        (void)segment_.block<std::byte>(at, wanted);
        unlink(tx, rep_.spare, at);
        link(tx, rep_.extents, at);
        tx.set(rep_.spare_bytes, rep_.spare_bytes - header(at).bytes);
        tx.set(rep_.live, rep_.live + header(at).bytes);
        return at + sizeof(ExtentHeader);
    }
    tx.roll_back();
    throw NeedMemory{size};
}

void Heap::free_large(Tx& tx, std::uint64_t block) {
    const std::uint64_t extent = block - sizeof(ExtentHeader), bytes = header(extent).bytes;
    unlink(tx, rep_.extents, extent);
    tx.set(rep_.live, rep_.live - bytes);
    if (rep_.spare_bytes + bytes <= spare_limit) {
        link(tx, rep_.spare, extent);
        tx.set(rep_.spare_bytes, rep_.spare_bytes + bytes);
    } else {
        link(tx, rep_.garbage, extent);
        tx.set(rep_.bytes, rep_.bytes - bytes);
    }
}

void Heap::reset(Tx& tx) {
    if (has_garbage()) throw segment::Damage{"heap: garbage out of nowhere"};  // mutate() collects before it begins
    tx.freed();
    for (Cell<std::uint64_t>& list : body().free_lists)
        if (list != 0) tx.set(list, 0);
    tx.set(rep_.garbage, rep_.extents);
    tx.set(rep_.extents, 0);
    tx.set(rep_.bytes, body_bytes + rep_.spare_bytes);
    tx.set(rep_.live, 0);
    tx.set(rep_.cursor, rep_.body + sizeof(BodyRep));
    tx.set(rep_.end, rep_.body + body_bytes);
}

void Heap::make_body() {
    Extents extents(segment_);
    const Extent extent = extents.acquire(body_bytes, id_);
    if (extent.offset == 0) throw OutOfMemory{body_bytes, extent.error};
    // Nobody can see this object yet: its identity says so. Everything is fresh (I3).
    BodyRep& body = *segment_.block<BodyRep>(extent.offset);
    Tx::init(body.header.next, 0);
    Tx::init(body.header.prev, 0);
    Tx::init(body.header.bytes, extent.bytes);
    for (Cell<std::uint64_t>& list : body.free_lists) Tx::init(list, 0);
    Tx::init(rep_.body, extent.offset);
    Tx::init(rep_.extents, 0);
    Tx::init(rep_.spare, 0);
    Tx::init(rep_.garbage, 0);
    Tx::init(rep_.cursor, extent.offset + sizeof(BodyRep));
    Tx::init(rep_.end, extent.offset + extent.bytes);
    Tx::init(rep_.bytes, extent.bytes);
    Tx::init(rep_.live, 0);
    Tx::init(rep_.spare_bytes, 0);
    object_.domain.log_offset = extent.offset + offsetof(BodyRep, log);
    object_.domain.log_capacity = object_log_capacity;
}

void Heap::grow(std::uint64_t bytes) {
    Extents extents(segment_);
    const bool large = bytes > largest_class;
    std::uint64_t ask = bytes + sizeof(ExtentHeader);
    if (!large) ask = std::max(ask, std::clamp<std::uint64_t>(std::bit_floor(rep_.bytes.get()), 4096, largest_chunk));
    Extent extent;
    try {
        extent = extents.acquire(ask, id_);
        if (extent.offset == 0 && !large) {  // a small chunk may still be there
            ask = bytes + sizeof(ExtentHeader);
            extent = extents.acquire(ask, id_);
        }
    } catch (const tx::Busy&) {  // perhaps with an extent in hand that nobody knows of
        tx::unreconciled(object_.domain);
        throw;
    }
    if (extent.offset == 0) throw OutOfMemory{bytes, extent.error};
    ExtentHeader& fresh = header(extent.offset);
    Tx::init(fresh.bytes, extent.bytes);
    Tx tx(segment_, object_.domain);
    tx.set(rep_.bytes, rep_.bytes + extent.bytes);
    if (large) {
        link(tx, rep_.spare, extent.offset);
        tx.set(rep_.spare_bytes, rep_.spare_bytes + extent.bytes);
    } else {
        link(tx, rep_.extents, extent.offset);
        // What is left of the last chunk goes into the free list of the class it fills best.
        const std::uint64_t rest = rep_.end - rep_.cursor;
        if (rest >= 16) {
            unsigned index = class_of(std::min(rest, largest_class));
            if (class_size(index) > rest) --index;
            Cell<std::uint64_t>& list = body().free_lists[index];
            tx.set(*segment_.block<Cell<std::uint64_t>>(rep_.cursor), list.get());
            tx.set(list, rep_.cursor);
        }
        tx.set(rep_.cursor, extent.offset + sizeof(ExtentHeader));
        tx.set(rep_.end, extent.offset + extent.bytes);
    }
    tx.commit();
}

void Heap::collect() {
    Extents extents(segment_);
    while (const std::uint64_t extent = rep_.garbage) {
        const std::uint64_t next = header(extent).next;
        Tx tx(segment_, object_.domain);
        tx.set(rep_.garbage, next);
        tx.commit();
        try {
            extents.give_back(extent, id_);  // dying in between leaves a tagged extent in no list: reconcile()
        } catch (const tx::Busy&) {
            return tx::unreconciled(object_.domain);
        }
    }
}

void Heap::trim() {
    while (const std::uint64_t extent = rep_.spare) {
        Tx tx(segment_, object_.domain);
        unlink(tx, rep_.spare, extent);
        link(tx, rep_.garbage, extent);
        tx.set(rep_.spare_bytes, rep_.spare_bytes - header(extent).bytes);
        tx.set(rep_.bytes, rep_.bytes - header(extent).bytes);
        tx.commit();
        collect();
    }
}

void Heap::shrink() {
    trim();
    const std::uint64_t chunk = rep_.extents;
    if (chunk == 0 || rep_.cursor != chunk + sizeof(ExtentHeader)) return;  // the last chunk is in use
    Tx tx(segment_, object_.domain);
    unlink(tx, rep_.extents, chunk);
    link(tx, rep_.garbage, chunk);
    tx.set(rep_.bytes, rep_.bytes - header(chunk).bytes);
    tx.set(rep_.cursor, 0);
    tx.set(rep_.end, 0);
    tx.commit();
    collect();
}

void Heap::reconcile() {
    std::vector<std::uint64_t> known;
    for_each_listed([&](std::uint64_t extent) { known.push_back(extent); });
    std::sort(known.begin(), known.end());
    std::vector<std::uint64_t> strays;
    Extents extents(segment_);
    extents.for_each([&](const Extent& extent) {
        if (extent.owner == id_ && !std::binary_search(known.begin(), known.end(), extent.offset))
            strays.push_back(extent.offset);
    });
    if (tx::mutant(tx::Mutant::leaked_extent)) return;
    for (const std::uint64_t stray : strays) extents.give_back(stray, id_);
}

void Heap::destroy() {
    std::vector<std::uint64_t> owned;
    Extents extents(segment_);
    // By tag, not by our own lists: those need not be whole, and nothing may be left.
    extents.for_each([&](const Extent& extent) {
        if (extent.owner == id_) owned.push_back(extent.offset);
    });
    object_.domain.log_offset = object_.domain.log_capacity = 0;
    Tx::init(rep_.body, 0);
    for (const std::uint64_t extent : owned) extents.give_back(extent, id_);
}

Heap::Owned::Owned(const Heap& heap) {
    heap.for_each_listed([&](std::uint64_t extent) {
        const std::uint64_t bytes = heap.header(extent).bytes;
        if (bytes >= sizeof(ExtentHeader) && bytes <= heap.segment_.capacity())
            spans_.push_back({extent + sizeof(ExtentHeader), extent + bytes});
    });
    std::sort(spans_.begin(), spans_.end(), [](const Span& a, const Span& b) { return a.begin < b.begin; });
}

bool Heap::Owned::holds(std::uint64_t offset, std::uint64_t size) const noexcept {
    auto span = std::upper_bound(spans_.begin(), spans_.end(), offset,
                                 [](std::uint64_t at, const Span& s) { return at < s.begin; });
    if (span == spans_.begin()) return false;
    --span;
    return offset <= span->end && size <= span->end - offset;
}

int wake_watchers(std::uint32_t& word) noexcept {
    if (tx::mutant(tx::Mutant::missing_wake)) return 0;
    std::uint32_t now = __atomic_add_fetch(&word, 2u, __ATOMIC_SEQ_CST);
    const int woken = base::futex_wake(&word);
    if (woken == 0)
        __atomic_compare_exchange_n(&word, &now, now & ~1u, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
    return woken;
}

}  // namespace muster::heap
