// What the bodies of Queue and of Leased share.
#pragma once

#include "handles/object_state.hpp"

namespace muster::detail {

// Which of a queue's wait points is for what.
inline constexpr std::size_t items_point = 0, room_point = 1, tasks_point = 2;

inline containers::Queue queue_of(const ObjectState& state) { return {state.segment(), state.ref}; }
inline sync::WaitPoint point_of(const ObjectState& state, std::size_t which) {
    return sync::WaitPoint(state.object().wait_points[which]);
}

// This process, as leases name their owner.
std::uint64_t lease_owner(session::Session& session);
// Gives back what dead processes have leased of it. For those who wait: the service does so as soon as it hears.
void return_dead_leases(const ObjectState& state);
[[noreturn]] inline void throw_uncomparable(const ObjectState& state, const char* operation) {
    throw Error(Errc::value_error, operation, state.subject(), "a priority queue takes what compares with all that is in it");
}
// Somebody has settled a lease, or its queue's size or tasks may have changed in every way.
void tell_all(const ObjectState& state);

}  // namespace muster::detail
