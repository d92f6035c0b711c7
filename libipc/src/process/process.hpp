// The layer `process`: children forked by this program, and who is told about them.
#pragma once

#include "process/announcer.hpp"
#include "session/control.hpp"

namespace muster::process {

// From now on the daemon there is told of the children of this program, beginning with those that run, and so
// it is in its children for theirs. Whether it can be reached matters only then. Again for the same address:
// a no-op. Any thread may call it.
void announce_to(const session::Address& address);

}  // namespace muster::process
