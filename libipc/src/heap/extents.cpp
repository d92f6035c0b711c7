#include "heap/extents.hpp"

#include <algorithm>
#include <bit>
#include <cerrno>

namespace muster::heap {

Extents::Extents(const Segment& segment)
    : segment_(segment),
      domain_(*segment.at<tx::DomainRep>(segment.regions().segment_domain)),
      roots_(*segment.at<ExtentRootsRep>(segment.regions().extent_roots)),
      pages_(segment.at<PageRep>(segment.regions().page_table, segment.regions().page_count)),
      page_count_(segment.regions().page_count) {}

void Extents::format() {
    tx::format(domain_, segment_.regions().domain_logs, segment::fixed_log_capacity);
    std::uint64_t page = 0;
    while (page < page_count_) {
        const auto by_alignment = page == 0 ? max_order : static_cast<unsigned>(std::countr_zero(page));
        const auto by_room = static_cast<unsigned>(std::bit_width(page_count_ - page) - 1);
        const unsigned order = std::min({by_alignment, by_room, max_order});
        Tx tx(segment_, domain_);
        push_free(tx, page, order);
        tx.commit();
        page += std::uint64_t{1} << order;
    }
}

void Extents::push_free(Tx& tx, std::uint64_t page, unsigned order) {
    const auto here = static_cast<std::uint32_t>(page + 1);
    const std::uint32_t head = roots_.free_heads[order];
    if (head != 0) tx.set(listed_page(head).prev, here);
    tx.set(pages_[page].next, head);
    tx.set(pages_[page].prev, 0);
    tx.set(pages_[page].owner, 0);
    tx.set(pages_[page].info, info(PageState::free, order));
    tx.set(roots_.free_heads[order], here);
}

void Extents::unlink_free(Tx& tx, std::uint64_t page, unsigned order) {
    const std::uint32_t next = pages_[page].next, prev = pages_[page].prev;
    if (next != 0) tx.set(listed_page(next).prev, prev);
    if (prev != 0)
        tx.set(listed_page(prev).next, next);
    else
        tx.set(roots_.free_heads[order], next);
    tx.set(pages_[page].info, info(PageState::interior, 0));
}

void Extents::free_block(Tx& tx, std::uint64_t page, unsigned at_order) {
    for (; at_order < max_order; ++at_order) {
        const std::uint64_t size = std::uint64_t{1} << at_order, buddy = page ^ size;
        if (buddy + size > page_count_ || state(buddy) != PageState::free || order(buddy) != at_order) break;
        unlink_free(tx, buddy, at_order);
        tx.set(pages_[std::max(page, buddy)].info, info(PageState::interior, 0));
        page = std::min(page, buddy);
    }
    push_free(tx, page, at_order);
}

Extent Extents::acquire(std::uint64_t bytes, std::uint32_t owner) {
    const std::uint64_t pages = std::max<std::uint64_t>(1, (bytes + segment::page_size - 1) / segment::page_size);
    if (pages > page_count_) return {};
    const auto wanted = static_cast<unsigned>(std::bit_width(pages - 1));
    std::uint64_t page = 0;
    {
        tx::DomainLock lock(segment_, domain_, segment_.lock_deadline());
        unsigned found = wanted;
        while (found <= max_order && roots_.free_heads[found] == 0) ++found;
        if (found > max_order) return {};
        page = roots_.free_heads[found] - 1;
        if (page >= page_count_ || state(page) != PageState::free || order(page) != found ||
            (std::uint64_t{1} << found) > page_count_ - page)
            throw segment::Damage{"page table: list of free blocks"};
        Tx tx(segment_, domain_);
        unlink_free(tx, page, found);
        // Keep the first `pages`; free what follows, in the halves that it consists of.
        std::uint64_t at = page, keep = pages;
        while (keep < std::uint64_t{1} << found) {
            --found;
            const std::uint64_t half = std::uint64_t{1} << found;
            if (keep <= half) {
                push_free(tx, at + half, found);
            } else {
                at += half;
                keep -= half;
            }
        }
        tx.set(pages_[page].next, static_cast<std::uint32_t>(pages));
        tx.set(pages_[page].owner, owner);
        tx.set(pages_[page].info, info(PageState::extent, 0));
        const std::uint64_t used = roots_.pages_used + pages;
        tx.set(roots_.pages_used, used);
        if (used > roots_.high_water) tx.set(roots_.high_water, used);
        tx.commit();
    }
    // I7. Outside the transaction: this may take its time. Dying here leaves an extent that its owner does not know
    // of, which is found by its tag (I6).
    const Extent extent{offset_of(page), pages * segment::page_size, owner, 0};
    if (!segment_.reserve(extent.offset, extent.bytes)) {
        const int error = errno;
        give_back(extent.offset, owner);
        return {0, 0, 0, error};
    }
    return extent;
}

void Extents::give_back(std::uint64_t offset, std::uint32_t owner) {
    const std::uint64_t bytes = bytes_at(offset);
    if (bytes == 0) throw segment::Damage{"page table: no extent begins there"};
    const std::uint64_t page = (offset - segment_.regions().data) / segment::page_size;
    if (pages_[page].owner != owner) throw segment::Damage{"page table: extent of another owner"};
    // First the memory, then the extent: the other way round its next owner's data would be lost.
    segment_.release(offset, bytes);
    tx::DomainLock lock(segment_, domain_, segment_.lock_deadline());
    Tx tx(segment_, domain_);
    const std::uint64_t pages = bytes / segment::page_size;
    tx.set(roots_.pages_used, roots_.pages_used - pages);
    tx.set(pages_[page].info, info(PageState::interior, 0));
    // An extent begins where a block of its size class did: as many aligned blocks as its size has bits.
    for (std::uint64_t at = page, left = pages; left != 0;) {
        const auto block = static_cast<unsigned>(std::bit_width(left) - 1);
        free_block(tx, at, block);
        at += std::uint64_t{1} << block;
        left -= std::uint64_t{1} << block;
    }
    tx.commit();
}

Extents::Free Extents::free() const noexcept {
    Free found;
    const std::uint64_t used = roots_.pages_used;
    found.bytes = used < page_count_ ? (page_count_ - used) * segment::page_size : 0;
    for (unsigned o = 0; o <= max_order; ++o)
        if (roots_.free_heads[o] != 0) found.largest = segment::page_size << o;
    return found;
}

std::uint64_t Extents::bytes_at(std::uint64_t offset) const noexcept {
    const std::uint64_t data = segment_.regions().data;
    if (offset < data || (offset - data) % segment::page_size != 0) return 0;
    const std::uint64_t page = (offset - data) / segment::page_size;
    if (page >= page_count_ || state(page) != PageState::extent) return 0;
    const std::uint64_t pages = pages_[page].next;
    return pages <= page_count_ - page ? pages * segment::page_size : 0;
}

}  // namespace muster::heap
