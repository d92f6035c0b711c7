// What the service does for the dead with the kinds of object that somebody can hold: one row a kind.
// Thread safety: no state; the service's thread. Every step can be repeated.
#pragma once

#include "sync/sync.hpp"

namespace muster::session {

struct HeldObject {
    const segment::Segment& segment;
    const sync::Sessions& sessions;
    heap::ObjectRef ref;
};

struct Holding {
    heap::Kind kind;
    // Gives back what the session's threads hold of it; how many holds there were.
    std::uint32_t (*release)(const HeldObject& object, sync::SessionId session);
    // Beside those who sleep on the object's wait points: whom a dead releaser may have failed to wake. How many.
    std::uint32_t (*wake)(const HeldObject& object);
};

// Null: objects of this kind are not held.
const Holding* holding(heap::Kind kind) noexcept;

}  // namespace muster::session
