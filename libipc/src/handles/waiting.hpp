// How the blocking calls of queues and pipes wait: look, spin a little, sleep on a wait point in slices (I9).
#pragma once

#include <chrono>
#include <thread>

#include "handles/object_state.hpp"

namespace muster::detail {

inline void check_timeout(const ObjectState& state, const char* operation, Timeout timeout) {
    if (timeout && *timeout < std::chrono::nanoseconds::zero())
        throw Error(Errc::invalid_argument, operation, state.subject(), "the timeout is negative");
}

inline bool several_cores() noexcept {
    static const bool several = std::thread::hardware_concurrency() > 1;
    return several;
}

// Looks before going to sleep, when another core could be at work on it: a fraction of what a wake-up costs.
inline constexpr int spins = 200;

// Repeats `attempt` until it is true, sleeping on the wait point in between. False: the time ran out. `look_around` is
// called about once in a slice and before giving up: who waits cannot rely on the service to mend what the dead left.
template <typename Attempt, typename Blocked, typename LookAround>
bool wait_until_done(const ObjectState& state, std::size_t point, Timeout timeout, Attempt&& try_it,
                     Blocked&& looks_blocked, LookAround&& look_around) {
    const base::Deadline deadline =
        !timeout ? base::Deadline::never() : base::Deadline::after(std::chrono::nanoseconds(*timeout));
    const auto attempt = [&] { return within(deadline, try_it); };
    if (attempt()) return true;
    if (deadline.is_now()) return false;
    for (int i = 0; several_cores() && i < spins && looks_blocked(); ++i) tx::relax();
    sync::WaitPoint wait(state.object().wait_points[point]);
    auto looked = std::chrono::steady_clock::now();
    for (;;) {
        const std::uint32_t announced = wait.announce();
        if (attempt()) return true;
        const bool passed = deadline.passed();
        if (passed || std::chrono::steady_clock::now() - looked >= sync::wait_slice) {
            within(deadline, look_around);
            if (passed) return attempt();
            if (attempt()) return true;
            looked = std::chrono::steady_clock::now();
        }
        wait.sleep(announced, deadline);
        if (state.destroyed()) throw heap::Destroyed{};
    }
}

}  // namespace muster::detail
