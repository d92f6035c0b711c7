// Those who wait, and are killed while they go to sleep, or wake up, beside others who wait for the same.
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

template <typename Kind>
Kind open(World& world, const std::string& name) {
    if constexpr (std::is_same_v<Kind, RLock>)
        return world.manager.rlock(name);
    else
        return world.manager.lock(name);
}

template <typename Kind>
Scene lockers(const char* what) {
    return {what, [](World& world, const std::string& name) {
                Kind lock = open<Kind>(world, name);
                lock.lock();
                Image image;
                image.prepare = [&world] { (void)world.realm.session().slot(); };
                image.operation = [lock]() mutable {
                    lock.lock();
                    lock.unlock();
                };
                image.grant = [lock]() mutable { lock.unlock(); };
                image.overtake = [lock]() mutable { return lock.try_lock(); };
                image.words = {&world.lock(name).word};
                return image;
            }, [](World& world, const std::string& name) {
                Kind lock = open<Kind>(world, name);
                lock.lock();
                lock.unlock();
            }};
}

Scene insiders() {
    return {"an insert", [](World& world, const std::string& name) {
                auto dict = world.manager.dict<int, int>(name);
                auto inside = std::make_shared<std::optional<heap::ObjectLock>>();
                const auto enter = [inside, &world, ref = world.ref(name)] {
                    try {
                        inside->emplace(world.segment(), ref, base::Deadline::now());
                        return true;
                    } catch (const tx::Busy&) {
                        return false;
                    }
                };
                enter();
                Image image;
                image.operation = [dict]() mutable { dict.insert_or_assign(1, 1); };
                image.grant = [inside] { inside->reset(); };
                image.overtake = enter;
                image.words = {&world.object(name).domain.mutex};
                return image;
            },
            [](World& world, const std::string& name) { world.manager.dict<int, int>(name).insert_or_assign(2, 2); }};
}

}  // namespace

std::vector<Scene> waiter_scenes() {
    std::vector<Scene> all{getters(), putters(), lockers<Lock>("a lock"), lockers<RLock>("an rlock"), insiders()};
    for (Scene& scene : sync_waiter_scenes()) all.push_back(std::move(scene));
    return all;
}

}  // namespace muster::test
