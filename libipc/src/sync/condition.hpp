// What waits on a condition: a line, and who of it was notified. The lock is the lock's business (sync/recursive_lock.hpp);
// a condition that was given none is its own.
//
// A notification is in the record of the waiter that it was for, with the last ticket that had been given at that moment.
// So it is never kept for somebody who comes later, and when the waiter is dead, or went away, before it had the lock
// again, it goes on to the next one who was waiting at that moment. Whoever notifies all writes one word: everybody with
// a ticket up to now. A record leaves the line when its waiter has the lock again.
// In the domain: all but the line's time of looking. Transactions log at most 128 words.
// Thread safety: every call takes the object's lock.
// Throws heap::Destroyed, heap::OutOfMemory (nothing has changed), tx::Busy, segment::Damage.
#pragma once

#include "sync/line.hpp"

namespace muster::sync {

// In ObjectRep::root.
struct ConditionRep {
    Cell<std::uint64_t> lock;         // object generation << 32 | id of the lock it was given; 0: its own. Constant
    Cell<std::uint64_t> all_through;  // tickets up to this one are notified
    LineRep line;                     // a record's state: 0, or notified, of those with tickets up to this one
};
static_assert(sizeof(ConditionRep) == 56);

class Condition {
  public:
    Condition(const Segment& segment, heap::ObjectRef ref)
        : segment_(segment), object_(heap::object_at(segment, ref.id)), ref_(ref) {}
    // For Directory's Init. `lock.id` 0: its own.
    static void init(heap::ObjectRep& object, heap::ObjectRef lock);
    heap::ObjectRef lock() const noexcept {
        const std::uint64_t word = rep().lock;
        return {static_cast<std::uint32_t>(word), static_cast<std::uint32_t>(word >> 32)};
    }

    // A place in the line.
    std::uint64_t enter(const Waiter& who);
    bool notified(std::uint64_t place, const Waiter& who) const;
    // A look without a lock, for those who spin: was it, probably, not notified yet?
    bool looks_waiting(std::uint64_t place) const { return !is_notified(line().at(place)); }
    // Out of the line. Was it notified?
    bool leave(std::uint64_t place, const Waiter& who);
    // ... of one who will do nothing about it: what it was notified of goes on.
    void give_up(std::uint64_t place, const Waiter& who, Woken& woken);
    // At most so many of those who wait now, the first first. Many are notified in steps of 100 unless it is all of them.
    void notify(std::uint64_t count, Woken& woken);

    std::uint64_t waiting() const;  // not notified yet
    std::vector<std::uint64_t> owners() const;  // whose death would matter
    // The dead, and those who wait no longer, are out of the line; what they were notified of goes on. True: something
    // changed.
    bool drop_dead(const Dead& dead, Woken& woken, base::Deadline deadline = base::Deadline::never());
    bool may_look() const { return Line(segment_, rep().line).may_look(); }

    void verify(const std::function<void(std::string)>& violation) const;

  private:
    ConditionRep& rep() const noexcept { return heap::root_of<ConditionRep>(object_); }
    Line line() const noexcept { return {segment_, rep().line}; }
    bool is_notified(const WaiterRep& record) const noexcept {
        return record.state != 0 || record.ticket <= rep().all_through;
    }
    void remove_passing_on(heap::ObjectLock& lock, std::uint64_t place, const Dead& dead, Woken& woken);
    WaiterRep* next_for(std::uint64_t ticket, const Dead& dead) const;

    const Segment& segment_;
    heap::ObjectRep& object_;
    heap::ObjectRef ref_;
};

}  // namespace muster::sync
