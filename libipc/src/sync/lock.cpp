#include "sync/lock.hpp"

#include "sync/wait_point.hpp"

namespace muster::sync {
namespace {

// A holder on another core is often gone within this many looks; then nobody has to sleep.
constexpr int spins = 100;

}  // namespace

bool LockWord::release_dead(SlotId dead) noexcept {
    std::uint32_t now = __atomic_load_n(&rep_.word, __ATOMIC_RELAXED);
    do {
        if (!dead || SlotId{now & holder_mask} != dead) return false;
    } while (!__atomic_compare_exchange_n(&rep_.word, &now, died, true, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
    if (!tx::mutant(tx::Mutant::missing_wake)) base::futex_wake(&rep_.word);
    return true;
}

bool LockWord::take_or_sleep(SlotId self, bool& slept, base::Deadline deadline) noexcept {
    std::uint32_t now = __atomic_load_n(&rep_.word, __ATOMIC_RELAXED);
    for (int i = 0; !slept && i < spins && (now & holder_mask) != 0; ++i) {
        tx::relax();
        now = __atomic_load_n(&rep_.word, __ATOMIC_RELAXED);
    }
    while ((now & holder_mask) == 0) {
        // Whoever has slept cannot know who else does, and keeps the mark for the next release.
        const std::uint32_t mine = self.word() | (slept ? waiters : now & waiters);
        if (__atomic_compare_exchange_n(&rep_.word, &now, mine, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
            took((now & died) != 0);
            return true;
        }
    }
    if (deadline.is_now()) return false;
    const std::uint32_t marked = now | waiters;
    if (now != marked &&
        !__atomic_compare_exchange_n(&rep_.word, &now, marked, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        return false;  // changed meanwhile: look again
    slept = true;
    if (base::futex_wait(&rep_.word, marked, deadline.earlier(base::Deadline::after(wait_slice))) == base::Woken::timed_out) {
        // I9: nobody has told us for a while; is there anybody who could?
        const SlotId held_by{marked & holder_mask};
        try {
            const tx::Patience none(base::Deadline::now(), std::chrono::nanoseconds::zero());
            if (!sessions_.alive(held_by)) release_dead(held_by);
        } catch (const tx::Busy&) {  // somebody is inside the table of sessions: another slice
        }
    }
    return false;
}

}  // namespace muster::sync
