#include "crash/lock_states.hpp"

namespace muster::test {
namespace {

using segment::Segment;
using sync::LockWord;

}  // namespace

std::vector<Operation> lock_operations() {
    constexpr std::uint64_t waited_for = LockWord::waiters, ended = LockWord::ended, handover = LockWord::handover;
    std::vector<Operation> all;
    const auto held = [](sync::SlotId holder, std::uint64_t marks = 0) {
        return held_lock(heap::Kind::lock, holder, marks);
    };
    const auto add = [&](const char* name, auto setup, auto fn) -> Operation& {
        all.push_back({name, setup, with_lock<LockWord>(fn), lock_state});
        all.back().by_service = true;
        return all.back();
    };
    const auto acquisition = [&](const char* name, auto setup, auto fn) {
        Operation& operation = add(name, setup, fn);
        operation.right_too = lock_freed;
        operation.again_too = held_or_inherited;
    };
    const auto now = [](LockWord& lock) { (void)lock.acquire(dying_thread, base::Deadline::now(), not_destroyed); };
    // After a death it is not this one's any more: who inherits is told so by acquire.
    Operation& free_one = add("lock: take_free", held({}),
        [](LockWord& lock) { (void)lock.take_free(dying_thread, not_destroyed); });
    free_one.right_too = lock_freed;
    free_one.again_too = [](const std::string& state, const std::string& after) {
        return state == after || state == "free, the last hold did not end by itself";
    };
    acquisition("lock: acquire, a free one", held({}), now);
    acquisition("lock: acquire, one that others wait for", held({}, waited_for), now);
    acquisition("lock: acquire, one whose holder died", held({}, ended), now);
    acquisition("lock: acquire, one that is handed over", held({}, waited_for | handover), now);
    acquisition("lock: acquire, one whose hold was broken", held(living_thread, ended), now);
    // Marks that it waits, and dies or gives up: the holder's release wakes one too many.
    add("lock: acquire, in vain", held(living_thread),
        [](LockWord& lock) { (void)lock.acquire(dying_thread, base::Deadline::after(in_vain), not_destroyed); });
    // The holder dies releasing: whatever had happened, it is free.
    const auto release = [](LockWord& lock) { (void)lock.release(dying_thread, not_destroyed); };
    add("lock: release_own", held(dying_thread),
        [](LockWord& lock) { (void)lock.release_own(dying_thread, not_destroyed); }).right_too =
        lock_freed;
    add("lock: release", held(dying_thread), release).right_too = lock_freed;
    const auto woken = [&](const char* name, auto setup, auto fn) {
        Operation& operation = add(name, setup, fn);
        operation.right_too = lock_freed;
        operation.sleeps_on = lock_futex;
    };
    woken("lock: release, somebody sleeps", held(dying_thread, waited_for), release);
    woken("lock: release, somebody has slept for long", held(dying_thread, waited_for | handover), release);
    woken("lock: release, another's", held(living_thread, waited_for), release);
    add("lock: release, the hold was broken", held(dying_thread, ended), release).right_too = lock_freed;
    // By a process that judged the holder dead; it may die of it like any other.
    const auto release_dead = [](LockWord& lock) { lock.release_dead(dying_thread); };
    add("lock: release_dead", held(dying_thread), release_dead).right_too = lock_freed;
    woken("lock: release_dead, somebody sleeps", held(dying_thread, waited_for), release_dead);
    const auto break_hold = [](LockWord& lock) { lock.break_hold(not_destroyed); };
    add("lock: break_hold", held(living_thread), break_hold);
    woken("lock: break_hold, somebody sleeps", held(living_thread, waited_for), break_hold);
    return all;
}

}  // namespace muster::test
