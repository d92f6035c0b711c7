// What verify() of a container counts: every block that is reachable from its root. They lie in the object's extents,
// do not overlap, and are together what the heap has handed out: no damage, no leak.
// Thread safety: the object's lock is held all the while. Allocates from the process heap.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "heap/heap.hpp"

namespace muster::containers {

using Violation = std::function<void(std::string)>;

class Audit {
  public:
    Audit(const heap::ObjectLock& lock, const Violation& violation);
    // One block, of the size it was asked for. Throws Damage when there are more than can be: a walk always ends.
    void block(std::uint64_t offset, std::uint64_t size, const char* what);
    // All were told: overlaps, the sum, and the heap's own lists.
    void finish();

  private:
    struct Span {
        std::uint64_t offset, bytes;
    };
    const heap::Heap heap_;
    const Violation& violation_;
    std::uint64_t body_;
    std::vector<Span> extents_, blocks_;  // extents_ by address
    std::uint64_t live_ = 0, owned_ = 0;
    unsigned outside_ = 0;
};

}  // namespace muster::containers
