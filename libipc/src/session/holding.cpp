#include "session/holding.hpp"

namespace muster::session {
namespace {

std::uint32_t release_lock(const HeldObject& object, sync::SessionId session) {
    sync::LockWord lock(object.segment, object.sessions, object.ref);
    const sync::SlotId holder = lock.holder();
    return holder && object.sessions.belongs_to(holder, session) && lock.release_dead(holder) ? 1 : 0;
}

// A releaser that died before its wake left the word free and the sleeper asleep.
std::uint32_t wake_lock(const HeldObject& object) {
    return static_cast<std::uint32_t>(
        base::futex_wake(sync::LockWord(object.segment, object.sessions, object.ref).futex()));
}

constexpr Holding holdings[] = {
    {heap::Kind::lock, release_lock, wake_lock},
    {heap::Kind::rlock, release_lock, wake_lock},
    {heap::Kind::condition, release_lock, wake_lock},  // which is its own lock, unless it was given one
    {heap::Kind::value, release_lock, wake_lock},      // these have one
    {heap::Kind::array, release_lock, wake_lock},
};

}  // namespace

const Holding* holding(heap::Kind kind) noexcept {
    for (const Holding& one : holdings)
        if (one.kind == kind) return &one;
    return nullptr;
}

}  // namespace muster::session
