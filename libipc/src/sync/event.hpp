// The event: a flag, and how often it was set, in one word, so that who waits sees that it was set though it may have
// been cleared since. Every value of the word is a state of an event: no undo log (I1).
// Thread safety: every changing call takes the object's lock. Throws heap::Destroyed, tx::Busy, segment::Damage.
#pragma once

#include "heap/heap.hpp"

namespace muster::sync {

using tx::Cell;
using tx::Tx;

// In ObjectRep::root.
struct EventRep {
    Cell<std::uint64_t> word;  // times it was set << 1 | flag
};
static_assert(sizeof(EventRep) == 8);

class Event {
  public:
    Event(const segment::Segment& segment, heap::ObjectRef ref)
        : segment_(segment), object_(heap::object_at(segment, ref.id)), ref_(ref) {}

    static constexpr bool flag(std::uint64_t word) noexcept { return (word & 1) != 0; }
    static constexpr std::uint64_t sets(std::uint64_t word) noexcept { return word >> 1; }

    // Without a lock; throws Destroyed.
    std::uint64_t word() const;
    // Nothing when it is set, or clear, already.
    void set() { change(true); }
    void clear() { change(false); }

  private:
    void change(bool to);

    const segment::Segment& segment_;
    heap::ObjectRep& object_;
    heap::ObjectRef ref_;
};

}  // namespace muster::sync
