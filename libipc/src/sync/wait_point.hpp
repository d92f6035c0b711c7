// A wait point: a futex word on which threads of any process wait for a change of an object.
//
// Bit 0: somebody may be asleep. The waker, after its change is visible, adds 2 and wakes; it clears the bit only when
// nobody was asleep. A waiter announces itself (sets the bit), looks again at what it waits for, and sleeps on the
// value it saw: a change between the look and the sleep has changed the word.
// I9: a waker that dies between its change and its wake leaves the sleeper to the service, which wakes all wait points
// after a death, and to the slices the sleep is cut into.
#pragma once

#include <chrono>

#include "base/base.hpp"
#include "tx/tx.hpp"

namespace muster::sync {

// How long a wait trusts others before it looks for itself.
inline constexpr std::chrono::milliseconds wait_slice{100};

class WaitPoint {
  public:
    explicit WaitPoint(std::uint32_t& word) noexcept : word_(word) {}

    // Before the last look; what is returned goes to sleep().
    std::uint32_t announce() noexcept {
        const std::uint32_t announced = __atomic_or_fetch(&word_, 1u, __ATOMIC_SEQ_CST);
        // The look that follows must not be taken before the bit is there for all to see: where an atomic change is a
        // load and a store (AArch64), the latter alone does not hold back later loads.
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        return announced;
    }
    // Returns when woken, when the word changed, at the deadline, and at the end of a slice at the latest.
    void sleep(std::uint32_t announced, base::Deadline deadline) noexcept {
        base::futex_wait(&word_, announced, deadline.earlier(base::Deadline::after(wait_slice)));
    }
    // After the change is visible.
    void notify(int count) noexcept {
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        tell(count);
    }
    // The same for a change under a domain's lock, which this thread has just released, and has done nothing since that others
    // would have to see first.
    void notify_after_unlock(int count) noexcept {
        tx::fence_after_unlock();
        tell(count);
    }
    void notify_all() noexcept { notify(INT_MAX); }

  private:
    void tell(int count) noexcept {
        if ((__atomic_load_n(&word_, __ATOMIC_RELAXED) & 1) == 0 || tx::mutant(tx::Mutant::missing_wake)) return;
        std::uint32_t now = __atomic_add_fetch(&word_, 2u, __ATOMIC_SEQ_CST);
        if (base::futex_wake(&word_, count) == 0)
            __atomic_compare_exchange_n(&word_, &now, now & ~1u, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
    }

    std::uint32_t& word_;
};

}  // namespace muster::sync
