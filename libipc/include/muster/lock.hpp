// Lock and RLock: shared mutual exclusion between threads and processes, as multiprocessing's; TimedLockable as std's, so
// that std::scoped_lock and std::unique_lock work with them. The holder is known, and its death releases the lock: the
// next one gets it and can ask previous_owner_died().
//
// A Lock is not recursive, and as in Python any thread or process may unlock it. An RLock is its holder's: a thread, which
// may take it again, and unlocks it as often; a forked child is not its parent. A death lets go of all levels at once.
// Waiting: a spin of some microseconds, then asleep. Who is overtaken while it spins, or has waited for longer than a
// fraction of a millisecond, gets the lock before those who come later.
//
// Deadlocks are found in the moment that they come to be, across processes, with and without a daemon; see OnDeadlock. A
// thread that waits for a Lock that it holds itself is no error unless the call asks for it (OnDeadlock::error): as in
// Python another thread may be about to release it. It shows in `musterctl locks`.
//
// Throws Error: deadlock, not_locked (unlock of a free Lock), not_owner (unlock of an RLock by anybody but its holder; unlock by one
// whose hold was broken), destroyed (but not from unlock: a guard may end after an erase).
#pragma once

#include <sys/types.h>

#include <chrono>
#include <mutex>  // the guards that they are used with
#include <optional>

#include <muster/detail/object.hpp>
#include <muster/detail/timeout.hpp>

namespace muster {

// What an acquisition does when its wait would close a circle of threads that each hold what the next one waits for. Of
// such a circle one thread, the one that began to wait last, gives up: with the error `deadlock`, whose text names them all.
// by_realm: as the daemon's configuration says (`deadlock = "error"`, which is the default, or "report"). report: waits
// on; `musterctl locks --deadlocks` and the daemon's log tell of it.
enum class OnDeadlock : unsigned char { by_realm, error, report };

namespace detail {

class BasicLock : public Handle {
  public:
    using Handle::Handle;

    void lock() { (void)lock_within({}, OnDeadlock::by_realm); }
    void lock(OnDeadlock policy) { (void)lock_within({}, policy); }
    [[nodiscard]] bool try_lock() { return lock_within(std::chrono::nanoseconds(0), OnDeadlock::report); }
    template <typename Rep, typename Period>
    [[nodiscard]] bool try_lock_for(std::chrono::duration<Rep, Period> timeout, OnDeadlock policy = OnDeadlock::by_realm) {
        return lock_within(detail::saturated(timeout), policy);
    }
    template <typename Clock, typename Duration>
    [[nodiscard]] bool try_lock_until(std::chrono::time_point<Clock, Duration> when,
                                      OnDeadlock policy = OnDeadlock::by_realm) {
        return lock_within(detail::left_until(when), policy);
    }
    void unlock();

    // Did the last acquisition take the lock over from somebody who died with it, or whose hold was broken? What it guards
    // may be half done.
    bool previous_owner_died() const;
    struct Owner {
        pid_t pid = 0, tid = 0;
    };
    std::optional<Owner> owner() const;  // none: free, or it died and the next one gets the lock
    bool locked() const;

    // The fencing token of the caller's hold; when it has none, of the last hold. Of two holds of one lock the later one's
    // is larger, whatever became of the holders: a resource that remembers the largest token it has seen, and refuses
    // smaller ones, takes nothing from somebody whose hold is over and who does not know. Take it right after lock().
    // Throws not_owner when the caller's hold was broken and unlock() has not told it yet.
    std::uint64_t token() const;

    // Ends the hold by force, whosever it is, for when its holder will not come back. The next one gets the lock and finds
    // previous_owner_died(); the old holder is told by its unlock (not_owner), which releases nobody else's hold. Up to 8
    // threads are remembered in this way. False: nobody held it.
    bool break_lock();

  private:
    bool lock_within(Timeout timeout, OnDeadlock policy);
};

}  // namespace detail

class Lock : public detail::BasicLock {
  public:
    using BasicLock::BasicLock;
};

class RLock : public detail::BasicLock {
  public:
    using BasicLock::BasicLock;
    // How often the calling thread has to unlock it; 0: it does not hold it.
    std::uint32_t levels() const;
};

}  // namespace muster
