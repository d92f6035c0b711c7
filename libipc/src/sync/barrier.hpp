// The barrier: so many parties come together, one of them runs the action, all go on.
//
//   filling ──the last party arrives──► running ──its action is done──► draining ──all have left──► filling
//      │         (without an action: straight to draining)                  │
//      └──timeout, abort, the action throws or dies──► broken ──reset──► resetting ──all have left──► filling
//
// Who waits is a record in the line: its index, and the round it came in. A record of a round that is over has its
// barrier behind it, whatever comes after. Who arrives while a round is running, draining or resetting waits outside
// until there is a new one. A dead waiter is no longer counted, its index goes to one who comes later; a dead runner of
// the action breaks the barrier. The action runs outside of every lock.
// In the domain: all but the line's time of looking. Transactions log at most 24 words.
// Thread safety: every call takes the object's lock.
// Throws heap::Destroyed, heap::OutOfMemory (nothing has changed), tx::Busy, segment::Damage.
#pragma once

#include "sync/line.hpp"

namespace muster::sync {

enum class BarrierPhase : std::uint64_t { filling = 0, running = 1, draining = 2, resetting = 3, broken = 4 };

// In ObjectRep::root.
struct BarrierRep {
    Cell<std::uint64_t> parties;
    Cell<std::uint64_t> timeout;   // ns, as wait() has it; 0: none
    Cell<std::uint64_t> phase;     // BarrierPhase
    Cell<std::uint64_t> round;     // being filled: 1, 2, ...
    Cell<std::uint64_t> released;  // the last one that came together
    Cell<std::uint64_t> next;      // arrivals in this round: the next index, when nobody has died
    Cell<std::uint64_t> run;       // counts actions
    Cell<std::uint64_t> runner_slot, runner_owner;
    LineRep line;                  // a record's state: its index; data: its round
};
static_assert(sizeof(BarrierRep) == 112);

class Barrier {
  public:
    static constexpr std::uint64_t max_parties = segment::max_slots;  // there are no more threads

    Barrier(const Segment& segment, heap::ObjectRef ref)
        : segment_(segment), object_(heap::object_at(segment, ref.id)), ref_(ref) {}
    // For Directory's Init.
    static void init(heap::ObjectRep& object, std::uint64_t parties, std::uint64_t timeout_ns);

    struct Arrival {
        enum class What { in_line, runs_action, passed, completes, outside, broken } what;
        std::uint64_t index = 0;
        std::uint64_t place = 0;  // in_line
        std::uint64_t run = 0;    // runs_action
    };
    // passed: the last one, and nothing to run. outside: to be tried again, when the round before has left. completes: it
    // would be the last one, unless others are dead; so it looks, drops these, and comes again, with `all_live`.
    Arrival arrive(const Waiter& who, bool has_action, bool all_live);
    // The action is done: the others go on. False: the barrier was broken or reset meanwhile.
    bool finish(std::uint64_t run);
    enum class Look { waits, passed, broken };
    // Of one in line; when it does not wait any more it is out of the line.
    Look look(std::uint64_t place, const Waiter& who);
    // It waits no longer: if it did, the barrier is broken for all.
    Look give_up(std::uint64_t place, const Waiter& who);
    // For ever, until it is reset.
    void abort();
    // As new: who waits finds it broken.
    void reset();

    std::uint64_t parties() const { return rep().parties; }
    std::uint64_t timeout_ns() const { return rep().timeout; }
    struct Status {
        BarrierPhase phase;
        std::uint64_t waiting;  // 0 unless filling
    };
    Status status() const;
    // Is there nothing to be learnt from look()? Without a lock.
    bool looks_waiting(std::uint64_t round) const noexcept { return rep().released < round && rep().phase < 3; }
    bool looks_closed() const noexcept { return rep().phase != 0; }
    std::uint64_t round() const noexcept { return rep().round; }

    // Whose death would matter.
    std::vector<std::uint64_t> owners() const;
    // The dead, and those who wait no longer, are not counted any more. True: something changed; wake everybody.
    bool drop_dead(const Dead& dead, base::Deadline deadline = base::Deadline::never());
    bool may_look() const { return Line(segment_, rep().line).may_look(); }

    void verify(const std::function<void(std::string)>& violation) const;

  private:
    BarrierRep& rep() const noexcept { return heap::root_of<BarrierRep>(object_); }
    Line line() const noexcept { return {segment_, rep().line}; }
    BarrierPhase phase() const noexcept { return static_cast<BarrierPhase>(rep().phase.get()); }
    void set_phase(Tx& tx, BarrierPhase to);
    void complete(Tx& tx);
    void take_out(Tx& tx, heap::Heap& heap, std::uint64_t place);
    Look state_of(const WaiterRep& record) const;
    std::uint64_t free_index() const;
    bool runner_lives(const Dead& dead) const;

    const Segment& segment_;
    heap::ObjectRep& object_;
    heap::ObjectRef ref_;
};

}  // namespace muster::sync
