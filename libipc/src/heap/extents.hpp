// Extents: runs of pages, each owned by one object; a buddy allocator in the segment's own domain. An extent has as many
// pages as were asked for: what is left of its block is free again at once.
//
// Invariants kept here: I6 (an extent carries its owner in the page table, so that a crash between this domain and
// the owner's can be mended), I7 (pages are reserved before they are handed out).
// Locking: every call takes the segment domain by itself, after whatever the caller holds (I11).
// Thread safety: safe from any thread of any process.
#pragma once

#include <array>
#include <cstdint>

#include "tx/tx.hpp"

namespace muster::heap {

using segment::Segment;
using tx::Cell;
using tx::Tx;

inline constexpr unsigned max_order = 28;  // 1 TiB of pages

// One page of the data region. Only the first page of a block (free or extent) has a meaning.
struct PageRep {
    Cell<std::uint32_t> next;   // free: next in the list of its order, page index + 1, 0 = none; extent: its pages
    Cell<std::uint32_t> prev;   // free: the one before
    Cell<std::uint32_t> owner;  // extent: the object's id
    Cell<std::uint32_t> info;   // state | order << 8 (of a free block)
};
static_assert(sizeof(PageRep) == segment::page_entry_size);

enum class PageState : std::uint8_t { interior = 0, free = 1, extent = 2 };

struct ExtentRootsRep {
    std::array<Cell<std::uint32_t>, 32> free_heads;  // by order; page index + 1
    Cell<std::uint64_t> pages_used;
    Cell<std::uint64_t> high_water;  // most pages ever used (statistics)
    std::uint64_t reserved[46];
};
static_assert(sizeof(ExtentRootsRep) == segment::extent_roots_size);

struct Extent {
    std::uint64_t offset = 0, bytes = 0;
    std::uint32_t owner = 0;
    int error = 0;  // of an acquire() that failed: fallocate's errno, 0 when there is no free run so long
};

class Extents {
  public:
    explicit Extents(const Segment& segment);

    // On a new segment: everything is free.
    void format();

    // A run of at least `bytes`, owned by `owner`, its first `bytes` backed by memory and zero. Offset 0: there is no
    // such run or no memory; nothing has changed. May throw Damage; blocks for other users of the segment domain, and
    // throws tx::Busy when the segment's limit for that has passed (Segment::limit_waits), as all that locks here.
    Extent acquire(std::uint64_t bytes, std::uint32_t owner);
    // Gives one back. Its memory is returned to the kernel first. Anything but an owned extent is Damage.
    void give_back(std::uint64_t offset, std::uint32_t owner);

    // Every extent, in address order, under the segment domain: fn(const Extent&). For verify and clean-up.
    template <typename Fn>
    void for_each(Fn&& fn) const {
        tx::DomainLock lock(segment_, domain_, segment_.lock_deadline());
        walk([&](std::uint64_t page, PageState state, unsigned, std::uint64_t pages) {
            if (state == PageState::extent)
                fn(Extent{offset_of(page), pages * segment::page_size, pages_[page].owner.get(), 0});
        });
    }
    // One whole extent's size, 0 when no extent begins there. Unlocked: for the owner, who holds its own lock.
    std::uint64_t bytes_at(std::uint64_t offset) const noexcept;

    // The extent that holds the byte at `offset`; without bytes: none does. A few looks. Unlocked, as bytes_at().
    Extent containing(std::uint64_t offset) const noexcept;

    // --- for those who only look, while others work ---
    // Copies what verify() looks at into a scratch segment that is zero there, without a lock: the table as it was at one
    // moment. False: it never stood still. Throws Damage.
    bool copy_to(const Segment& scratch) const;
    // The same structure block by block, as far as that can be said of each by itself: begins at `from` (0 at first) under
    // the lock and looks at `blocks` of them. Returns where to go on; 0 when that was the last.
    // found(const Extent&) is told of each extent.
    template <typename Fn, typename Found>
    std::uint64_t verify_some(std::uint64_t from, std::uint64_t blocks, Fn&& violation, Found&& found) const;

    struct Free {
        std::uint64_t bytes = 0, largest = 0;  // the largest extent there is room for
    };
    Free free() const noexcept;  // unlocked: a hint
    std::uint64_t used_bytes() const noexcept { return roots_.pages_used.get() * segment::page_size; }

    // Checks the whole structure under its lock; fn(text) for each violation. Returns the number of extents.
    template <typename Fn>
    std::uint64_t verify(Fn&& violation) const;

