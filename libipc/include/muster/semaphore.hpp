// Semaphore and BoundedSemaphore: so many permits, shared, as multiprocessing's; spelled as std::counting_semaphore, and
// std::scoped_lock and std::unique_lock hold one permit.
//
// First come, first served: who waits longest gets the next permit; nobody overtakes, nobody starves.
//
// Deaths. A process that ends or is killed gives back the permits that it took: those that it acquired (also through a
// thread that has ended) and that were not released since. Any process or thread may release. A release counts as one of
// the releasing process's own permits; where it has none, as one that was disowned; then as somebody else's; only
// where nobody has any does the number of permits grow. So a consumer that acquires what producers release gives back, when
// it dies, no more than it acquired and nobody has released since. A killed waiter takes no permit with it: what was
// handed to it goes on to the next one, at once with the daemon, within a fraction of a second without.
// The child of a fork has none of its parent's permits.
//
// A name has one semaphore: opened again with another start value, or as the other class, it is what it was made.
// Thread safety: as Handle. acquire waits some microseconds awake, then asleep. Throws Error: destroyed, out_of_memory (acquire, when it has to wait; nothing
// changed), released_too_often, invalid_argument (a count below 1), limit_exceeded (a value above max()).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>  // the guards that it is used with

#include <muster/detail/object.hpp>
#include <muster/detail/timeout.hpp>

namespace muster {

class Semaphore : public detail::Handle {
  public:
    using Handle::Handle;

    static constexpr std::int64_t max() noexcept { return 0x7fff'ffff; }

    void acquire() { (void)acquire_within({}); }
    // False: no permit is free, or others wait for one.
    [[nodiscard]] bool try_acquire() { return acquire_within(std::chrono::nanoseconds(0)); }
    template <typename Rep, typename Period>
    [[nodiscard]] bool try_acquire_for(std::chrono::duration<Rep, Period> timeout) {
        return acquire_within(detail::saturated(timeout));
    }
    template <typename Clock, typename Duration>
    [[nodiscard]] bool try_acquire_until(std::chrono::time_point<Clock, Duration> when) {
        return acquire_within(detail::left_until(when));
    }
    // Several at once. Bounded: throws released_too_often, and nothing has changed, when there would be more than it
    // began with.
    void release(std::int64_t count = 1);

    // Permits that are free now.
    std::int64_t get_value() const;
    bool bounded() const;
    // Permits that this process has.
    std::int64_t held() const;
    // From now on so many of this process's permits are nobody's: they do not come back when it ends, only by release().
    // Throws value_error when it has fewer.
    void disown(std::int64_t count = 1);

    // For std's guards.
    void lock() { acquire(); }
    [[nodiscard]] bool try_lock() { return try_acquire(); }
    void unlock() { release(); }

  private:
    bool acquire_within(detail::Timeout timeout);
};

// Refuses one release too many. bounded() tells whether an opened one is.
class BoundedSemaphore : public Semaphore {
  public:
    using Semaphore::Semaphore;
};

}  // namespace muster
