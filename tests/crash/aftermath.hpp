// What a segment must still be good for after a death and its recovery: everything works, and everything that is
// erased gives back what it had.
#pragma once

#include <string>

#include "segment/segment.hpp"

namespace muster::test {

// Does something of each sort: with the objects that are there, when `real_containers`, with new ones, with sessions
// and threads. Empty: all of it worked.
std::string whats_unusable(const segment::Segment& segment, bool real_containers);

// Erases every object, frees every session, gives back extents that no object claims when `strays`. Then nothing may
// be left: no object, no extent, no slot, no page of memory where extents are. Empty: nothing is.
std::string whats_left_when_erased(const segment::Segment& segment, bool strays);

}  // namespace muster::test
