// Those who wait for items, room, the end of work, a change or several things, and are killed while they go to sleep, or
// wake up, beside others who wait for the same.
#include <muster/wait_any.hpp>

#include "wakes/world.hpp"

namespace muster::test {
namespace {

Scene getters() {
    return {"a get", [](World& world, const std::string& name) {
                auto queue = world.manager.queue<int>(name);
                auto& rep = world.object(name);
                Image image;
                image.operation = [queue]() mutable { (void)queue.get(); };
                image.grant = [queue]() mutable { queue.put(1); };
                image.overtake = [queue]() mutable { return queue.try_get().has_value(); };
                image.can_grant = [&rep] { return at_rest(rep); };
                image.may_sleep = [&rep, raw = world.queue(name)] { return at_rest(rep) && raw.looks_empty(); };
                image.let_on = image.grant;
                image.words = {&rep.wait_points[0]};
                return image;
            }, [](World& world, const std::string& name) { (void)world.manager.queue<int>(name).get(); }};
}

Scene putters() {
    return {"a put", [](World& world, const std::string& name) {
                auto queue = world.manager.queue<int>(name, {.maxsize = 1});
                auto& rep = world.object(name);
                queue.put(0);
                Image image;
                image.operation = [queue]() mutable { queue.put(1); };
                image.grant = [queue]() mutable { (void)queue.get(); };
                image.overtake = [queue]() mutable { return queue.try_put(3); };
                image.can_grant = [&rep] { return at_rest(rep); };
                image.may_sleep = [&rep, raw = world.queue(name)] { return at_rest(rep) && raw.looks_full(); };
                image.let_on = image.grant;
                image.words = {&rep.wait_points[1]};
                return image;
            }, [](World& world, const std::string& name) { world.manager.queue<int>(name).put(2); }};
}

Scene joiners() {
    Scene scene{"a join", [](World& world, const std::string& name) {
                    auto queue = world.manager.queue<int>(name);
                    queue.put(1);
                    (void)queue.get();
                    Image image;
                    image.operation = [queue]() mutable { queue.join(); };
                    image.grant = [queue]() mutable { queue.task_done(); };
                    image.can_grant = [&rep = world.object(name)] { return at_rest(rep); };
                    return image;
                }, [](World& world, const std::string& name) { world.manager.queue<int>(name).join(); }};
    scene.overtaken = false;
    return scene;
}

Scene watchers() {
    Scene scene{"a watch", [](World& world, const std::string& name) {
                    auto dict = world.manager.dict<int, int>(name);
                    dict.set(1, 1);
                    Image image;
                    image.operation = [dict, seen = dict.version()]() mutable { (void)dict.wait_for_change(seen); };
                    image.grant = [dict]() mutable { dict.set(1, 2); };
                    image.can_grant = [&rep = world.object(name)] { return at_rest(rep); };
                    image.words = {&world.object(name).watchers};
                    return image;
                }, [](World& world, const std::string& name) {
                    auto dict = world.manager.dict<int, int>(name);
                    (void)dict.wait_for_change(dict.version());
                }};
    scene.overtaken = false;
    return scene;
}

// What wakes a wait_any may have been meant for a get: it passes it on, or dies, and the get looks for itself.
Scene any_waiters() {
    return {"a wait_any", [](World& world, const std::string& name) {
                auto queue = world.manager.queue<int>(name), other = world.manager.queue<int>(name + "'");
                auto& rep = world.object(name);
                Image image;
                image.operation = [queue, other] {
                    if (wait_any({queue, other}).empty()) throw std::runtime_error("nothing was ready");
                };
                image.grant = [queue]() mutable { queue.put(1); };
                image.overtake = [queue]() mutable { return queue.try_get().has_value(); };
                image.can_grant = [&rep] { return at_rest(rep); };
                image.may_sleep = [&rep, raw = world.queue(name)] { return at_rest(rep) && raw.looks_empty(); };
                image.let_on = image.grant;
                return image;
            }, [](World& world, const std::string& name) { (void)world.manager.queue<int>(name).get(); }};
}

}  // namespace

std::vector<Scene> item_waiter_scenes() {
    using P = Primitive;
    return {as(P::queue_get, Role::waiter, getters()), as(P::queue_put, Role::waiter, putters()),
            as(P::queue_join, Role::waiter, joiners()), as(P::watch, Role::waiter, watchers()),
            as(P::wait_any, Role::waiter, any_waiters())};
}

}  // namespace muster::test
