// Those who set, release, arrive and abort, and those who wait for it, at events, semaphores and barriers.
#include "sync/sync.hpp"

#include "wakes/world.hpp"

namespace muster::test {
namespace {

template <typename Root>
const Root& root(World& world, const std::string& name) {
    return heap::root_of<Root>(world.object(name));
}
const void* point(World& world, const std::string& name) { return &world.object(name).wait_points[0]; }
const void* inner_word(World& world, const std::string& name) { return &world.object(name).domain.mutex; }

// Through, or told that the barrier is broken.
void pass(Barrier barrier) {
    try {
        (void)barrier.wait();
    } catch (const Error& error) {
        if (error.errc() != Errc::broken_barrier) throw;
    }
}
void pass_there(World& world, const std::string& name) { pass(world.manager.barrier(name, 2)); }

Scene set_wakes_wait() {
    return {"a set lets on a wait", [](World& world, const std::string& name) {
                Event event = world.manager.event(name);
                Image image;
                image.operation = [event]() mutable { event.set(); };
                image.may_sleep = [&rep = root<sync::EventRep>(world, name)] { return rep.word == 0; };
                image.let_on = image.operation;
                image.words = {point(world, name)};
                return image;
            }, [](World& world, const std::string& name) { world.manager.event(name).wait(); }};
}

Scene flicker_wakes_wait() {
    return {"a set and a clear at once let on a wait", [](World& world, const std::string& name) {
                Event event = world.manager.event(name);
                Image image;
                image.operation = [event]() mutable {
                    event.set();
                    event.clear();
                };
                image.may_sleep = [&rep = root<sync::EventRep>(world, name)] { return rep.word == 0; };
                image.let_on = [event]() mutable { event.set(); };
                image.words = {point(world, name)};
                return image;
            }, [](World& world, const std::string& name) { world.manager.event(name).wait(); }};
}

Scene release_wakes_acquire(std::int64_t permits) {
    return {"a release of " + std::to_string(permits) + " lets on an acquire",
            [permits](World& world, const std::string& name) {
                Semaphore semaphore = world.manager.semaphore(name, 0);
                Image image;
                image.prepare = [&world] { (void)world.realm.session().id(); };
                image.operation = [semaphore, permits]() mutable { semaphore.release(permits); };
                image.may_sleep = [&world, &rep = root<sync::SemaphoreRep>(world, name)] {
                    const std::uint64_t first = rep.line.head;
                    return rep.value == 0 && first != 0 && world.segment().block<sync::WaiterRep>(first)->state == 0;
                };
                image.let_on = [semaphore]() mutable { semaphore.release(); };
                return image;
            }, [](World& world, const std::string& name) { world.manager.semaphore(name, 0).acquire(); }};
}

Scene death_wakes_acquire() {
    return {"a holder's death lets on an acquire", [](World& world, const std::string& name) {
                Semaphore semaphore = world.manager.semaphore(name, 1);
                Image image;
                image.prepare = [&world] { (void)world.realm.session().slot(); };
                image.operation = [semaphore]() mutable { semaphore.acquire(); };
                return image;
            }, [](World& world, const std::string& name) { world.manager.semaphore(name, 1).acquire(); }, true};
}

Scene arrival_wakes_barrier(bool with_action) {
    Scene scene{std::string("the last to arrive") + (with_action ? ", with an action," : "") + " lets on a barrier's wait",
            [with_action](World& world, const std::string& name) {
                Barrier barrier = world.manager.barrier(name, 2);
                Barrier acting = barrier;
                if (with_action) acting.set_action([] {});
                Image image;
                image.prepare = [&world] { (void)world.realm.session().slot(); };
                image.operation = [acting] { pass(acting); };
                image.may_sleep = [&rep = root<sync::BarrierRep>(world, name)] {
                    return rep.released == 0 && rep.phase == 0;
                };
                image.let_on = [barrier] { pass(barrier); };
                image.words = {point(world, name), inner_word(world, name)};
                return image;
            }, pass_there};
    scene.together = true;
    return scene;
}

Scene breaking_wakes_barrier(const std::string& what, std::function<void(Barrier&)> breaks) {
    return {what + " lets on a barrier's wait", [breaks](World& world, const std::string& name) {
                Barrier barrier = world.manager.barrier(name, 2);
                Image image;
                image.operation = [barrier, breaks]() mutable { breaks(barrier); };
                image.may_sleep = [&rep = root<sync::BarrierRep>(world, name)] { return rep.phase == 0; };
                image.let_on = image.operation;
                image.words = {point(world, name), inner_word(world, name)};
                return image;
            }, pass_there};
}

auto not_notified(World& world, const std::string& name, std::uint64_t waiters) {
    return [&world, &rep = root<sync::ConditionRep>(world, name), waiters] {
        const std::uint64_t first = rep.line.head;
        return rep.line.count == waiters && first != 0 && rep.all_through == 0 &&
               world.segment().block<sync::WaiterRep>(first)->state == 0;
    };
}
void wait_on_condition(Condition condition) {
    const std::scoped_lock hold(condition);
    condition.wait();
}
void notify_condition(Condition condition, std::int64_t count) {
    const std::scoped_lock hold(condition);
    condition.notify(count);
}

Scene notify_wakes_wait(std::int64_t count) {
    return {"a notify of " + std::to_string(count) + " lets on a condition's wait",
            [count](World& world, const std::string& name) {
                Condition condition = world.manager.condition(name);
                Image image;
                image.prepare = [&world] { (void)world.realm.session().slot(); };
                image.operation = [condition, count] { notify_condition(condition, count); };
                image.may_sleep = not_notified(world, name, 1);
                image.let_on = [condition] { notify_condition(condition, 9); };
                return image;
            }, [](World& world, const std::string& name) { wait_on_condition(world.manager.condition(name)); }};
}

// --- those who wait ---
Scene waiters_for_event() {
    Scene scene{"an event's wait", [](World& world, const std::string& name) {
                    Event event = world.manager.event(name);
                    Image image;
                    image.operation = [event] { event.wait(); };
                    image.grant = [event]() mutable { event.set(); };
                    image.words = {point(world, name)};
                    return image;
                }, [](World& world, const std::string& name) { world.manager.event(name).wait(); }};
    scene.overtaken = false;
    return scene;
}

Scene waiters_for_permit() {
    Scene scene{"an acquire", [](World& world, const std::string& name) {
                    Semaphore semaphore = world.manager.semaphore(name, 1);
                    semaphore.acquire();
                    Image image;
                    image.prepare = [&world] { (void)world.realm.session().slot(); };
                    image.operation = [semaphore]() mutable {
                        semaphore.acquire();
                        semaphore.release();
                    };
                    image.grant = [semaphore]() mutable { semaphore.release(); };
                    image.can_grant = [&rep = world.object(name)] { return at_rest(rep); };
                    return image;
                }, [](World& world, const std::string& name) {
                    Semaphore semaphore = world.manager.semaphore(name, 1);
                    semaphore.acquire();
                    semaphore.release();
                }};
    scene.overtaken = false;  // first come, first served
    return scene;
}

Scene waiters_at_barrier() {
    Scene scene{"a barrier's wait", [](World& world, const std::string& name) {
                    Barrier barrier = world.manager.barrier(name, 4);
                    Image image;
                    image.prepare = [&world] { (void)world.realm.session().slot(); };
                    image.operation = [barrier] { pass(barrier); };
                    image.grant = [barrier]() mutable { barrier.abort(); };
                    image.can_grant = [&rep = world.object(name)] { return at_rest(rep); };
                    image.words = {point(world, name)};
                    return image;
                }, [](World& world, const std::string& name) { pass(world.manager.barrier(name, 4)); }};
    scene.overtaken = false;
    return scene;
}

}  // namespace

std::vector<Scene> sync_waker_scenes() {
    return {set_wakes_wait(),
            flicker_wakes_wait(),
            release_wakes_acquire(1),
            release_wakes_acquire(3),
            death_wakes_acquire(),
            notify_wakes_wait(1),
            notify_wakes_wait(5),
            arrival_wakes_barrier(false),
            arrival_wakes_barrier(true),
            breaking_wakes_barrier("an abort", [](Barrier& barrier) { barrier.abort(); }),
            breaking_wakes_barrier("a reset", [](Barrier& barrier) { barrier.reset(); barrier.abort(); })};
}

std::vector<Scene> sync_waiter_scenes() { return {waiters_for_event(), waiters_for_permit(), waiters_at_barrier()}; }

}  // namespace muster::test
