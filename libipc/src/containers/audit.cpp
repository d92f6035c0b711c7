#include "containers/audit.hpp"

#include <algorithm>

namespace muster::containers {

Audit::Audit(const heap::ObjectLock& lock, const Violation& violation)
    : heap_(lock.heap()), violation_(violation), body_(lock.object().heap.body) {
    heap::Extents(lock.segment()).for_each([&](const heap::Extent& extent) {
        if (extent.owner != lock.ref().id) return;
        extents_.push_back({extent.offset, extent.bytes});
        owned_ += extent.bytes;
    });
}

void Audit::block(std::uint64_t offset, std::uint64_t size, const char* what) {
    auto extent = std::upper_bound(extents_.begin(), extents_.end(), offset,
                                   [](std::uint64_t at, const Span& span) { return at < span.offset; });
    const bool large = size > heap::largest_class;
    bool inside = extent != extents_.begin() && offset % 16 == 0;
    std::uint64_t bytes = heap::Heap::usable(size);
    if (inside) {
        --extent;
        const std::uint64_t head = extent->offset == body_ ? sizeof(heap::BodyRep) : sizeof(heap::ExtentHeader);
        const std::uint64_t at = offset - extent->offset;
        inside = at >= head && bytes <= extent->bytes && at <= extent->bytes - bytes && (!large || at == head);
        if (large) bytes = extent->bytes;
    }
    if (!inside) {
        if (++outside_ > 100) throw segment::Damage{"far more blocks outside the object's extents"};
        return violation_(std::string(what) + " outside the object's extents");
    }
    blocks_.push_back({offset, large ? bytes - sizeof(heap::ExtentHeader) : bytes});
    live_ += bytes;
    if (live_ > owned_) throw segment::Damage{"more blocks than memory: something is reached twice"};
}

void Audit::finish() {
    std::sort(blocks_.begin(), blocks_.end(), [](const Span& a, const Span& b) { return a.offset < b.offset; });
    for (std::size_t i = 1; i < blocks_.size(); ++i)
        if (blocks_[i - 1].offset + blocks_[i - 1].bytes > blocks_[i].offset) {
            violation_("two blocks overlap");
            break;
        }
    if (live_ != heap_.live_bytes())
        violation_("heap: " + std::to_string(heap_.live_bytes()) + " bytes handed out, " + std::to_string(live_) +
                   " reachable");
    heap_.verify(violation_);
}

}  // namespace muster::containers
