// What the scenes of events, semaphores, barriers and conditions share.
#pragma once

#include <mutex>

#include "sync/sync.hpp"
#include "wakes/world.hpp"

namespace muster::test {

template <typename Root>
const Root& root(World& world, const std::string& name) {
    return heap::root_of<Root>(world.object(name));
}
inline const void* point(World& world, const std::string& name) { return &world.object(name).wait_points[0]; }

// Through, or told that the barrier is broken.
inline void pass(Barrier barrier) {
    try {
        (void)barrier.wait();
    } catch (const Error& error) {
        if (error.errc() != Errc::broken_barrier) throw;
    }
}

// So many are in line, and nobody of them has been notified.
inline auto not_notified(World& world, const std::string& name, std::uint64_t waiters) {
    return [&world, name, &rep = root<sync::ConditionRep>(world, name), waiters] {
        const std::uint64_t first = rep.line.head;
        return at_rest(world.object(name)) && rep.line.count == waiters && first != 0 && rep.all_through == 0 &&
               world.segment().block<sync::WaiterRep>(first)->state == 0;
    };
}
inline void wait_on_condition(Condition condition) {
    const std::scoped_lock hold(condition);
    condition.wait();
}
inline void notify_condition(Condition condition, std::int64_t count) {
    const std::scoped_lock hold(condition);
    condition.notify(count);
}

}  // namespace muster::test
