// Which objects are locks that somebody can hold and wait for. A condition that was given no lock is an RLock, too: who waits
// for that, and not for a notification, publishes that it waits for an rlock (sync/wait_graph.hpp). A value and an array have
// one of their own.
#pragma once

#include "heap/heap.hpp"

namespace muster::sync {

// As who waits for it publishes it. none: it is no lock.
constexpr heap::Kind lock_kind(heap::Kind kind) noexcept {
    if (kind == heap::Kind::condition || kind == heap::Kind::value || kind == heap::Kind::array) return heap::Kind::rlock;
    return kind == heap::Kind::lock || kind == heap::Kind::rlock ? kind : heap::Kind::none;
}

}  // namespace muster::sync
