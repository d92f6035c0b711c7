// Events, semaphores and barriers: what is kept of who waits and who has what.
#include "sync/sync.hpp"

#include "crash/subject.hpp"

namespace muster::test {
namespace {

using heap::Kind;
using heap::ObjectRep;
using segment::Segment;
using sync::Barrier;
using sync::Condition;
using sync::Event;
using sync::Semaphore;
using sync::Waiter;
using Setup = std::function<void(const Segment&)>;

const std::uint64_t living_owner = sync::owner_of(living), dying_owner = sync::owner_of(dying);
const std::uint64_t former_owner = sync::owner_of({living.index, 77});
bool nobody(std::uint64_t) { return false; }
bool the_other(std::uint64_t owner) { return owner == dying_owner; }

// The threads, waiting.
Waiter thread(const Segment& segment, bool of_dying = false) {
    const sync::SlotId slot = of_dying ? dying_thread : living_thread;
    sync::slot_at(segment, slot).reserved[sync::slot_wait_number] = 5;
    return {slot, of_dying ? dying_owner : living_owner, 5};
}
void waits_no_more(const Segment& segment) {
    sync::slot_at(segment, living_thread).reserved[sync::slot_wait_number] = 6;
}
std::uint32_t& word_of_living(const Segment& segment) { return sync::sleep_word(segment, living_thread.index()); }
std::uint32_t& point(const Segment& segment) { return heap::object_at(segment, subject.id).wait_points[0]; }

template <typename... Steps>
Setup made_object(Kind kind, containers::Directory::Init init, Steps... steps) {
    return [=](const Segment& segment) {
        containers::Directory(segment).open_or_create("subject", kind, init);
        (steps(segment), ...);
    };
}
template <typename Root>
Root& root(const Segment& segment) {
    return heap::root_of<Root>(heap::object_at(segment, subject.id));
}
std::string line_text(const Segment& segment, sync::LineRep& rep) {
    std::string text;
    const sync::Line line(segment, rep);
    line.for_each([&](std::uint64_t, const sync::WaiterRep& record) {
        text += ", " + std::to_string(record.slot.get() & 15) + " has " + std::to_string(record.state) + " " +
                std::to_string(record.data);
        return false;
    });
    return text;
}
std::uint64_t first_place(sync::LineRep& rep) { return rep.head; }

// --- events ---
std::string event_text(const Segment& segment) {
    { const heap::ObjectLock whole(segment, subject); }
    return std::to_string(root<sync::EventRep>(segment).word.get());
}
Setup event(bool is_set, bool waited_for) {
    return made_object(Kind::event, {}, [=](const Segment& s) {
        if (is_set) Event(s, subject).set();
        if (waited_for) (void)sync::WaitPoint(point(s)).announce();
    });
}

// --- semaphores ---
Semaphore semaphore(const Segment& segment) { return {segment, subject}; }
std::string semaphore_text(const Segment& segment) {
    const heap::ObjectLock whole(segment, subject);
    auto& rep = root<sync::SemaphoreRep>(segment);
    std::string text = std::to_string(rep.value) + " free, " + std::to_string(rep.disowned) + " disowned";
    for (const auto& block : rep.shares)
        if (block != 0)
            for (std::uint64_t i = 0; i < sync::sessions_of_a_share; ++i)
                if (const std::uint64_t word = segment.block<tx::Cell<std::uint64_t>>(block, i + 1)[i]; word != 0)
                    text += ", " + std::to_string(i) + "/" + std::to_string(word >> 32) + " has " + std::to_string(word & 0xffff'ffff);
    return text + line_text(segment, rep.line);
}
template <typename... Steps>
Setup permits(std::uint64_t value, bool bounded, Steps... steps) {
    return made_object(Kind::semaphore, [=](ObjectRep& object) { Semaphore::init(object, value, bounded); }, steps...);
}
auto taken_by(std::uint64_t owner) {
    return [=](const Segment& s) { semaphore(s).try_acquire(owner); };
}
void in_line(const Segment& s) { (void)semaphore(s).enter(thread(s)); }
void dying_in_line(const Segment& s) { (void)semaphore(s).enter(thread(s, true)); }
void sleeps(const Segment& s) { (void)sync::WaitPoint(word_of_living(s)).announce(); }
void release(const Segment& s, std::uint64_t owner, std::uint64_t count) {
    sync::Woken woken;
    semaphore(s).release(owner, count, woken);
    sync::wake(s, woken);
}
// As a release whose permits are there already, or not.
void release_once(const Segment& s) {
    sync::Woken woken;
    auto& rep = root<sync::SemaphoreRep>(s);
    if (rep.value == 0 && rep.line.count != 0 && semaphore(s).held(living_owner) == 0)
        semaphore(s).release(living_owner, 1, woken);
    semaphore(s).drop_dead(nobody, woken);
    sync::wake(s, woken);
}
void drop(const Segment& s, bool (*dead)(std::uint64_t)) {
    sync::Woken woken;
    semaphore(s).drop_dead(dead, woken);
    sync::wake(s, woken);
}
std::uint64_t semaphore_place(const Segment& s) { return first_place(root<sync::SemaphoreRep>(s).line); }

// --- barriers ---
Barrier barrier(const Segment& segment) { return {segment, subject}; }
std::string barrier_text(const Segment& segment) {
    const heap::ObjectLock whole(segment, subject);
    auto& rep = root<sync::BarrierRep>(segment);
    return "phase " + std::to_string(rep.phase) + ", round " + std::to_string(rep.round) + " after " +
           std::to_string(rep.released) + ", run " + std::to_string(rep.run) + line_text(segment, rep.line);
}
template <typename... Steps>
Setup parties(std::uint64_t count, Steps... steps) {
    return made_object(Kind::barrier, [=](ObjectRep& object) { Barrier::init(object, count, 0); }, steps...);
}
void come(const Segment& s) { (void)barrier(s).arrive(thread(s), false, true); }
void dying_comes(const Segment& s) { (void)barrier(s).arrive(thread(s, true), false, true); }
void dying_acts(const Segment& s) { (void)barrier(s).arrive(thread(s, true), true, true); }
void somebody_sleeps(const Segment& s) { (void)sync::WaitPoint(point(s)).announce(); }
void notify(const Segment& s) { sync::WaitPoint(point(s)).notify_all(); }
std::uint64_t barrier_place(const Segment& s) { return first_place(root<sync::BarrierRep>(s).line); }

// --- conditions ---
Condition condition(const Segment& segment) { return {segment, subject}; }
std::string condition_text(const Segment& segment) {
    const heap::ObjectLock whole(segment, subject);
    auto& rep = root<sync::ConditionRep>(segment);
    return "all through " + std::to_string(rep.all_through) + line_text(segment, rep.line);
}
template <typename... Steps>
Setup with_waiters(Steps... steps) {
    return made_object(Kind::condition, [](ObjectRep& object) { Condition::init(object, {}); }, steps...);
}
void wait_there(const Segment& s) { (void)condition(s).enter(thread(s)); }
void dying_waits(const Segment& s) { (void)condition(s).enter(thread(s, true)); }
auto notify_of(std::uint64_t count) {
    return [=](const Segment& s) {
        sync::Woken woken;
        condition(s).notify(count, woken);
        sync::wake(s, woken);
    };
}
std::uint64_t condition_place(const Segment& s) { return first_place(root<sync::ConditionRep>(s).line); }

}  // namespace

std::vector<Operation> sync_operations() {
    std::vector<Operation> all;
    auto text = event_text;
    const auto add = [&](const char* name, Setup setup, auto run) -> Operation& {
        all.push_back({name, std::move(setup), run, text});
        return all.back();
    };
    add("event: set", event(false, false), [](const Segment& s) { Event(s, subject).set(); });
    add("event: set, somebody waits", event(false, true), [](const Segment& s) {
        Event(s, subject).set();
        notify(s);
    }).sleeps_on = point;
    add("event: clear", event(true, false), [](const Segment& s) { Event(s, subject).clear(); });

    text = semaphore_text;
    add("semaphore: try_acquire, the first", permits(2, true), taken_by(living_owner));
    add("semaphore: try_acquire, after a former session", permits(2, true, taken_by(former_owner)), taken_by(living_owner));
    add("semaphore: enter, a free permit", permits(1, false), in_line);
    add("semaphore: enter, a line", permits(1, false, taken_by(former_owner)), [](const Segment& s) {
        if (root<sync::SemaphoreRep>(s).line.count == 0) in_line(s);
    });
    add("semaphore: claim", permits(0, false, in_line, [](const Segment& s) { release(s, living_owner, 1); }),
        [](const Segment& s) { semaphore(s).claim(semaphore_place(s), thread(s)); });
    add("semaphore: leave, the first of two", permits(0, false, in_line, in_line),
        [](const Segment& s) { semaphore(s).leave(semaphore_place(s), thread(s)); });
    Operation& gives_up = add("semaphore: give_up, one that was granted",
                              permits(0, false, in_line, in_line, [](const Segment& s) { release(s, living_owner, 1); }),
                              [](const Segment& s) {
                                  sync::Woken woken;
                                  if (root<sync::SemaphoreRep>(s).line.count == 2)
                                      semaphore(s).give_up(semaphore_place(s), thread(s), woken);
                                  else
                                      drop(s, nobody);
                              });
    gives_up.in_steps = true;
    add("semaphore: release, one's own", permits(3, true, taken_by(living_owner), taken_by(living_owner)),
        [](const Segment& s) { release(s, living_owner, 2); });
    add("semaphore: release, of everybody",
        permits(4, true, taken_by(living_owner), taken_by(former_owner), taken_by(dying_owner)),
        [](const Segment& s) { release(s, living_owner, root<sync::SemaphoreRep>(s).bound - semaphore(s).value()); })
        .service_too = false;  // which gives back the dying one's
    Operation& wakes = add("semaphore: release, somebody waits", permits(0, false, in_line, sleeps), release_once);
    wakes.sleeps_on = word_of_living;
    wakes.in_steps = true;
    add("semaphore: disown", permits(2, true, taken_by(living_owner), taken_by(living_owner)),
        [](const Segment& s) { semaphore(s).disown(living_owner, 1); });
    Operation& holder = add("semaphore: drop_dead, a holder, and somebody waits",
                            permits(1, false, taken_by(dying_owner), in_line), [](const Segment& s) { drop(s, the_other); });
    holder.in_steps = true;
    add("semaphore: drop_dead, who waits first", permits(1, true, taken_by(former_owner), dying_in_line, in_line),
        [](const Segment& s) { drop(s, the_other); });
    add("semaphore: drop_dead, a thread that went with a permit",
        permits(0, false, in_line, [](const Segment& s) { release(s, living_owner, 1); }, waits_no_more),
        [](const Segment& s) { drop(s, nobody); });

    text = condition_text;
    add("condition: enter", with_waiters(wait_there), [](const Segment& s) {
        if (root<sync::ConditionRep>(s).line.count == 1) wait_there(s);
    });
    add("condition: leave", with_waiters(wait_there, wait_there), [](const Segment& s) {
        if (root<sync::ConditionRep>(s).line.count == 2) condition(s).leave(condition_place(s), thread(s));
    });
    add("condition: give_up, one that was notified", with_waiters(wait_there, wait_there, notify_of(1)),
        [](const Segment& s) {
            sync::Woken woken;
            if (root<sync::ConditionRep>(s).line.count == 2) condition(s).give_up(condition_place(s), thread(s), woken);
        });
    add("condition: notify, one of two", with_waiters(wait_there, wait_there, sleeps), [](const Segment& s) {
        if (!condition(s).notified(condition_place(s), thread(s))) notify_of(1)(s);
        else sync::wake(s, {living_thread.index()});
    }).sleeps_on = word_of_living;
    add("condition: notify, all", with_waiters(wait_there, wait_there, sleeps), [](const Segment& s) {
        notify_of(7)(s);
        sync::wake(s, {living_thread.index()});
    }).sleeps_on = word_of_living;
    add("condition: drop_dead, one that was notified", with_waiters(dying_waits, wait_there, wait_there, notify_of(1)),
        [](const Segment& s) {
            sync::Woken woken;
            condition(s).drop_dead(the_other, woken);
        });
    text = barrier_text;
    add("barrier: arrive, the first", parties(3), [](const Segment& s) {
        if (root<sync::BarrierRep>(s).line.count == 0) come(s);
    });
    add("barrier: arrive, the last, somebody sleeps", parties(2, come, somebody_sleeps), [](const Segment& s) {
        if (root<sync::BarrierRep>(s).released == 0) (void)barrier(s).arrive(thread(s), false, true);
        notify(s);
    }).sleeps_on = point;
    add("barrier: arrive, the last with an action", parties(2, come),
        [](const Segment& s) { (void)barrier(s).arrive(thread(s), true, true); });
    add("barrier: finish", parties(2, come, [](const Segment& s) { (void)barrier(s).arrive(thread(s), true, true); }),
        [](const Segment& s) { barrier(s).finish(1); });
    add("barrier: look, the last to leave", parties(2, come, come),
        [](const Segment& s) { barrier(s).look(barrier_place(s), thread(s)); });
    add("barrier: give_up", parties(3, come, come),
        [](const Segment& s) { barrier(s).give_up(barrier_place(s), thread(s)); });
    add("barrier: abort", parties(3, come), [](const Segment& s) { barrier(s).abort(); });
    add("barrier: reset, somebody waits", parties(3, come), [](const Segment& s) { barrier(s).reset(); });
    add("barrier: drop_dead, a waiter", parties(3, dying_comes, come), [](const Segment& s) { barrier(s).drop_dead(the_other); });
    add("barrier: drop_dead, the runner of the action", parties(2, come, dying_acts),
        [](const Segment& s) { barrier(s).drop_dead(the_other); });
    return all;
}

}  // namespace muster::test
