// The page table for those who only look.
#include <bit>

#include "heap/extents.hpp"

namespace muster::heap {

std::uint64_t Extents::block_of(std::uint64_t page, std::uint64_t& pages) const noexcept {
    for (unsigned o = 0; o <= max_order; ++o) {
        const std::uint64_t start = page & ~((std::uint64_t{1} << o) - 1);
        if ((o != 0 && (page >> (o - 1) & 1) == 0) || start >= page_count_) continue;  // as before
        const PageState s = state(start);
        if (s == PageState::free && order(start) <= max_order)
            pages = std::uint64_t{1} << order(start);
        else if (s == PageState::extent)
            pages = pages_[start].next;
        else
            continue;
        if (pages > page_count_ - start || pages <= page - start) break;
        return start;
    }
    pages = 0;
    return page;
}

Extent Extents::containing(std::uint64_t offset) const noexcept {
    const std::uint64_t data = segment_.regions().data;
    if (offset < data || (offset - data) / segment::page_size >= page_count_) return {};
    std::uint64_t pages = 0;
    const std::uint64_t page = block_of((offset - data) / segment::page_size, pages);
    if (pages == 0 || state(page) != PageState::extent) return {};
    return {offset_of(page), pages * segment::page_size, pages_[page].owner, 0};
}

bool Extents::copy_to(const Segment& scratch) const {
    const Extents copy(scratch);
    return tx::read_quiet(domain_, [&] {
        segment::copy_out(static_cast<void*>(&copy.roots_), &roots_, sizeof roots_);
        walk([&](std::uint64_t page, PageState, unsigned, std::uint64_t) {
            segment::copy_out(static_cast<void*>(&copy.pages_[page]), &pages_[page], sizeof(PageRep));
        });
    });
}

}  // namespace muster::heap
