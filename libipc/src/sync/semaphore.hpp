// The semaphore: permits, who has them, and a line of those who wait for one.
//
// A permit is free, or a session's (its share: generation << 32 | count, in blocks of 64 sessions each), or nobody's
// (disowned). What a dead session has becomes free again. A release gives back what the releasing session has; then what
// is nobody's; then what others have, in the order of their sessions; only when nobody has any does the number of
// permits grow. So as many come back after a death as were taken by the dead and not released since, by whomever.
// First come, first served: a free permit goes to the first in line, whose record says so, and is its session's from
// then on; nobody overtakes.
// In the domain: everything but the line's time of looking. Transactions log at most 160 words.
// Thread safety: every call takes the object's lock.
// Throws heap::Destroyed, heap::OutOfMemory (nothing has changed), tx::Busy, segment::Damage.
#pragma once

#include <array>
#include <optional>

#include "sync/line.hpp"

namespace muster::sync {

inline constexpr std::uint64_t sessions_of_a_share = 64;
inline constexpr std::size_t share_blocks = segment::max_sessions / sessions_of_a_share;

// In ObjectRep::root.
struct SemaphoreRep {
    Cell<std::uint64_t> value;    // free permits
    Cell<std::uint64_t> bound;    // of a bounded one: what it began with
    Cell<std::uint64_t> bounded;  // 0 or 1
    Cell<std::uint64_t> disowned;
    LineRep line;                 // a record's state: 1 when the permit is its session's
    std::array<Cell<std::uint64_t>, share_blocks> shares;  // block of 64 words each, 0: none yet
};
static_assert(sizeof(SemaphoreRep) == 200);

class Semaphore {
  public:
    static constexpr std::uint64_t max_value = 0x7fff'ffff;
    enum class Released { yes, too_often, too_many };

    Semaphore(const Segment& segment, heap::ObjectRef ref)
        : segment_(segment), object_(heap::object_at(segment, ref.id)), ref_(ref) {}
    // For Directory's Init.
    static void init(heap::ObjectRep& object, std::uint64_t value, bool bounded);

    // A permit, if one is free and nobody waits.
    bool try_acquire(std::uint64_t owner);
    // A permit, or a place in the line. None: it has the permit.
    std::optional<std::uint64_t> enter(const Waiter& who);
    // Out of the line, if the permit was handed over: true.
    bool claim(std::uint64_t place, const Waiter& who);
    // Out of the line in any case; true: the permit had been handed over.
    bool leave(std::uint64_t place, const Waiter& who);
    // ... of one who will not know: its permit goes on.
    void give_up(std::uint64_t place, const Waiter& who, Woken& woken);
    // All or nothing but for a death, after which some of many may have been released, the rest still being whose it was.
    Released release(std::uint64_t owner, std::uint64_t count, Woken& woken);
    // So many of its permits are nobody's from now on. False: it does not have so many.
    bool disown(std::uint64_t owner, std::uint64_t count);

    std::uint64_t value() const;            // without a lock
    bool bounded() const { return rep().bounded != 0; }
    std::uint64_t held(std::uint64_t owner) const;
    // Looks without a lock, for those who spin: is no permit free; was none handed over to that place in the line?
    bool looks_taken() const noexcept { return rep().value == 0; }
    bool looks_waiting(std::uint64_t place) const;
    std::uint64_t waiting() const noexcept { return rep().line.count; }

    // Whose death would matter.
    std::vector<std::uint64_t> owners() const;
    // Permits of the dead are free again, those who wait no longer are out of the line, and what is free is handed out.
    // Returns how many permits came back. `dead` must not take locks.
    std::uint64_t drop_dead(const Dead& dead, Woken& woken, base::Deadline deadline = base::Deadline::never());
    bool may_look() const { return Line(segment_, rep().line).may_look(); }

    void verify(const std::function<void(std::string)>& violation) const;

  private:
    SemaphoreRep& rep() const noexcept { return heap::root_of<SemaphoreRep>(object_); }
    Line line() const noexcept { return {segment_, rep().line}; }
    // The session's word; null when it never had one.
    Cell<std::uint64_t>* share(std::uint32_t session) const;
    Cell<std::uint64_t>& make_share(Tx& tx, heap::Heap& heap, std::uint32_t session);
    void take(Tx& tx, heap::Heap& heap, std::uint64_t owner);
    bool remove_unclaimed(heap::ObjectLock& lock, std::uint64_t place, const WaiterRep& record);
    void hand_out(heap::ObjectLock& lock, Woken& woken);
    std::uint64_t release_some(heap::ObjectLock& lock, std::uint64_t owner, std::uint64_t count);

    const Segment& segment_;
    heap::ObjectRep& object_;
    heap::ObjectRef ref_;
};

}  // namespace muster::sync
