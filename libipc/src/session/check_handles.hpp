// The marks of handles as values (DESIGN.md, "Nesting"), I13: who is named by a value is marked as stored, where such a value
// stands is marked as with handles, and a handle tells its object's kind. Without the marks something that can be reached
// would be freed. An object that is gone may still be named: it was erased by name.
//
// Values are read as who stores them reads them, not searched for bytes that look like a handle. Of pipes, whose messages
// may be anything, nothing is said.
// Thread safety: one thread; others work on. Waits for nobody.
#pragma once

#include <functional>
#include <string>

#include "containers/containers.hpp"

namespace muster::session {

// Of the object as it stands in `copy`, which is nobody else's; the marks are looked up in `directory`. Returns how many
// handles it found. Throws heap::Destroyed, segment::Damage.
std::uint64_t check_handles(const segment::Segment& copy, const containers::Directory& directory,
                            const containers::ObjectEntry& entry, const std::function<void(std::string)>& violation);

}  // namespace muster::session
