#include "crash/lock_states.hpp"

namespace muster::test {
namespace {

using sync::LockWord;
using sync::RecursiveLock;

// Held so often by that thread.
std::function<void(const segment::Segment&)> held(sync::SlotId holder, std::uint32_t levels, std::uint64_t marks = 0) {
    return [=](const segment::Segment& segment) {
        held_lock(heap::Kind::rlock, {})(segment);
        if (holder)
            with_lock<RecursiveLock>([&](RecursiveLock& lock) {
                (void)lock.acquire_restoring(holder, levels, base::Deadline::now(), not_destroyed);
            })(segment);
        lock_rep(segment).word |= marks;
    };
}

}  // namespace

std::vector<Operation> rlock_operations() {
    std::vector<Operation> all;
    const auto add = [&](const char* name, auto setup, auto fn) -> Operation& {
        all.push_back({name, setup, with_lock<RecursiveLock>(fn), lock_state});
        all.back().by_service = true;
        all.back().right_too = lock_freed;  // all levels go with the dead
        return all.back();
    };
    // Done again after its death, it holds one level of what it took over.
    const auto again = [](const std::string& state, const std::string& after) {
        return held_or_inherited(state, after) || state == "held by 1, inherited, waited for";
    };
    const auto acquire = [](RecursiveLock& lock) { (void)lock.acquire(dying_thread, base::Deadline::now(), not_destroyed); };
    add("rlock: acquire, a free one", held({}, 0), acquire).again_too = again;
    add("rlock: acquire, the second time", held(dying_thread, 1), acquire).again_too = again;
    add("rlock: acquire, the third time", held(dying_thread, 2), acquire).again_too = again;
    add("rlock: acquire, in vain", held(living_thread, 2), [](RecursiveLock& lock) {
        (void)lock.acquire(dying_thread, base::Deadline::after(in_vain), not_destroyed);
    }).right_too = {};
    const auto release = [](RecursiveLock& lock) { (void)lock.release(dying_thread, not_destroyed); };
    add("rlock: release, the last level", held(dying_thread, 1), release);
    add("rlock: release, one of two levels", held(dying_thread, 2), release).again_too = lock_freed;
    add("rlock: release, the last level and somebody sleeps", held(dying_thread, 1, LockWord::waiters), release).sleeps_on =
        lock_futex;
    const auto release_all = [](RecursiveLock& lock) { (void)lock.release_all(dying_thread); };
    add("rlock: release_all, of three levels", held(dying_thread, 3), release_all);
    add("rlock: release_all, somebody sleeps", held(dying_thread, 3, LockWord::waiters), release_all).sleeps_on = lock_futex;
    add("rlock: acquire_restoring, three levels", held({}, 0), [](RecursiveLock& lock) {
        (void)lock.acquire_restoring(dying_thread, 3, base::Deadline::now(), not_destroyed);
    }).again_too = [](const std::string& state, const std::string& after) {
        return state == after || state == "held by 1, 3 levels, inherited";
    };
    return all;
}

}  // namespace muster::test
