#include "support/snapshot.hpp"

#include <fcntl.h>
#include <sys/mman.h>

#include <stdexcept>

namespace muster::test {
namespace {

using segment::page_size;

constexpr std::array<std::byte, page_size> zeros{};

bool is_zero(const std::byte* page) noexcept { return std::memcmp(page, zeros.data(), page_size) == 0; }

// The first page that is an extent's. Those of the tables before it keep their memory for good once it was looked at:
// where it is all zero, it is as good as none, and better than to have it made anew for each image.
std::uint64_t first_of_extents(const segment::Segment& segment) noexcept {
    return segment.regions().data / page_size;
}

}  // namespace

std::vector<std::uint64_t> present_pages(const segment::Segment& segment) {
    std::vector<std::uint64_t> pages;
    const auto end = static_cast<off_t>(segment.capacity());
    for (off_t at = 0; at < end;) {
        const off_t data = ::lseek(segment.memfd(), at, SEEK_DATA);
        if (data < 0) break;  // ENXIO: holes up to the end
        const off_t hole = ::lseek(segment.memfd(), data, SEEK_HOLE);
        for (auto page = static_cast<std::uint64_t>(data) / page_size; page * page_size < static_cast<std::uint64_t>(hole);
             ++page)
            pages.push_back(page);
        at = hole;
    }
    return pages;
}

Snapshot::Snapshot(const segment::Segment& segment) {
    const std::uint64_t extents = first_of_extents(segment);
    for (const std::uint64_t index : present_pages(segment)) {
        const std::byte* const there = segment.base() + index * page_size;
        if (index < extents && is_zero(there)) continue;
        auto page = std::make_unique<Page>();
        std::memcpy(page->data(), there, page_size);
        pages_.emplace(index, std::move(page));
    }
}

void Snapshot::apply(const Change& change) {
    const std::uint64_t index = change.offset / page_size;
    if (change.hole) {
        pages_.erase(index);
        return;
    }
    std::unique_ptr<Page>& page = pages_[index];
    if (!page) page = std::make_unique<Page>();
    std::memcpy(page->data() + change.offset % page_size, &change.word, sizeof change.word);
}

const std::byte* Snapshot::page(std::uint64_t index) const noexcept {
    const auto found = pages_.find(index);
    return found == pages_.end() ? nullptr : found->second->data();
}

// fn(its bytes in the segment, its bytes here): every page that has memory on either side.
template <typename Fn>
void Snapshot::for_each_page(const segment::Segment& segment, Fn&& fn) const {
    for (const auto& [index, page] : pages_) fn(segment.base() + index * page_size, page->data());
    for (const std::uint64_t index : present_pages(segment))
        if (!pages_.contains(index)) fn(segment.base() + index * page_size, zeros.data());
}

void Snapshot::write_to(const segment::Segment& segment) const {
    for (const auto& [index, page] : pages_) {
        std::byte* const there = segment.base() + index * page_size;
        if (std::memcmp(there, page->data(), page_size) != 0) std::memcpy(there, page->data(), page_size);
    }
    const std::uint64_t extents = first_of_extents(segment);
    std::uint64_t begin = 0, end = 0;  // a run of pages that shall have no memory
    for (const std::uint64_t index : present_pages(segment)) {
        if (pages_.contains(index)) continue;
        if (index < extents) {
            std::byte* const there = segment.base() + index * page_size;
            if (!is_zero(there)) std::memset(there, 0, page_size);
            continue;
        }
        if (index != end) {
            if (end != begin) segment.release(begin * page_size, (end - begin) * page_size);
            begin = index;
        }
        end = index + 1;
    }
    if (end != begin) segment.release(begin * page_size, (end - begin) * page_size);
}

void Snapshot::release_rest(const segment::Segment& segment) const {
    std::uint64_t at = segment.regions().data / page_size;
    const auto release_up_to = [&](std::uint64_t index) {
        if (index > at) segment.release(at * page_size, (index - at) * page_size);
        at = index + 1;
    };
    for (auto page = pages_.lower_bound(at); page != pages_.end(); ++page) release_up_to(page->first);
    release_up_to(segment.capacity() / page_size);
}

std::optional<std::uint64_t> Snapshot::first_difference(const segment::Segment& segment) const {
    std::optional<std::uint64_t> first;
    for_each_page(segment, [&](const std::byte* there, const std::byte* here) {
        if (std::memcmp(there, here, page_size) == 0) return;
        std::size_t i = 0;
        while (there[i] == here[i]) ++i;
        const std::uint64_t offset = segment.offset_of(there + i);
        if (!first || offset < *first) first = offset;
    });
    return first;
}

segment::Segment make_image_of(const segment::Segment& segment) {
    base::UniqueFd fd{::memfd_create("muster:image", MFD_CLOEXEC | MFD_ALLOW_SEALING)};
    if (!fd || ::ftruncate(fd.get(), static_cast<off_t>(segment.capacity())) != 0 ||
        ::pwrite(fd.get(), segment.base(), page_size, 0) != static_cast<ssize_t>(page_size) ||
        ::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
        base::throw_errno(errno, "copy", "segment '" + segment.name() + "'", "memfd");
    return segment::Segment::open(std::move(fd), "image");
}

}  // namespace muster::test
