// One object's heap: size classes over extents that the object owns. Every edit is part of the caller's Tx, in the
// object's domain.
//
// Blocks of up to 32 KiB come from free lists by class, else from fresh memory; larger ones have an extent of their
// own. Freed large extents are kept up to a limit, then given back after the transaction. Memory that was never
// handed out is zero only by accident: whoever allocates initialises.
// Thread safety: the caller holds the object's lock.
#pragma once

#include <bit>
#include <vector>

#include "heap/extents.hpp"
#include "heap/object.hpp"

namespace muster::heap {

// The transaction was rolled back: this many bytes of fresh memory are missing. Thrown to mutate(), which grows
// the heap outside the transaction and runs the mutation again.
struct NeedMemory {
    std::uint64_t bytes;
};
// ... and there is none: no free run of pages is long enough (error 0), or the system has no memory for it (fallocate's
// errno).
struct OutOfMemory {
    std::uint64_t bytes;
    int error = 0;
};

inline constexpr std::uint64_t largest_class = 32 * 1024;
inline constexpr unsigned class_count = 40;

// 16..128 in steps of 16, then four steps a doubling.
constexpr unsigned class_of(std::uint64_t size) noexcept {
    if (size <= 128) return size == 0 ? 0 : static_cast<unsigned>((size + 15) / 16 - 1);
    const auto top = static_cast<unsigned>(std::bit_width(size - 1) - 1);  // 2^top < size <= 2^(top+1)
    return 8 + (top - 7) * 4 + static_cast<unsigned>((size - 1 - (std::uint64_t{1} << top)) >> (top - 2));
}
constexpr std::uint64_t class_size(unsigned index) noexcept {
    if (index < 8) return (index + 1) * std::uint64_t{16};
    const unsigned top = 7 + (index - 8) / 4, step = (index - 8) % 4 + 1;
    return (std::uint64_t{1} << top) + (std::uint64_t{step} << (top - 2));
}
static_assert(class_of(largest_class) == class_count - 1 && class_size(class_count - 1) == largest_class);

struct ExtentHeader {
    Cell<std::uint64_t> next, prev;  // neighbours in the heap's list
    Cell<std::uint64_t> bytes;       // of the whole extent
    std::uint64_t reserved[5];
};
static_assert(sizeof(ExtentHeader) == 64);

inline constexpr std::uint64_t object_log_capacity = 256;

// The first extent of every object that has a heap.
struct BodyRep {
    ExtentHeader header;
    std::array<tx::LogEntry, object_log_capacity> log;
    std::array<Cell<std::uint64_t>, class_count> free_lists;  // first block; a free block's first word is the next
};
static_assert(sizeof(BodyRep) == 64 + 4096 + 320);
inline constexpr std::uint64_t body_bytes = 8192;

class Heap {
  public:
    Heap(const Segment& segment, ObjectRep& object, std::uint32_t id) noexcept
        : segment_(segment), object_(object), rep_(object.heap), id_(id) {}

    // At least `size` bytes, 16-byte aligned. Rolls the Tx back and throws NeedMemory when fresh memory is missing.
    std::uint64_t allocate(Tx& tx, std::uint64_t size);
    // `size` as it was asked for. The block must not be touched afterwards.
    void free(Tx& tx, std::uint64_t block, std::uint64_t size);
    // Frees what a Tx of many changes kept until its end.
    void free_later(Tx& tx);
    // What a block of `size` really holds: growing within it needs no new block.
    static std::uint64_t usable(std::uint64_t size) noexcept;

    class Run;

    // Every block at once: back to the empty body. The container clears its own roots in the same Tx.
    void reset(Tx& tx);

    // --- outside a transaction, under the object's lock ---
    void make_body();                // a new object's first extent; throws OutOfMemory
    void grow(std::uint64_t bytes);  // so that allocate(bytes) succeeds; throws OutOfMemory
    void collect();                  // gives back what is garbage; what it cannot now (tx::Busy) it leaves to reconcile()
    bool has_garbage() const noexcept { return rep_.garbage != 0; }
    void trim();                     // spare extents become garbage, and are collected
    bool has_spare() const noexcept { return rep_.spare != 0; }
    // A mutation failed after grow(): gives back what that added, as nobody uses it.
    void shrink();
    // I6: an extent with our tag that is in none of our lists is given back.
    void reconcile();
    // The object is dead: everything goes back.
    void destroy();

    std::uint64_t bytes() const noexcept { return rep_.bytes; }
    std::uint64_t live_bytes() const noexcept { return rep_.live; }

    // fn(text) for each violation; the object's lock is held.
    template <typename Fn>
    void verify(Fn&& violation) const;
    // The object's extents, by its lists: for verify, which asks of many blocks whether they lie inside.
    class Owned;

