#include "containers/directory.hpp"
#include "crash/operations.hpp"
#include "sync/sync.hpp"

namespace muster::test {
namespace {

using segment::Segment;
using sync::LockRep;
using sync::LockWord;
using sync::Sessions;
using sync::SlotId;

LockRep& rep(const Segment& segment) { return heap::root_of<LockRep>(heap::object_at(segment, 1)); }

// fn(lock) on the lock that every one of these segments has.
template <typename Fn>
std::function<void(const Segment&)> with(Fn fn) {
    return [fn](const Segment& segment) {
        const Sessions sessions(segment);
        LockWord lock(rep(segment), sessions);
        fn(lock);
    };
}

void make(const Segment& segment) { containers::Directory(segment).open_or_create("lock", heap::Kind::lock, {}); }

// Held by that thread, or free; somebody may be asleep, or the last holder have died.
std::function<void(const Segment&)> held(SlotId holder, std::uint32_t marks = 0) {
    return [=](const Segment& segment) {
        make(segment);
        if (holder) with([&](LockWord& lock) { (void)lock.try_acquire(holder); })(segment);
        rep(segment).word |= marks;
    };
}

std::string state(const Segment& segment) {
    const std::uint32_t word = __atomic_load_n(&rep(segment).word, __ATOMIC_RELAXED);
    const Sessions sessions(segment);
    const LockWord lock(rep(segment), sessions);
    std::string text = lock.holder() ? "held by " + std::to_string(lock.holder().index()) : std::string("free");
    if (lock.holder() && lock.inherited()) text += ", inherited";
    if ((word & LockWord::died) != 0) text += ", the last holder died";
    if (lock.holder() && (word & LockWord::waiters) != 0) text += ", waited for";
    return text;
}

bool acquire(LockWord& lock, base::Deadline deadline) {
    return lock.acquire(dying_thread, deadline, [] { return false; }) == LockWord::Outcome::acquired;
}

// What the dead held is free; the next to hold it is told.
bool freed(const std::string& state, const std::string&) { return state.starts_with("free"); }
bool held_or_inherited(const std::string& state, const std::string& after) {
    return state == after || state == "held by 1, inherited";
}

}  // namespace

std::vector<Operation> lock_operations() {
    constexpr std::uint32_t waited_for = LockWord::waiters, died = LockWord::died;
    std::vector<Operation> all;
    const auto add = [&](const char* name, auto setup, auto fn) -> Operation& {
        all.push_back({name, setup, with(fn), state});
        all.back().by_service = true;
        return all.back();
    };
    const auto acquisition = [&](const char* name, auto setup, auto fn) {
        Operation& operation = add(name, setup, fn);
        operation.right_too = freed;
        operation.again_too = held_or_inherited;
    };
    const auto word = [](const Segment& segment) -> std::uint32_t& { return rep(segment).word; };
    const auto now = [](LockWord& lock) { acquire(lock, base::Deadline::now()); };
    acquisition("lock: try_acquire", held({}), [](LockWord& lock) {
        if (!lock.try_acquire(dying_thread)) acquire(lock, base::Deadline::now());  // done again: its holder died
    });
    acquisition("lock: acquire, a free one", held({}), now);
    acquisition("lock: acquire, one that others wait for", held({}, waited_for), now);
    acquisition("lock: acquire, one whose holder died", held({}, died), now);
    // Marks that it waits, and dies or gives up: the holder's release wakes one too many.
    add("lock: acquire, in vain", held(living_thread),
        [](LockWord& lock) { acquire(lock, base::Deadline::after(std::chrono::milliseconds(1))); });
    // The holder dies releasing: whatever had happened, it is free.
    const auto release = [](LockWord& lock) { lock.release(); };
    add("lock: release", held(dying_thread), release).right_too = freed;
    Operation& handed_over = add("lock: release, somebody sleeps", held(dying_thread, waited_for), release);
    handed_over.right_too = freed;
    handed_over.sleeps_on = word;
    // By a process that judged the holder dead; it may die of it like any other.
    const auto release_dead = [](LockWord& lock) { lock.release_dead(dying_thread); };
    add("lock: release_dead", held(dying_thread), release_dead).right_too = freed;
    Operation& taken_over = add("lock: release_dead, somebody sleeps", held(dying_thread, waited_for), release_dead);
    taken_over.right_too = freed;
    taken_over.sleeps_on = word;
    return all;
}

}  // namespace muster::test
