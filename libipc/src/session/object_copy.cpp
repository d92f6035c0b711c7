#include "session/object_copy.hpp"

#include <algorithm>

namespace muster::session {

using heap::ExtentHeader;
using heap::ObjectRep;
using tx::Tx;

ObjectCopy::ObjectCopy(const segment::Segment& original)
    : original_(original),
      copy_(segment::Segment::scratch(original)),
      pages_(copy_.at<heap::PageRep>(copy_.regions().page_table, copy_.regions().page_count)) {
    const segment::Regions& regions = copy_.regions();
    for (const std::uint64_t domain : {regions.segment_domain, regions.directory_domain, regions.sessions_domain})
        tx::format(*copy_.at<tx::DomainRep>(domain), regions.domain_logs, segment::fixed_log_capacity);
}

void ObjectCopy::wipe() const noexcept { copy_.wipe(copy_.regions().name_buckets, copy_.capacity()); }

void ObjectCopy::part(std::uint64_t offset, std::uint64_t size) {
    const std::byte* const from = original_.bytes(offset, size);  // which says what is wrong with an offset
    segment::copy_out(copy_.base() + offset, from, static_cast<std::size_t>(size));
    bytes_ += size;
}

ObjectCopy::Taken ObjectCopy::take(heap::ObjectRef ref) {
    ObjectRep& object = heap::object_at(original_, ref.id);
    locked_ = 0;
    if (object.domain.mutex.owner_died() || object.domain.unreconciled != 0)
        const heap::ObjectLock mend(original_, ref, base::Deadline::after(heap::inspection_patience));
    bool fits = false, mended = true;
    const int tries = object.heap.bytes > (1u << 20) ? 4 : 16;
    const bool quiet = tx::read_quiet(object.domain, [&] {
        fits = copy(ref, limit);
        mended = object.domain.unreconciled == 0;
    }, tries);
    if (quiet && !fits) return Taken::too_large;
    if (!quiet || !mended) {
        const heap::ObjectLock lock(original_, ref, base::Deadline::after(heap::inspection_patience));
        if (!copy(ref, small)) return Taken::too_busy;
        locked_ = bytes_;
    }
    page_table();
    return Taken::whole;
}

// False: there is more of it than `most`.
bool ObjectCopy::copy(heap::ObjectRef ref, std::uint64_t most) {
    wipe();
    spans_.clear();
    bytes_ = 0;
    ObjectRep& object = heap::object_at(copy_, ref.id);
    segment::copy_out(static_cast<void*>(&object), &heap::object_at(original_, ref.id), sizeof(ObjectRep));
    bytes_ += sizeof(ObjectRep);
    const heap::Ident ident = heap::Ident::unpack(object.ident);
    if (ident.generation != ref.generation || ident.life != heap::Life::live) throw heap::Destroyed{};
    object.domain.unreconciled = 0;
    tx::format(object.domain, object.domain.log_offset, object.domain.log_capacity);
    if (object.heap.body == 0) return true;

    const heap::Extents extents(original_);
    const std::uint64_t cursor = object.heap.cursor;
    const auto span = [&](std::uint64_t at) {
        const heap::Extent extent = extents.containing(at);
        const std::uint64_t bytes = extent.offset == at ? extent.bytes : 0;
        if (bytes != 0) spans_.push_back({at, bytes, extent.owner});
        return bytes;
    };
    // Behind the cursor nothing has ever been.
    const auto used = [&](std::uint64_t at, std::uint64_t bytes) {
        return cursor > at && cursor <= at + bytes ? cursor - at : bytes;
    };
    constexpr std::uint64_t log_end = offsetof(heap::BodyRep, free_lists);
    const std::uint64_t body = object.heap.body, body_bytes = span(body);
    part(body, sizeof(ExtentHeader));
    if (body_bytes > log_end) part(body + log_end, used(body, body_bytes) - std::min(used(body, body_bytes), log_end));
    std::uint64_t steps = 0;
    for (const auto* list : {&object.heap.extents, &object.heap.spare, &object.heap.garbage})
        for (std::uint64_t at = *list; at != 0; at = copy_.block<ExtentHeader>(at)->next) {
            if (++steps > original_.regions().page_count) throw segment::Damage{"heap: endless list of extents"};
            const std::uint64_t bytes = span(at);
            part(at, sizeof(ExtentHeader));
            if (bytes_ + bytes > most) return false;
            if (list == &object.heap.extents && bytes > sizeof(ExtentHeader))
                part(at + sizeof(ExtentHeader), std::max(used(at, bytes), std::uint64_t{sizeof(ExtentHeader)}) - sizeof(ExtentHeader));
        }
    return bytes_ <= most;
}

// The object's extents, and between them what is nobody's here.
void ObjectCopy::page_table() const {
    constexpr std::uint32_t nobody = ~std::uint32_t{0}, extent = static_cast<std::uint32_t>(heap::PageState::extent);
    const std::uint64_t data = copy_.regions().data;
    const auto entry = [&](std::uint64_t from, std::uint64_t to, std::uint32_t owner) {
        if (from >= to) return;
        Tx::init(pages_[from].next, static_cast<std::uint32_t>(to - from));
        Tx::init(pages_[from].owner, owner);
        Tx::init(pages_[from].info, extent);
    };
    std::uint64_t at = 0;
    std::vector<Span> sorted = spans_;
    std::sort(sorted.begin(), sorted.end(), [](const Span& a, const Span& b) { return a.offset < b.offset; });
    for (const Span& span : sorted) {
        const std::uint64_t from = (span.offset - data) / segment::page_size, to = from + span.bytes / segment::page_size;
        if (from < at) continue;  // listed twice
        entry(at, from, nobody);
        entry(from, to, span.owner);
        at = to;
    }
    entry(at, copy_.regions().page_count, nobody);
}

bool ObjectCopy::lists(std::uint64_t extent) const noexcept {
    return std::any_of(spans_.begin(), spans_.end(), [extent](const Span& span) { return span.offset == extent; });
}

}  // namespace muster::session
