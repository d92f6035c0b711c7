// What the rows of Lock and RLock share: a segment with one such object, and what can be seen of it.
#pragma once

#include <chrono>

#include "containers/directory.hpp"
#include "crash/operations.hpp"
#include "sync/sync.hpp"

namespace muster::test {

inline constexpr heap::ObjectRef the_lock{1, 1};

inline sync::LockRep& lock_rep(const segment::Segment& segment, heap::ObjectRef ref = the_lock) {
    return sync::lock_rep(heap::object_at(segment, ref.id));
}
inline std::uint32_t& lock_futex(const segment::Segment& segment) {
    return *sync::futex_of(lock_rep(segment));
}
inline bool not_destroyed() noexcept { return false; }
// How long those wait who wait in vain: until they sleep, they do so step by step, and slowly where each step is checked.
inline constexpr std::chrono::milliseconds in_vain{500};

// fn(lock) on the lock that every one of these segments has.
template <typename Lock, typename Fn>
std::function<void(const segment::Segment&)> with_lock(Fn fn) {
    return [fn](const segment::Segment& segment) {
        const sync::Sessions sessions(segment);
        Lock lock(segment, sessions, the_lock);
        fn(lock);
    };
}

// Held by that thread, or free; and marks that its word has.
inline std::function<void(const segment::Segment&)> held_lock(heap::Kind kind, sync::SlotId holder, std::uint64_t marks = 0) {
    return [=](const segment::Segment& segment) {
        containers::Directory(segment).open_or_create("lock", kind, {});
        if (holder)
            with_lock<sync::LockWord>([&](sync::LockWord& lock) { (void)lock.acquire(holder, base::Deadline::now(), not_destroyed); })(
                segment);
        lock_rep(segment).word |= marks;
    };
}

inline std::string lock_state(const segment::Segment& segment) {
    using sync::LockWord;
    const std::uint64_t word = __atomic_load_n(&lock_rep(segment).word, __ATOMIC_RELAXED);
    const sync::Sessions sessions(segment);
    const sync::RecursiveLock lock(segment, sessions, the_lock);
    const bool held = static_cast<bool>(lock.holder());
    std::string text = held ? "held by " + std::to_string(lock.holder().index()) : std::string("free");
    if (held && lock.levels() > 1) text += ", " + std::to_string(lock.levels()) + " levels";
    if (held && lock.inherited()) text += ", inherited";
    if ((word & LockWord::ended) != 0) text += ", the last hold did not end by itself";
    if (!held && word % (std::uint64_t{1} << sync::SlotId::bits) != 0) text += ", and its holder is named";
    if (held && lock.waited_for()) text += ", waited for";
    if (lock.broken_for(living_thread)) text += ", 0 is to be told";
    return text;
}

// What the dead held is free; the next to hold it is told.
inline bool lock_freed(const std::string& state, const std::string&) { return state.starts_with("free"); }
inline bool held_or_inherited(const std::string& state, const std::string& after) {
    return state == after || state == "held by 1, inherited";
}

}  // namespace muster::test
