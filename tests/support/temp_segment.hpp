// A segment of its own for one test, formatted, gone with the object.
#pragma once

#include "containers/directory.hpp"
#include "heap/heap.hpp"
#include "segment/segment.hpp"

namespace muster::test {

class TempSegment {
  public:
    explicit TempSegment(std::uint64_t capacity = 16u << 20)
        : segment_(segment::Segment::create("test", capacity)) {
        heap::Extents(segment_).format();
        containers::Directory(segment_).format();
    }
    const segment::Segment& operator*() const noexcept { return segment_; }
    const segment::Segment* operator->() const noexcept { return &segment_; }

    // A new anonymous object of that kind, its root zero, held by session 0.
    heap::ObjectRef make(heap::Kind kind) {
        return containers::Directory(segment_).create(kind, 0u);
    }

  private:
    segment::Segment segment_;
};

}  // namespace muster::test
