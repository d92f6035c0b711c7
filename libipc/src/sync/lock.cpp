#include "sync/lock.hpp"

#include "base/spin.hpp"
#include "sync/lock_kind.hpp"
#include "sync/wait_point.hpp"

namespace muster::sync {
namespace {

// A holder on another core is often gone within so many looks; then nobody has to sleep. They are counted, not timed, so
// that a thread goes the same way each time: some microseconds.
constexpr int most_looks = 24;
constexpr int pauses = 12;  // from look to look: each takes the word's cache line from the holder
// Who has looked so often and has been overtaken asks that the next release be for those who wait. Until then it does not
// compete with whoever takes it again at once: what is free must stay so from look to look.
constexpr int polite_looks = 6;

constexpr std::chrono::microseconds handover_after{250};
constexpr std::chrono::milliseconds heir_slice{10};
// Who has slept through its first slices looks for itself less often, up to every 400 ms: fifty who wait for long are to
// cost nothing that can be noticed.
constexpr unsigned longest_slice_shift = 2;

}  // namespace

// The turn's highest bit is the lowest of the epoch; who finds it otherwise is the first since it changed, or the first who
// lived to mend it: there are half a thousand million acquisitions until the next change. The epoch never goes back, so
// whoever comes late changes nothing.
void LockWord::settle_epoch(std::uint64_t word) noexcept {
    std::uint64_t epoch = __atomic_load_n(&rep_.epoch, __ATOMIC_RELAXED);
    if (((epoch ^ word >> 63) & 1) != 0)
        __atomic_compare_exchange_n(&rep_.epoch, &epoch, epoch + 1, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

std::uint64_t LockWord::token_of(std::uint64_t word) const noexcept {
    const std::uint64_t epoch = __atomic_load_n(&rep_.epoch, __ATOMIC_RELAXED);
    constexpr unsigned low_bits = 63 - heap::turn_shift;
    return (epoch + ((epoch ^ word >> 63) & 1)) << low_bits | (turn_in(word) & ((1u << low_bits) - 1));
}

bool LockWord::broken_for(SlotId self) const noexcept {
    if (!self) return false;
    const std::uint64_t now = load();
    if ((now & ended) != 0 && (now & holder_mask) == self.word()) return true;
    return std::any_of(std::begin(rep_.broken), std::end(rep_.broken), [&](const std::uint32_t& slot) {
        return __atomic_load_n(&slot, __ATOMIC_ACQUIRE) == self.word();
    });
}

bool LockWord::forget_broken(SlotId self) noexcept {
    bool found = false;
    for (std::uint32_t& slot : rep_.broken) {
        std::uint32_t expected = self.word();
        if (self && __atomic_compare_exchange_n(&slot, &expected, 0u, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) found = true;
    }
    return found;
}

std::optional<LockWord::Released> LockWord::release_otherwise(std::uint64_t now, SlotId self) noexcept {
    const std::uint64_t named = now & holder_mask;
    if (self && named == self.word() && (now & ended) != 0) {  // by force, and nobody has taken over yet
        if (!swap(now, now & ~holder_mask, __ATOMIC_ACQ_REL)) return {};
        return Released::broken;
    }
    if (named != self.word() && forget_broken(self)) return Released::broken;
    if (named == 0 || (now & ended) != 0) return Released::not_locked;
    if (!swap(now, now & (turn_mask | inherited_bit | handover), __ATOMIC_RELEASE)) return {};
    if ((now & waiters) != 0) wake(1);
    return Released::yes;
}

bool LockWord::release_dead(SlotId dead) noexcept {
    std::uint64_t now = load();
    do {
        if (!dead || (now & holder_mask) != dead.word()) return false;
    } while (!swap(now, (now & (turn_mask | inherited_bit | handover)) | ended, __ATOMIC_ACQ_REL));
    wake(INT_MAX);
    return true;
}

// Until it is `takeable`, for a little while; who asks meanwhile waits for that release, too.
template <typename Takeable>
void LockWord::spin(Attempt& attempt, std::uint64_t& now, Takeable&& takeable) noexcept {
    if (takeable()) return;
    const std::uint32_t turn = turn_in(now);
    for (int looks = 0, end = most_looks; looks < end; ++looks) {
        for (int i = 0; i < pauses; ++i) base::relax();
        const std::uint64_t before = std::exchange(now, load());
        if (takeable() && (now == before || attempt.asked)) return;
        const bool overtaken = holder_in(now) && turn_in(now) != turn, somebody_asks = (now & handover) != 0;
        if (attempt.asked || somebody_asks || !overtaken || looks < polite_looks) continue;
        if (!swap(now, now | handover, __ATOMIC_ACQ_REL)) continue;
        attempt.asked = attempt.takes_back = true;
        end = looks + most_looks;
    }
}

bool LockWord::look(Attempt& attempt, std::uint64_t& now, bool last) noexcept {
    const auto takeable = [&] { return !holder_in(now) && ((now & handover) == 0 || attempt.marked || attempt.asked || last); };
    if (!attempt.deadline.is_now() && base::several_cores()) spin(attempt, now, takeable);
    while (takeable())
        if (take(now, attempt.self, attempt.marked)) return true;
    return false;
}

// Who goes to sleep may have closed a circle. Who is to give up may have published its wait before the last one did, and be
// asleep: it is woken, to look again.
std::optional<WaitCycle> LockWord::closed_by(const Attempt& attempt) {
    try {
        const tx::Patience none(base::Deadline::now(), std::chrono::nanoseconds::zero());
        auto cycle = find_cycle(segment_, sessions_, attempt.self);
        if (!cycle || (cycle->size() == 1 && attempt.policy != OnDeadlock::error)) return {};
        const SlotId victim = victim_of(*cycle);
        if (victim == attempt.self) {
            // What it is about to let go goes to who waits for it in the circle; or it would close it again at once.
            for (const WaitLink& link : *cycle)
                if (link.holder == attempt.self) LockWord(segment_, sessions_, link.wait.object).ask(attempt.self);
            return cycle;
        }
        for (const WaitLink& link : *cycle)
            if (link.waiter == victim) LockWord(segment_, sessions_, link.wait.object).wake(INT_MAX);
    } catch (const tx::Busy&) {  // somebody is inside the table of sessions: another slice
    } catch (const segment::Damage&) {  // told by whoever uses what is damaged
    }
    return {};
}

std::optional<WaitCycle> LockWord::sleep(Attempt& attempt, std::uint64_t now) {
    const bool starves = attempt.slept && base::Deadline::Clock::now() - attempt.begun >= handover_after;
    // What is kept for one who is asleep stands idle for the time of a wake-up.
    const std::uint64_t marked = (starves ? now | handover : attempt.takes_back ? now & ~handover : now) | waiters;
    if (now != marked && !swap(now, marked, __ATOMIC_ACQ_REL)) return {};
    attempt.marked = true;
    attempt.asked = starves;
    attempt.takes_back = false;
    const SlotId held_by = holder_in(marked);
    const bool error = attempt.policy == OnDeadlock::error ||
                       (attempt.policy == OnDeadlock::by_realm && deadlock_is_error(segment_));
    if (!attempt.waiting) {
        const auto kind = lock_kind(heap::Ident::unpack(heap::object_at(segment_, ref_.id).ident).kind);
        attempt.waiting.emplace(sessions_, attempt.self, ref_, kind, !error);
    }
    attempt.waiting->kept_by(turn_in(marked));
    // Who sleeps on in a circle, as a condition's waiter does, tells the one who does not.
    if (held_by && (error || deadlock_is_error(segment_)))
        if (auto cycle = closed_by(attempt)) return cycle;
    const auto slice = held_by ? std::chrono::nanoseconds(wait_slice * (1u << std::min(attempt.slices, longest_slice_shift)))
                               : std::chrono::nanoseconds(heir_slice);
    const auto woken = base::futex_wait(futex(), static_cast<std::uint32_t>(marked),
                                        attempt.deadline.earlier(base::Deadline::after(slice)));
    if (woken == base::Woken::changed) return {};
    attempt.slept = true;
    if (woken != base::Woken::timed_out || !held_by) return {};
    ++attempt.slices;
    // I9: nobody has told us for a while; is there anybody who could?
    try {
        const tx::Patience none(base::Deadline::now(), std::chrono::nanoseconds::zero());
        if (!sessions_.alive(held_by)) release_dead(held_by);
    } catch (const tx::Busy&) {  // somebody is inside the table of sessions: another slice
    }
    return {};
}

// The next release of `holder` is for those who wait.
void LockWord::ask(SlotId holder) noexcept {
    std::uint64_t now = load();
    while (holder_in(now) == holder && (now & waiters) != 0 && (now & handover) == 0)
        if (swap(now, now | handover, __ATOMIC_ACQ_REL)) return;
}

// Whoever else has waited for long asks again; but those who have just come must not wait for an heir that has left.
void LockWord::withdraw(const Attempt& attempt) noexcept {
    if (!attempt.asked) return;
    std::uint64_t now = load();
    while ((now & handover) != 0)
        if (swap(now, now & ~handover, __ATOMIC_ACQ_REL)) {
            if (!holder_in(now) && (now & waiters) != 0) wake(1);
            return;
        }
}

}  // namespace muster::sync
