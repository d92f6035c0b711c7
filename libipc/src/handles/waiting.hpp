// How the blocking calls of queues and pipes wait: look, spin a little, sleep on a wait point in slices (I9).
#pragma once

#include <chrono>

#include "base/spin.hpp"
#include "handles/object_state.hpp"

namespace muster::detail {

inline void check_timeout(const ObjectState& state, const char* operation, Timeout timeout) {
    if (timeout && *timeout < std::chrono::nanoseconds::zero())
        throw Error(Errc::invalid_argument, operation, state.subject(), "the timeout is negative");
}

// Repeats `attempt` until it is true, sleeping on `word`, a wait point, in between. False: the time ran out. `look_around`
// is called about once in a slice and before giving up: who waits cannot rely on the service to mend what the dead left.
template <typename Attempt, typename Blocked, typename LookAround>
bool wait_on_word(const ObjectState& state, std::uint32_t& word, base::Deadline deadline, Attempt&& try_it,
                  Blocked&& looks_blocked, LookAround&& look_around) {
    const auto attempt = [&] { return within(deadline, try_it); };
    if (attempt()) return true;
    if (deadline.is_now()) return false;
    base::spin_until([&] { return !looks_blocked(); });
    sync::WaitPoint wait(word);
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

// ... on one of the object's own wait points.
template <typename Attempt, typename Blocked, typename LookAround>
bool wait_until_done(const ObjectState& state, std::size_t point, Timeout timeout, Attempt&& try_it,
                     Blocked&& looks_blocked, LookAround&& look_around) {
    return wait_on_word(state, state.object().wait_points[point], base::Deadline::after(timeout), try_it, looks_blocked,
                        look_around);
}

}  // namespace muster::detail
