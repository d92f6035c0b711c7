// Lock: a shared mutual-exclusion lock, as multiprocessing.Lock, TimedLockable as std's: std::scoped_lock and
// std::unique_lock work with it. The holder is known, and its death releases the lock: the next one gets it and can ask
// previous_owner_died(). Not recursive. As in Python any thread or process may unlock it.
//
// Throws Error: not_locked (unlock of a free one), destroyed (but not from unlock: a guard may end after an erase).
#pragma once

#include <sys/types.h>

#include <chrono>
#include <mutex>  // the guards that it is used with
#include <optional>

#include <muster/detail/object.hpp>
#include <muster/detail/timeout.hpp>

namespace muster {

class Lock : public detail::Handle {
  public:
    using Handle::Handle;

    void lock() { (void)lock_within({}); }
    [[nodiscard]] bool try_lock() { return lock_within(std::chrono::nanoseconds(0)); }
    template <typename Rep, typename Period>
    [[nodiscard]] bool try_lock_for(std::chrono::duration<Rep, Period> timeout) {
        return lock_within(detail::saturated(timeout));
    }
    template <typename Clock, typename Duration>
    [[nodiscard]] bool try_lock_until(std::chrono::time_point<Clock, Duration> when) {
        return lock_within(detail::left_until(when));
    }
    void unlock();

    // Did the last acquisition take the lock over from somebody who died with it? What it guards may be half done.
    bool previous_owner_died() const;
    struct Owner {
        pid_t pid = 0, tid = 0;
    };
    std::optional<Owner> owner() const;  // none: free, or it died and the next one gets the lock
    bool locked() const;
    // Grows with every acquisition: a later holder's token is larger.
    std::uint64_t token() const;

  private:
    bool lock_within(detail::Timeout timeout);
};

}  // namespace muster
