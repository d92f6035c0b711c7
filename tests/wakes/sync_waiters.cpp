// Those who wait for an event, a permit, a notification or each other, and are killed while they go to sleep, or wake up,
// beside others who wait for the same.
#include "wakes/sync_scenes.hpp"

namespace muster::test {
namespace {

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

Semaphore open_semaphore(World& world, const std::string& name, bool bounded) {
    return bounded ? world.manager.bounded_semaphore(name, 1) : world.manager.semaphore(name, 1);
}

Scene waiters_for_permit(bool bounded) {
    Scene scene{bounded ? "an acquire, bounded" : "an acquire", [bounded](World& world, const std::string& name) {
                    Semaphore semaphore = open_semaphore(world, name, bounded);
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
                }, [bounded](World& world, const std::string& name) {
                    Semaphore semaphore = open_semaphore(world, name, bounded);
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

// A notification is for those who wait: it is given when one who lives is in line. Until it has the lock again what it
// was notified of is not its own, so the death of one in line passes it on.
Scene waiters_for_notification() {
    Scene scene{"a condition's wait", [](World& world, const std::string& name) {
                    Condition condition = world.manager.condition(name);
                    auto& rep = world.object(name);
                    const auto one_waits = [&world, ref = world.ref(name)] {
                        for (const std::uint64_t owner : sync::Condition(world.segment(), ref).owners())
                            if (sync::owner_alive(world.realm.session().sessions(), owner)) return true;
                        return false;
                    };
                    Image image;
                    image.prepare = [&world] { (void)world.realm.session().slot(); };
                    image.operation = [condition] { wait_on_condition(condition); };
                    image.grant = [condition, one_waits] {
                        if (!eventually(one_waits)) throw std::runtime_error("nobody comes to wait");
                        notify_condition(condition, 1);
                    };
                    image.can_grant = [&world, &rep, name] {
                        return at_rest(rep) && !sync::LockWord::holder_in(world.lock(name).word);
                    };
                    image.may_sleep = not_notified(world, name, 1);
                    image.let_on = [condition] { notify_condition(condition, 1); };
                    return image;
                }, [](World& world, const std::string& name) { wait_on_condition(world.manager.condition(name)); }};
    scene.overtaken = false;
    return scene;
}

}  // namespace

std::vector<Scene> sync_waiter_scenes() {
    using P = Primitive;
    return {as(P::event, Role::waiter, waiters_for_event()), as(P::semaphore, Role::waiter, waiters_for_permit(false)),
            as(P::bounded, Role::waiter, waiters_for_permit(true)), as(P::barrier, Role::waiter, waiters_at_barrier()),
            as(P::condition, Role::waiter, waiters_for_notification())};
}

}  // namespace muster::test
