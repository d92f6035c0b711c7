// Event: a shared flag that many wait for, as multiprocessing.Event.
//
// set() lets all on who wait at that moment: each of them sees that it was set, even if clear() follows at once.
// Nobody owns an event, so a death changes nothing: what the dead had set is set. A waiter that is killed takes nothing
// with it; where the one who set it is killed before it has woken the others, they notice within a fraction of a second.
// Thread safety: as Handle. Waiting: some microseconds awake, then asleep. Throws Error: destroyed.
#pragma once

#include <chrono>

#include <muster/detail/object.hpp>
#include <muster/detail/timeout.hpp>

namespace muster {

class Event : public detail::Handle {
  public:
    using Handle::Handle;

    bool is_set() const;
    void set();    // nothing when it is set already
    void clear();  // nothing when it is not set

    // Until it is set.
    void wait() const { (void)wait_within({}); }
    // Was it set in time? Zero and less: is it set? As threading.Event.wait.
    template <typename Rep, typename Period>
    [[nodiscard]] bool wait_for(std::chrono::duration<Rep, Period> timeout) const {
        return wait_within(detail::saturated(timeout));
    }
    template <typename Clock, typename Duration>
    [[nodiscard]] bool wait_until(std::chrono::time_point<Clock, Duration> when) const {
        return wait_within(detail::left_until(when));
    }

  private:
    bool wait_within(detail::Timeout timeout) const;
};

}  // namespace muster
