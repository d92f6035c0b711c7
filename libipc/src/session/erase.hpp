// Erasing objects while threads sleep on words of their own because of them (sync/line.hpp). Those who sleep on the object's
// words are the directory's to wake.
// Thread safety: any thread.
#pragma once

#include <string_view>

#include "containers/containers.hpp"

namespace muster::session {

// As Directory's, and those are woken who wait in a line of the object, or of any: they find it destroyed. Should the caller
// die in between, they find it so at the end of their slices (I9).
bool erase(const segment::Segment& segment, containers::Directory& directory, std::string_view name);
void close(const segment::Segment& segment, containers::Directory& directory);

}  // namespace muster::session
