// A copy of one object, taken while others work on it, on which the object's own code runs as on the original.
//
// The entry and what its heap has in use come to the same offsets of a private scratch segment, whose page table knows the
// object's extents alone; its lock there is free. The copy is of one moment: nobody was inside while it was made
// (tx::read_quiet). An object that nobody leaves alone is copied under its lock when it is small (an ordinary change copies
// as much), else not at all.
// Thread safety: one thread.
#pragma once

#include <vector>

#include "containers/containers.hpp"

namespace muster::session {

class ObjectCopy {
  public:
    static constexpr std::uint64_t limit = 64u << 20;  // bytes: so much memory a copy may cost
    static constexpr std::uint64_t small = containers::words_per_visit * 8;

    explicit ObjectCopy(const segment::Segment& original);

    enum class Taken { whole, too_large, too_busy };
    // Throws heap::Destroyed, tx::Busy, segment::Damage. What a dead process left in the object is mended before.
    Taken take(heap::ObjectRef ref);
    const segment::Segment& segment() const noexcept { return copy_; }
    // Of the last one: the extents in its lists, by address; bytes copied under the lock, most often 0.
    bool lists(std::uint64_t extent) const noexcept;
    std::uint64_t bytes_locked() const noexcept { return locked_; }
    void wipe() const noexcept;

  private:
    struct Span {
        std::uint64_t offset, bytes;
        std::uint32_t owner;
    };
    bool copy(heap::ObjectRef ref, std::uint64_t most);
    void part(std::uint64_t offset, std::uint64_t size);
    void page_table() const;

    const segment::Segment& original_;
    segment::Segment copy_;
    heap::PageRep* pages_;
    std::vector<Span> spans_;
    std::uint64_t bytes_ = 0, locked_ = 0;
};

}  // namespace muster::session