  private:
    std::uint64_t offset_of(std::uint64_t page) const noexcept {
        return segment_.regions().data + page * segment::page_size;
    }
    static constexpr std::uint32_t info(PageState state, unsigned order) noexcept {
        return static_cast<std::uint32_t>(state) | order << 8;
    }
    PageState state(std::uint64_t page) const noexcept { return static_cast<PageState>(pages_[page].info.get() & 0xff); }
    unsigned order(std::uint64_t page) const noexcept { return pages_[page].info.get() >> 8 & 0xff; }
    // By number + 1, as lists name them.
    PageRep& listed_page(std::uint64_t number) const {
        if (number == 0 || number > page_count_) throw segment::Damage{"page table: list of free blocks"};
        return pages_[number - 1];
    }
    // The block (free or extent) that holds the page: it begins at a multiple of the power of two that its pages fit into.
    std::uint64_t block_of(std::uint64_t page, std::uint64_t& pages) const noexcept;
    void push_free(Tx& tx, std::uint64_t page, unsigned order);
    void unlink_free(Tx& tx, std::uint64_t page, unsigned order);
    void free_block(Tx& tx, std::uint64_t page, unsigned order);

    // Visits the first page of every block; Damage when the chain of blocks does not hold.
    template <typename Fn>
    void walk(Fn&& fn) const {
        for (std::uint64_t page = 0; page < page_count_;) {
            const PageState s = state(page);
            const unsigned o = order(page);
            if ((s != PageState::free && s != PageState::extent) || o > max_order)
                throw segment::Damage{"page table: not the start of a block"};
            const std::uint64_t pages = s == PageState::free ? std::uint64_t{1} << o : pages_[page].next.get();
            if (pages == 0 || pages > page_count_ - page) throw segment::Damage{"page table: size of a block"};
            fn(page, s, o, pages);
            page += pages;
        }
    }

    const Segment& segment_;
    tx::DomainRep& domain_;
    ExtentRootsRep& roots_;
    PageRep* pages_;
    std::uint64_t page_count_;
};

template <typename Fn>
std::uint64_t Extents::verify(Fn&& violation) const {
    tx::DomainLock lock(segment_, domain_, segment_.lock_deadline());
    std::uint64_t used = 0, extents = 0, free_blocks = 0, listed = 0;
    walk([&](std::uint64_t page, PageState s, unsigned, std::uint64_t pages) {
        if (s == PageState::extent) {
            used += pages;
            ++extents;
            if (pages_[page].owner == 0) violation("extent without an owner");
        } else {
            ++free_blocks;
        }
    });
    if (used != roots_.pages_used) violation("count of used pages differs from the page table");
    for (unsigned o = 0; o <= max_order; ++o) {
        std::uint32_t before = 0;
        for (std::uint32_t at = roots_.free_heads[o]; at != 0; at = pages_[at - 1].next) {
            if (at > page_count_ || ++listed > free_blocks || state(at - 1) != PageState::free || order(at - 1) != o ||
                pages_[at - 1].prev != before) {
                violation("broken list of free blocks");
                return extents;
            }
            before = at;
        }
    }
    if (listed != free_blocks) violation("free block in no list");
    return extents;
}

template <typename Fn, typename Found>
std::uint64_t Extents::verify_some(std::uint64_t from, std::uint64_t blocks, Fn&& violation, Found&& found) const {
    tx::DomainLock lock(segment_, domain_, segment_.lock_deadline());
    std::uint64_t pages = 0, page = block_of(from, pages);
    for (; page < page_count_ && blocks-- != 0; page += pages) {
        if (block_of(page, pages) != page || pages == 0) throw segment::Damage{"page table: not the start of a block"};
        const PageRep& here = pages_[page];
        if (state(page) == PageState::extent) {
            found(Extent{offset_of(page), pages * segment::page_size, here.owner, 0});
            if (here.owner == 0) violation("extent without an owner");
            continue;
        }
        const auto number = static_cast<std::uint32_t>(page + 1);
        const std::uint32_t next = here.next, prev = here.prev;
        const auto free_like_this = [&](std::uint32_t other) {
            return other <= page_count_ && state(other - 1) == PageState::free && order(other - 1) == order(page);
        };
        const bool next_agrees = next == 0 || (free_like_this(next) && pages_[next - 1].prev == number);
        const bool prev_agrees =
            prev == 0 ? roots_.free_heads[order(page)] == number : free_like_this(prev) && pages_[prev - 1].next == number;
        if (!next_agrees || !prev_agrees) violation("broken list of free blocks");
    }
    return page < page_count_ ? page : 0;
}

}  // namespace muster::heap
