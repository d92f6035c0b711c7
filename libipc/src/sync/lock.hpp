// The mutual-exclusion lock that users hold: its word names the holder, so that its death can release it.
//
// The word is the whole state, changed by compare-and-swap alone: there is no instruction at which a death could leave
// it half done, hence no undo log.
//   bits 0..29   the holder's SlotId, 0 = free
//   bit 30       the last hold did not end by its holder's doing: it died (no holder is named), or the hold was broken
//                (it is named still, and holds nothing)
//   bit 31       somebody may be asleep; the lower half is the futex
//   bit 32       somebody asks: when it is freed, only those who wait already may take it
//   bit 33       the present or last hold took over after a death or a break
//   bits 34..63  turn: grows with every acquisition, from one object to the next (heap/object.hpp: begin_turns)
// A releaser that dies between freeing the word and waking leaves the sleepers to their slices (I9).
//
// Fair enough: who spins and is overtaken sets bit 32 after a little while, who has slept and waited for 250 us does; the
// next release is then for those who wait already, for at most 10 ms, as they might be dead; or for those whose time is
// over. Until then whoever comes by takes it: two who contend would pay for the way of a cache line, or for a wake-up, at
// each acquisition otherwise. A spinner that goes to sleep takes its question back: the lock would stand idle until it is
// awake.
//
// A thread may release what another one acquired. One whose own hold was broken may not, as it does not know: its slot is
// noted in `broken` until it has been told. The note is made by the one who takes over, before it does; should that one die
// between, and the old holder be told by the word at the same moment, then its next release of another's hold is refused.
#pragma once

#include <algorithm>

#include "heap/heap.hpp"
#include "sync/sessions.hpp"
#include "sync/wait_graph.hpp"

namespace muster::sync {

struct LockRep {  // ObjectRep::turns
    std::uint64_t word;
    std::uint64_t epoch;   // half rounds of the turn: the token is both
    std::uint64_t levels;  // a recursive one's: turn << 32 | levels of that hold; of another turn: 1
    std::uint64_t reserved;
    std::uint32_t broken[8];  // slots whose hold was broken and who do not know; 0 = none
};
static_assert(sizeof(LockRep) == sizeof(heap::ObjectRep::turns));
inline LockRep& lock_rep(heap::ObjectRep& object) noexcept { return *reinterpret_cast<LockRep*>(object.turns.data()); }

// The word's lower half.
inline std::uint32_t* futex_of(LockRep& rep) noexcept { return reinterpret_cast<std::uint32_t*>(&rep.word); }

class LockWord {
  public:
    static constexpr std::uint64_t ended = std::uint64_t{1} << 30, waiters = std::uint64_t{1} << 31,
                                   handover = std::uint64_t{1} << 32, inherited_bit = std::uint64_t{1} << 33;

    LockWord(const Segment& segment, const Sessions& sessions, heap::ObjectRef ref)
        : segment_(segment), rep_(lock_rep(heap::object_at(segment, ref.id))), sessions_(sessions), ref_(ref) {}

    LockWord(const Segment& segment, const Sessions& sessions, heap::ObjectRep& object, heap::ObjectRef ref) noexcept
        : segment_(segment), rep_(lock_rep(object)), sessions_(sessions), ref_(ref) {}

    // The way of nearly all: nobody has it, and nobody is preferred. False: nothing has changed; acquire() tells why.
    template <typename Destroyed>
    bool take_free(SlotId self, Destroyed&& destroyed) {
        std::uint64_t now = load();
        if (destroyed() || (now & (holder_mask | ended | handover)) != 0 || !take(now, self, false)) return false;
        if (__builtin_expect(!destroyed(), true)) return true;
        (void)give_up(self);
        return false;
    }
    // ... and of what `self` holds, with nobody asleep. False: nothing has changed; release() tells why.
    template <typename Destroyed>
    bool release_own(SlotId self, Destroyed&& destroyed) {
        std::uint64_t now = load();
        return (now & ~(turn_mask | inherited_bit)) == self.word() && self && !destroyed() &&
               swap(now, now & (turn_mask | inherited_bit), __ATOMIC_RELEASE);
    }

    // `destroyed` is asked at each look; true ends the wait with Outcome::destroyed. A deadline of now() takes it when
    // nobody holds it, whoever it is meant for. Throws Deadlock when its wait would close a circle, it is the one to give
    // up, and errors are wanted; a circle of one (it holds the lock itself) counts with OnDeadlock::error alone.
    enum class Outcome { acquired, timed_out, destroyed, too_many_levels };
    template <typename Destroyed>
    Outcome acquire(SlotId self, base::Deadline deadline, Destroyed&& destroyed, OnDeadlock policy = OnDeadlock::by_realm) {
        return take_free(self, destroyed) ? Outcome::acquired : acquire_slowly(self, deadline, destroyed, policy);
    }
    // Ends the hold, whosever it is. `self` is the caller, or nobody. broken: the caller's own hold had been ended by force,
    // and it has been told now; nothing was released.
    enum class Released { yes, not_locked, broken, destroyed };
    template <typename Destroyed>
    Released release(SlotId self, Destroyed&& destroyed) {
        for (;;) {
            if (release_own(self, destroyed)) return Released::yes;
            const std::uint64_t now = load();
            if (destroyed()) return Released::destroyed;
            if (const auto done = release_otherwise(now, self)) return *done;
        }
    }
    // The holder is dead: frees the lock if `dead` still holds it. Idempotent.
    bool release_dead(SlotId dead) noexcept;
    // Ends the hold by force. False: nobody holds it, or it is destroyed.
    template <typename Destroyed>
    bool break_hold(Destroyed&& destroyed) {
        for (;;) {
            std::uint64_t now = load();
            if (destroyed() || !holder_in(now)) return false;
            if (!swap(now, (now & ~waiters) | ended, __ATOMIC_ACQ_REL)) continue;
            wake(INT_MAX);
            return true;
        }
    }

