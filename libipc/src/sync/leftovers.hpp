// What a session leaves behind in the objects that keep records of who waits and who has what, when it ends or dies: its
// permits, its places in lines. Each object by itself, so every step may be repeated.
// Thread safety: takes the objects' locks, one at a time.
#pragma once

#include "sync/line.hpp"

namespace muster::sync {

constexpr bool keeps_records(heap::Kind kind) noexcept {
    return kind == heap::Kind::semaphore || kind == heap::Kind::barrier || kind == heap::Kind::condition;
}

// Of one object, of such a kind: the session has nothing there any more, and those concerned are woken. Before the session
// is freed. Returns how many permits came back. Throws heap::Destroyed, tx::Busy, segment::Damage.
std::uint64_t drop_session(const Segment& segment, heap::ObjectRef ref, heap::Kind kind, SessionId session,
                           base::Deadline deadline);

}  // namespace muster::sync