  private:
    BodyRep& body() const { return *segment_.block<BodyRep>(rep_.body); }
    ExtentHeader& header(std::uint64_t extent) const { return *segment_.block<ExtentHeader>(extent); }
    // More cannot be in any list of ours.
    void bound(std::uint64_t& steps) const {
        if (++steps > segment_.regions().page_count) throw segment::Damage{"heap: endless list of extents"};
    }
    void link(Tx& tx, Cell<std::uint64_t>& list, std::uint64_t extent);
    void unlink(Tx& tx, Cell<std::uint64_t>& list, std::uint64_t extent);
    std::uint64_t allocate_large(Tx& tx, std::uint64_t size);
    void free_large(Tx& tx, std::uint64_t block);
    template <typename Fn>
    void for_each_listed(Fn&& fn) const {  // every extent in our lists, the body first
        if (rep_.body != 0) fn(rep_.body.get());
        for (const Cell<std::uint64_t>* list : {&rep_.extents, &rep_.spare, &rep_.garbage}) {
            std::uint64_t steps = 0;
            for (std::uint64_t at = *list; at != 0; at = header(at).next) {
                bound(steps);
                fn(at);
            }
        }
    }

    const Segment& segment_;
    ObjectRep& object_;
    HeapRep& rep_;
    std::uint32_t id_;
};

// Many blocks in one Tx for few log entries: fresh memory costs none until finish(), a used block two.
// Between the first allocate() and finish() nothing else of the heap is called in this Tx; finish() comes before the
// first free(). Without finish() the Tx must not be committed.
class Heap::Run {
  public:
    Run(Heap& heap, Tx& tx) noexcept : heap_(heap), tx_(tx), cursor_(heap.rep_.cursor) {}
    Run(const Run&) = delete;
    Run& operator=(const Run&) = delete;

    // As Heap::allocate.
    std::uint64_t allocate(std::uint64_t size) {
        if (size > largest_class) return heap_.allocate_large(tx_, size);
        const unsigned index = class_of(size);
        const std::uint64_t block_size = class_size(index);
        Cell<std::uint64_t>& list = heap_.body().free_lists[index];
        std::uint64_t block = list;
        if (block != 0) {
            const auto* free_block = heap_.segment_.block<Cell<std::uint64_t>>(block, block_size / 8);
            tx_.set(list, free_block->get());
            tx_.save(free_block);  // as in Heap::allocate
        } else {
            block = cursor_;
            if (heap_.rep_.end - block < block_size) {
                tx_.roll_back();
                throw NeedMemory{block_size};
            }
            (void)heap_.segment_.block<std::uint64_t>(block, block_size / 8);
            cursor_ += block_size;
        }
        if (__builtin_expect(block % 16 != 0, false)) throw segment::Damage{"heap: a block off its boundary"};
        live_ += block_size;
        return block;
    }
    void finish() {
        if (cursor_ != heap_.rep_.cursor) tx_.set(heap_.rep_.cursor, cursor_);
        if (live_ != 0) tx_.set(heap_.rep_.live, heap_.rep_.live + live_);
        live_ = 0;
    }

  private:
    Heap& heap_;
    Tx& tx_;
    std::uint64_t cursor_;
    std::uint64_t live_ = 0;  // of small blocks; large ones are counted at once
};

class Heap::Owned {
  public:
    explicit Owned(const Heap& heap);
    // Is [offset, offset+size) inside one of them, behind its header?
    bool holds(std::uint64_t offset, std::uint64_t size) const noexcept;

  private:
    struct Span {
        std::uint64_t begin, end;
    };
    std::vector<Span> spans_;  // by address
};

template <typename Fn>
void Heap::verify(Fn&& violation) const {
    if (object_.domain.joint_slot != 0) violation("marked by a joint transaction that has ended");
    std::uint64_t bytes = 0, spare = 0, steps = 0;
    const Extents extents(segment_);
    for_each_listed([&](std::uint64_t at) {
        const std::uint64_t size = extents.bytes_at(at);
        if (size == 0) return violation("list names an extent that is none");
        if (size != header(at).bytes) violation("extent header and page table differ in size");
        bytes += size;
    });
    for (std::uint64_t at = rep_.spare; at != 0; at = header(at).next) bound(steps), spare += header(at).bytes;
    for (std::uint64_t at = rep_.garbage; at != 0; at = header(at).next) bound(steps), bytes -= header(at).bytes;
    if (bytes != rep_.bytes) violation("count of bytes differs from the extents");
    if (spare != rep_.spare_bytes) violation("count of spare bytes differs from the list");
    if (rep_.cursor > rep_.end || rep_.cursor % 16 != 0) violation("fresh memory: cursor behind its end");
    if (rep_.live > rep_.bytes) violation("more bytes handed out than owned");
    const Owned owned(*this);
    std::uint64_t free_bytes = 0;
    for (unsigned i = 0; i < class_count; ++i) {
        for (std::uint64_t at = body().free_lists[i]; at != 0; at = segment_.block<Cell<std::uint64_t>>(at)->get()) {
            if ((free_bytes += class_size(i)) > segment_.capacity()) return violation("endless free list");
            if (at % 16 != 0 || !owned.holds(at, class_size(i))) {
                violation("free block outside the object's extents");
                break;
            }
        }
    }
}

}  // namespace muster::heap
