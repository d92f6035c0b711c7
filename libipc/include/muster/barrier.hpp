// Barrier: so many threads, of any processes, wait for each other, as multiprocessing.Barrier.
//
// The last to arrive runs the action (of its own handle: code is not shared), then all go on. An index of 0 .. parties-1
// is each one's own, in the order of arrival. Who arrives while the round before has not left yet waits for it first.
// Broken is broken for everybody, until reset(): when one's timeout runs out, when the action throws (its exception goes
// to that one caller), by abort(). Who has come together is not called back by that.
//
// Deaths. A killed waiter is not counted any more: another one has to come, and may get its index. One that is killed
// while it runs the action breaks the barrier. One that is killed after the round came together changes nothing. The
// others notice at once with the daemon, within a fraction of a second without.
// Thread safety: as Handle; set_action not while others use this very handle. Waiting: some microseconds awake, then asleep.
// Throws Error: broken_barrier, destroyed, out_of_memory (nothing changed).
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <utility>

#include <muster/detail/object.hpp>
#include <muster/detail/timeout.hpp>

namespace muster {

struct BarrierOptions {
    std::function<void()> action = {};                    // of this handle and its copies
    std::optional<std::chrono::nanoseconds> timeout = {};  // of wait(); of whoever makes the barrier
};

class Barrier : public detail::Handle {
  public:
    using Handle::Handle;
    Barrier(std::shared_ptr<detail::ObjectState> state, std::function<void()> action)
        : Handle(std::move(state)), action_(std::move(action)) {}

    // Until all have arrived; at most for the barrier's own timeout. Returns the caller's index.
    std::size_t wait() { return wait_default(); }
    template <typename Rep, typename Period>
    std::size_t wait_for(std::chrono::duration<Rep, Period> timeout) {
        return wait_within(detail::saturated(timeout));
    }
    template <typename Clock, typename Duration>
    std::size_t wait_until(std::chrono::time_point<Clock, Duration> when) {
        return wait_within(detail::left_until(when));
    }
    // Who waits gets broken_barrier; then it is as new.
    void reset();
    // Broken, for who waits and who comes.
    void abort();

    std::size_t parties() const;
    std::size_t n_waiting() const;  // 0 unless it is being filled
    bool broken() const;
    void set_action(std::function<void()> action) { action_ = std::move(action); }

  private:
    std::size_t wait_default();
    std::size_t wait_within(detail::Timeout timeout);
    std::function<void()> action_;
};

}  // namespace muster