    SlotId holder() const noexcept { return holder_in(load()); }
    bool waited_for() const noexcept { return (load() & waiters) != 0; }
    bool inherited() const noexcept { return (load() & inherited_bit) != 0; }
    // Of the present or the last hold: larger than of all before.
    std::uint64_t token() const noexcept { return token_of(load()); }
    std::uint64_t token_of(std::uint64_t word) const noexcept;
    // Was the thread's hold ended by force, and does it not know yet?
    bool broken_for(SlotId self) const noexcept;

    std::uint64_t load() const noexcept { return __atomic_load_n(&rep_.word, __ATOMIC_ACQUIRE); }
    static SlotId holder_in(std::uint64_t word) noexcept {
        return (word & ended) != 0 ? SlotId{} : SlotId{static_cast<std::uint32_t>(word & holder_mask)};
    }
    static std::uint32_t turn_in(std::uint64_t word) noexcept { return static_cast<std::uint32_t>(word >> heap::turn_shift); }
    std::uint32_t* futex() const noexcept { return futex_of(rep_); }

  protected:
    const Segment& segment_;
    LockRep& rep_;
    const Sessions& sessions_;
    heap::ObjectRef ref_;

  private:
    static constexpr std::uint64_t holder_mask = (std::uint64_t{1} << SlotId::bits) - 1;
    static constexpr std::uint64_t turn_mask = ~std::uint64_t{0} << heap::turn_shift;

    struct Attempt {
        SlotId self;
        base::Deadline deadline;
        base::Deadline::Clock::time_point begun;
        OnDeadlock policy;
        std::optional<Waiting> waiting = {};
        bool marked = false;  // has set `waiters`: the mark is kept, as it cannot know who else sleeps
        bool slept = false;
        bool asked = false;   // has set `handover`: what is freed then may be its own
        bool takes_back = false;  // has set it while it spun
        unsigned slices = 0;  // slept through, with nobody telling it anything
    };
    bool swap(std::uint64_t& now, std::uint64_t next, int order) noexcept {
        return __atomic_compare_exchange_n(&rep_.word, &now, next, false, order, __ATOMIC_ACQUIRE);
    }
    // `now` has no holder. On failure it is what is there.
    bool take(std::uint64_t& now, SlotId self, bool mark) noexcept;
    void settle_epoch(std::uint64_t word) noexcept;
    bool forget_broken(SlotId self) noexcept;
    // None: the word has changed since `now`, look again.
    std::optional<Released> release_otherwise(std::uint64_t now, SlotId self) noexcept;
    void wake(int count) const noexcept {
        if (!tx::mutant(tx::Mutant::missing_wake)) base::futex_wake(futex(), count);
    }
    Outcome give_up(SlotId self) noexcept {
        (void)release(self, [] { return false; });
        return Outcome::destroyed;
    }
    template <typename Destroyed>
    Outcome acquire_slowly(SlotId self, base::Deadline deadline, Destroyed&& destroyed, OnDeadlock policy) {
        Attempt attempt{self, deadline, base::Deadline::Clock::now(), policy};
        for (;;) {
            std::uint64_t now = load();
            if (destroyed()) return withdraw(attempt), Outcome::destroyed;
            const bool last = deadline.passed();
            if (look(attempt, now, last)) return destroyed() ? give_up(self) : Outcome::acquired;
            if (last) return withdraw(attempt), Outcome::timed_out;
            if (auto cycle = sleep(attempt, now)) {
                withdraw(attempt);
                throw Deadlock{std::move(*cycle)};
            }
        }
    }
    // Takes it, perhaps after a short spin, if the caller may. `last` is the last look: it may, if nobody holds it.
    bool look(Attempt& attempt, std::uint64_t& now, bool last) noexcept;
    template <typename Takeable>
    void spin(Attempt& attempt, std::uint64_t& now, Takeable&& takeable) noexcept;
    // Marks that somebody waits and sleeps for at most a slice; not at all when the word has changed since `now`, or when
    // it is to give up: then it tells why.
    std::optional<WaitCycle> sleep(Attempt& attempt, std::uint64_t now);
    std::optional<WaitCycle> closed_by(const Attempt& attempt);
    void withdraw(const Attempt& attempt) noexcept;
    void ask(SlotId holder) noexcept;
};

inline bool LockWord::take(std::uint64_t& now, SlotId self, bool mark) noexcept {
    const SlotId was{static_cast<std::uint32_t>(now & holder_mask)};  // its hold was broken
    if (__builtin_expect(static_cast<bool>(was), false)) {
        std::uint32_t* const place = std::find(std::begin(rep_.broken), std::end(rep_.broken), 0u);
        __atomic_store_n(place == std::end(rep_.broken) ? &rep_.broken[turn_in(now) % std::size(rep_.broken)] : place,
                         was.word(), __ATOMIC_RELEASE);
    }
    const std::uint64_t next = ((now & turn_mask) + (std::uint64_t{1} << heap::turn_shift)) | self.word() |
                               (mark ? waiters : now & waiters) | ((now & ended) != 0 ? inherited_bit : 0);
    if (__builtin_expect(!swap(now, next, __ATOMIC_ACQ_REL), false)) {
        if (was) (void)forget_broken(was);
        return false;
    }
    if (__builtin_expect(((rep_.epoch ^ next >> 63) & 1) != 0, false)) settle_epoch(next);
    return true;
}

}  // namespace muster::sync
