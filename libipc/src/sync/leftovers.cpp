#include "sync/leftovers.hpp"

#include "sync/barrier.hpp"
#include "sync/condition.hpp"
#include "sync/semaphore.hpp"

namespace muster::sync {

std::uint64_t drop_session(const Segment& segment, heap::ObjectRef ref, heap::Kind kind, SessionId session,
                           base::Deadline deadline) {
    const Dead dead = [owner = owner_of(session)](std::uint64_t who) { return who == owner; };
    Woken woken;
    std::uint64_t permits = 0;
    bool all = false;
    if (kind == heap::Kind::semaphore) permits = Semaphore(segment, ref).drop_dead(dead, woken, deadline);
    if (kind == heap::Kind::condition) (void)Condition(segment, ref).drop_dead(dead, woken, deadline);
    if (kind == heap::Kind::barrier) all = Barrier(segment, ref).drop_dead(dead, deadline);
    wake(segment, woken);
    if (all)
        for (std::uint32_t& point : heap::object_at(segment, ref.id).wait_points) WaitPoint(point).notify_all();
    return permits;
}

}  // namespace muster::sync
