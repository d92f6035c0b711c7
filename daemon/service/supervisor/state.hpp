// The life of a process, as one table of states and events that the compiler checks.
//
//            started              stop_asked
//  starting ─────────> running ─────────────> stopping
//     │  │                │ ended                │ ended
//     │  └─ start_failed  v                      v
//     │        │       exited <──────────────── exited
//     │        v
//     │      failed                 exited and failed are final.
//     └─ stop_asked ─> stopping     (the stop signal follows as soon as the process is there)
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace muster::service {

enum class State : std::uint8_t { starting, running, stopping, exited, failed };
enum class Event : std::uint8_t { started, start_failed, stop_asked, ended };

inline constexpr std::size_t state_count = 5, event_count = 4;

namespace detail {

inline constexpr std::optional<State> impossible = std::nullopt;

// Rows are states, columns are events in their order.
inline constexpr std::array<std::array<std::optional<State>, event_count>, state_count> transitions{{
    /* starting */ {State::running, State::failed, State::stopping, State::exited},
    /* running  */ {impossible, impossible, State::stopping, State::exited},
    /* stopping */ {State::stopping, State::failed, State::stopping, State::exited},
    /* exited   */ {impossible, impossible, State::exited, impossible},
    /* failed   */ {impossible, impossible, State::failed, impossible},
}};

}  // namespace detail

// The state after `event`, or nothing when that event cannot happen there.
constexpr std::optional<State> next(State state, Event event) noexcept {
    return detail::transitions[static_cast<std::size_t>(state)][static_cast<std::size_t>(event)];
}

constexpr bool is_final(State state) noexcept { return state == State::exited || state == State::failed; }

constexpr std::string_view to_string(State state) noexcept {
    constexpr std::array<std::string_view, state_count> names{"starting", "running", "stopping", "exited", "failed"};
    return names[static_cast<std::size_t>(state)];
}

namespace detail {

// A final state is left by no event, and every other one can end.
constexpr bool table_is_sound() noexcept {
    for (std::size_t s = 0; s < state_count; ++s) {
        const auto state = static_cast<State>(s);
        for (std::size_t e = 0; e < event_count; ++e) {
            const auto after = next(state, static_cast<Event>(e));
            if (is_final(state) && after && *after != state) return false;
        }
        if (!is_final(state) && next(state, Event::ended) != State::exited) return false;
        if (!next(state, Event::stop_asked)) return false;  // asking to stop is always possible
    }
    return true;
}
static_assert(table_is_sound());
static_assert(next(State::starting, Event::started) == State::running);
static_assert(next(State::starting, Event::start_failed) == State::failed);
static_assert(next(State::stopping, Event::started) == State::stopping, "a stop is not forgotten by a late start");
static_assert(!next(State::running, Event::started), "a process starts once");
static_assert(!next(State::exited, Event::ended), "a process ends once");

}  // namespace detail
}  // namespace muster::service
