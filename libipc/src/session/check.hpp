// A realm looked at while others work in it, invariant by invariant.
//
// Nobody waits for it longer than for an ordinary change. What stands still for a moment is copied without a lock, and the
// copy verified; what is too large for that, or never left alone, is looked at in pieces, with no more than
// containers::words_per_visit words under one lock (containers/inspection.hpp). That a structure is whole then is known of
// each of its parts by itself; its counts are compared when it stood still meanwhile.
//
// Thread safety: one thread; the realm's other users work on. Everything is checked before use, damage is told, not thrown.
#pragma once

#include "containers/containers.hpp"
#include "session/realm.hpp"

namespace muster::session {

CheckReport check(const segment::Segment& segment, const containers::Directory& directory);

}  // namespace muster::session
