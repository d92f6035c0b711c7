// Condition: waiting, under a lock, for what others do to what the lock guards, as multiprocessing.Condition; it is also
// its lock (std::scoped_lock and std::unique_lock hold it), an RLock of its own or a Lock or RLock that it was given. Several
// conditions may be given the same lock.
//
// Who waits or notifies has the lock. A wait lets go of all its levels and, when it returns, however it does, has all of
// them again. A notification is for one who waits at that moment, the first first; it is kept for nobody who comes later.
//
// Deaths. A killed waiter swallows no notification: until it has the lock again, what it was notified of goes on to the next
// one who was waiting when that was done. One who is killed while it holds the lock lets go of it, as of any lock
// (previous_owner_died). One who is killed while it notifies has notified, or has not; who was notified wakes at
// once with the daemon, within a fraction of a second without.
// Thread safety: as Handle. Waiting: some microseconds awake, then asleep. Throws Error: not_owner (the calling thread does not hold the lock), destroyed,
// out_of_memory (nothing changed, the lock is held).
#pragma once

#include <algorithm>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>

#include <muster/detail/object.hpp>
#include <muster/detail/timeout.hpp>
#include <muster/lock.hpp>

namespace muster {

namespace detail {
class Realm;
}

class Condition : public detail::BasicLock {
  public:
    // With whatever lock it has; and with one that was given when it was made.
    explicit Condition(std::shared_ptr<detail::ObjectState> condition);
    Condition(std::shared_ptr<detail::ObjectState> condition, detail::BasicLock lock);

    const std::string& name() const noexcept;

    // Until it is notified.
    void wait() { (void)wait_within({}); }
    // Was it notified in time? Zero and less: lets others have the lock for a moment, and looks.
    template <typename Rep, typename Period>
    bool wait_for(std::chrono::duration<Rep, Period> timeout) {
        return wait_within(detail::saturated(timeout));
    }
    template <typename Clock, typename Duration>
    bool wait_until(std::chrono::time_point<Clock, Duration> when) {
        return wait_within(detail::left_until(when));
    }
    // Until the predicate, which is asked under the lock, first before any wait, is true; or there is no more time: then
    // what it said last. As threading.Condition.wait_for.
    template <std::predicate Predicate>
    void wait(Predicate predicate) {
        while (!predicate()) wait();
    }
    template <typename Rep, typename Period, std::predicate Predicate>
    bool wait_for(std::chrono::duration<Rep, Period> timeout, Predicate predicate) {
        using Clock = std::chrono::steady_clock;
        const auto now = Clock::now();
        const auto most = std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::time_point::max() - now);
        return wait_until(now + std::min(most, detail::saturated(timeout)), std::move(predicate));
    }
    template <typename Clock, typename Duration, std::predicate Predicate>
    bool wait_until(std::chrono::time_point<Clock, Duration> when, Predicate predicate) {
        while (!predicate())
            if (Clock::now() >= when || (!wait_until(when) && Clock::now() >= when)) return predicate();
        return true;
    }
    // As std::condition_variable_any has it: the guard is of this condition's lock, and holds it.
    template <typename Guarded, typename... Arguments>
    void wait(std::unique_lock<Guarded>&, Arguments&&... arguments) {
        wait(std::forward<Arguments>(arguments)...);
    }
    template <typename Guarded, typename... Arguments>
    bool wait_for(std::unique_lock<Guarded>&, Arguments&&... arguments) {
        return wait_for(std::forward<Arguments>(arguments)...);
    }
    template <typename Guarded, typename... Arguments>
    bool wait_until(std::unique_lock<Guarded>&, Arguments&&... arguments) {
        return wait_until(std::forward<Arguments>(arguments)...);
    }

    // At most so many of those who wait. None and less: nothing.
    void notify(std::int64_t count = 1);
    void notify_one() { notify(1); }
    void notify_all();

    // Who waits and is not notified yet; for people.
    std::size_t n_waiting() const;

    // What is stored of a lock that a condition is given. Throws invalid_argument for one of another realm. Internal.
    static std::uint64_t stored(const detail::BasicLock& lock, const detail::Realm& realm);

  private:
    bool wait_within(detail::Timeout timeout);
    void check_owner(const char* operation) const;
    std::shared_ptr<detail::ObjectState> condition_;
};

}  // namespace muster
