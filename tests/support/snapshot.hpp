// The bytes of a segment at one moment, kept outside it: to take it back there, and to build images from.
//
// Holds only the pages that have memory; the others are zero. Thread safety: one thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "segment/segment.hpp"

namespace muster::test {

// What happened to the segment between two instructions: a word changed, or a page lost its memory (and reads as
// zero from then on).
struct Change {
    std::uint64_t offset = 0;
    std::uint64_t word = 0;
    bool hole = false;
    friend bool operator==(const Change&, const Change&) = default;
};

// The indices of the file's pages that have memory. Pages only reserved and never touched count as none: they
// cannot be told from holes, nor do they need to be.
std::vector<std::uint64_t> present_pages(const segment::Segment& segment);

class Snapshot {
  public:
    explicit Snapshot(const segment::Segment& segment);
    void apply(const Change& change);
    // Makes the segment, of the same capacity, hold these bytes, and no memory in other pages of extents.
    void write_to(const segment::Segment& segment) const;
    // Where extents are, gives the kernel back also what is only reserved there.
    void release_rest(const segment::Segment& segment) const;
    // Where the segment differs first, if anywhere.
    std::optional<std::uint64_t> first_difference(const segment::Segment& segment) const;
    // nullptr: all zero.
    const std::byte* page(std::uint64_t index) const noexcept;

  private:
    using Page = std::array<std::byte, segment::page_size>;
    template <typename Fn>
    void for_each_page(const segment::Segment& segment, Fn&& fn) const;
    std::map<std::uint64_t, std::unique_ptr<Page>> pages_;
};

// A second segment, to be given the bytes of images of the first.
segment::Segment make_image_of(const segment::Segment& segment);

}  // namespace muster::test
