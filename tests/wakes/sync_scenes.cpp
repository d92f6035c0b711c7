// Those who set, release, arrive, notify and abort, at events, semaphores, barriers and conditions.
#include "wakes/sync_scenes.hpp"

namespace muster::test {
namespace {

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

Semaphore none_free(World& world, const std::string& name, bool bounded) {
    return bounded ? world.manager.bounded_semaphore(name, 3) : world.manager.semaphore(name, 0);
}

Scene release_wakes_acquire(std::int64_t permits, bool bounded) {
    return {"a release of " + std::to_string(permits) + " lets on an acquire" + (bounded ? ", bounded" : ""),
            [permits, bounded](World& world, const std::string& name) {
                Semaphore semaphore = none_free(world, name, bounded);
                for (int i = 0; bounded && i < 3; ++i) semaphore.acquire();
                Image image;
                image.prepare = [&world] { (void)world.realm.session().id(); };
                image.operation = [semaphore, permits]() mutable { semaphore.release(permits); };
                image.may_sleep = [&world, &rep = root<sync::SemaphoreRep>(world, name)] {
                    const std::uint64_t first = rep.line.head;
                    return rep.value == 0 && first != 0 && world.segment().block<sync::WaiterRep>(first)->state == 0;
                };
                image.let_on = [semaphore]() mutable { semaphore.release(); };
                return image;
            }, [bounded](World& world, const std::string& name) { none_free(world, name, bounded).acquire(); }};
}

Semaphore one_free(World& world, const std::string& name, bool bounded) {
    return bounded ? world.manager.bounded_semaphore(name, 1) : world.manager.semaphore(name, 1);
}

Scene death_wakes_acquire(bool bounded) {
    return {std::string("a holder's death lets on an acquire") + (bounded ? ", bounded" : ""),
            [bounded](World& world, const std::string& name) {
                Semaphore semaphore = one_free(world, name, bounded);
                Image image;
                image.prepare = [&world] { (void)world.realm.session().slot(); };
                image.operation = [semaphore]() mutable { semaphore.acquire(); };
                return image;
            }, [bounded](World& world, const std::string& name) { one_free(world, name, bounded).acquire(); }, true};
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
                image.words = {point(world, name), inner_word(world.object(name))};
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
                image.words = {point(world, name), inner_word(world.object(name))};
                return image;
            }, pass_there};
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

// The condition's lock goes on when the one who notified dies with it.
Scene death_wakes_wait() {
    return {"the death of who notified and has the lock lets on a condition's wait",
            [](World& world, const std::string& name) {
                Condition condition = world.manager.condition(name);
                Image image;
                image.prepare = [condition]() mutable { condition.lock(); };
                image.operation = [condition]() mutable { condition.notify(); };
                image.may_sleep = not_notified(world, name, 1);
                image.let_on = [condition] { notify_condition(condition, 9); };
                return image;
            }, [](World& world, const std::string& name) { wait_on_condition(world.manager.condition(name)); }};
}

// Whoever sleeps on a word of its own is told at once, as those are who sleep on the object's.
Scene erase_wakes(const std::string& what, std::function<void(World&, const std::string&)> make,
                  std::function<void(World&, const std::string&)> sleep) {
    return {"an erase lets on " + what, [make](World& world, const std::string& name) {
                make(world, name);
                Image image;
                erase_image(world, name, image);
                return image;
            }, [sleep](World& world, const std::string& name) { expect(Errc::destroyed, [&] { sleep(world, name); }); }};
}

}  // namespace

std::vector<Scene> sync_waker_scenes() {
    using P = Primitive;
    const auto acquire = [](World& world, const std::string& name) { world.manager.semaphore(name, 0).acquire(); };
    const auto await_event = [](World& world, const std::string& name) { world.manager.event(name).wait(); };
    const auto await_notice = [](World& world, const std::string& name) { wait_on_condition(world.manager.condition(name)); };
    const auto semaphore = [](World& world, const std::string& name) { (void)world.manager.semaphore(name, 0); };
    const auto event = [](World& world, const std::string& name) { (void)world.manager.event(name); };
    const auto condition = [](World& world, const std::string& name) { (void)world.manager.condition(name); };
    const auto barrier = [](World& world, const std::string& name) { (void)world.manager.barrier(name, 2); };
    return {as(P::event, Role::waker, set_wakes_wait()),
            as(P::event, Role::waker, flicker_wakes_wait()),
            as(P::event, Role::waker, erase_wakes("an event's wait", event, await_event)),
            as(P::semaphore, Role::waker, release_wakes_acquire(1, false)),
            as(P::semaphore, Role::waker, release_wakes_acquire(3, false)),
            as(P::semaphore, Role::waker, erase_wakes("an acquire", semaphore, acquire)),
            as(P::semaphore, Role::holder, death_wakes_acquire(false)),
            as(P::bounded, Role::waker, release_wakes_acquire(2, true)),
            as(P::bounded, Role::holder, death_wakes_acquire(true)),
            as(P::condition, Role::waker, notify_wakes_wait(1)),
            as(P::condition, Role::waker, notify_wakes_wait(5)),
            as(P::condition, Role::waker, erase_wakes("a condition's wait", condition, await_notice)),
            as(P::condition, Role::holder, death_wakes_wait()),
            as(P::barrier, Role::waker, arrival_wakes_barrier(false)),
            as(P::barrier, Role::holder, arrival_wakes_barrier(true)),  // the one who has the action
            as(P::barrier, Role::waker, breaking_wakes_barrier("an abort", [](Barrier& b) { b.abort(); })),
            as(P::barrier, Role::waker, breaking_wakes_barrier("a reset", [](Barrier& b) { b.reset(); b.abort(); })),
            as(P::barrier, Role::waker, erase_wakes("a barrier's wait", barrier, pass_there))};
}

}  // namespace muster::test
