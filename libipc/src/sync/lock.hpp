// The mutual-exclusion lock that users hold: its word names the holder, so that its death can release it.
//
// The word is the whole state, changed by compare-and-swap alone: there is no instruction at which a death could leave
// it half done, hence no undo log.
//   bits 0..29  the holder's SlotId, 0 = free
//   bit 30      free, and its last holder died holding it
//   bit 31      somebody may be asleep on the word
// A releaser that dies between freeing the word and waking leaves the sleepers to their slices (I9).
#pragma once

#include "sync/sessions.hpp"

namespace muster::sync {

struct LockRep {
    std::uint32_t word;
    std::uint32_t inherited;  // the present or last acquisition took over from a dead holder; the holder's to write
    std::uint64_t token;      // count of acquisitions; the holder's to write
    std::uint64_t reserved[6];
};
static_assert(sizeof(LockRep) == 64);

class LockWord {
  public:
    static constexpr std::uint32_t died = 1u << 30, waiters = 1u << 31;

    LockWord(LockRep& rep, const Sessions& sessions) noexcept : rep_(rep), sessions_(sessions) {}

    // False: the deadline passed. `destroyed` is asked at each look; true ends the wait with Outcome::destroyed.
    enum class Outcome { acquired, timed_out, destroyed };
    template <typename Destroyed>
    Outcome acquire(SlotId self, base::Deadline deadline, Destroyed&& destroyed) {
        if (try_acquire(self)) return destroyed() ? give_up() : Outcome::acquired;
        return acquire_slowly(self, deadline, [&] { return destroyed(); });
    }
    bool try_acquire(SlotId self) noexcept {
        std::uint32_t expected = 0;
        if (!__atomic_compare_exchange_n(&rep_.word, &expected, self.word(), false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
            return false;
        took(false);
        return true;
    }
    // False: it was not locked.
    bool release() noexcept {
        std::uint32_t now = __atomic_load_n(&rep_.word, __ATOMIC_RELAXED);
        do {
            if ((now & holder_mask) == 0) return false;
        } while (!__atomic_compare_exchange_n(&rep_.word, &now, 0u, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED));
        if ((now & waiters) != 0 && !tx::mutant(tx::Mutant::missing_wake)) base::futex_wake(&rep_.word, 1);
        return true;
    }
    // The holder is dead: frees the lock if `dead` still holds it. Idempotent.
    bool release_dead(SlotId dead) noexcept;

    SlotId holder() const noexcept { return SlotId{__atomic_load_n(&rep_.word, __ATOMIC_ACQUIRE) & holder_mask}; }
    bool inherited() const noexcept { return __atomic_load_n(&rep_.inherited, __ATOMIC_RELAXED) != 0; }
    std::uint64_t token() const noexcept { return __atomic_load_n(&rep_.token, __ATOMIC_RELAXED); }

  private:
    static constexpr std::uint32_t holder_mask = (1u << SlotId::bits) - 1;
    void took(bool from_dead) noexcept {
        __atomic_store_n(&rep_.inherited, from_dead ? 1u : 0u, __ATOMIC_RELAXED);
        __atomic_store_n(&rep_.token, rep_.token + 1, __ATOMIC_RELAXED);
    }
    Outcome give_up() noexcept {
        release();
        return Outcome::destroyed;
    }
    template <typename Destroyed>
    Outcome acquire_slowly(SlotId self, base::Deadline deadline, Destroyed&& destroyed);
    // One round: took it, or slept for at most a slice.
    bool take_or_sleep(SlotId self, bool& slept, base::Deadline deadline) noexcept;

    LockRep& rep_;
    const Sessions& sessions_;
};

template <typename Destroyed>
LockWord::Outcome LockWord::acquire_slowly(SlotId self, base::Deadline deadline, Destroyed&& destroyed) {
    bool slept = false;
    for (;;) {
        if (destroyed()) return Outcome::destroyed;
        const bool last = deadline.passed();
        if (take_or_sleep(self, slept, deadline)) return destroyed() ? give_up() : Outcome::acquired;
        if (last) return Outcome::timed_out;
    }
}

}  // namespace muster::sync
