// Everything that can be wrong with a segment, found by walking all of it.
#pragma once

#include <string>
#include <vector>

#include "segment/segment.hpp"

namespace muster::test {

// What the next processes to come do after a death, through the normal code: lock the directory, the extent table
// and every object, in either order.
void recover(const segment::Segment& segment, bool objects_first = false);

struct SoundnessOptions {
    bool every_extent_owned = true;  // by an object that lists it in its heap
};

// Nobody else uses the segment meanwhile. Empty: it is sound, at rest, and nothing is leaked.
std::vector<std::string> violations(const segment::Segment& segment, const SoundnessOptions& options = {});

// As one line, empty when there are none.
std::string first_violations(const segment::Segment& segment, const SoundnessOptions& options = {});

}  // namespace muster::test
