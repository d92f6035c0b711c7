// Locks that users hold, objects' own locks and the directory's: those who let go of them, and those who wait.
#include "wakes/world.hpp"

namespace muster::test {
namespace {

void lock_and_unlock(World& world, const std::string& name) {
    Lock lock = world.manager.lock(name);
    lock.lock();
    lock.unlock();
}

Scene erase_wakes_lock() {
    return {"an erase lets on a lock", [](World& world, const std::string& name) {
                Lock lock = world.manager.lock(name);
                lock.lock();
                Image image;
                erase_image(world, name, image);
                image.words = {&world.lock(name).word};
                return image;
            }, [](World& world, const std::string& name) {
                expect(Errc::destroyed, [&] { lock_and_unlock(world, name); });
            }};
}

Scene unlock_wakes_lock(bool by_holder) {
    return {std::string("an unlock by ") + (by_holder ? "the holder" : "another process") + " lets on a lock",
            [by_holder](World& world, const std::string& name) {
                Lock lock = world.manager.lock(name);
                Image image;
                if (by_holder) {
                    image.prepare = [lock]() mutable { lock.lock(); };
                } else {
                    lock.lock();
                    image.may_sleep = [lock] { return lock.locked(); };
                    image.let_on = [lock]() mutable { lock.unlock(); };
                }
                image.operation = [lock]() mutable { lock.unlock(); };
                image.words = {&world.lock(name).word};
                return image;
            }, lock_and_unlock};
}

Scene death_wakes_lock() {
    return {"a holder's death lets on a lock", [](World& world, const std::string& name) {
                Lock lock = world.manager.lock(name);
                Image image;
                image.prepare = [&world] { (void)world.realm.session().slot(); };
                image.operation = [lock]() mutable { lock.lock(); };
                return image;
            }, lock_and_unlock, true};
}

void lock_and_unlock_recursive(World& world, const std::string& name) {
    RLock lock = world.manager.rlock(name);
    lock.lock();
    lock.lock();
    lock.unlock();
    lock.unlock();
}

Scene unlock_wakes_rlock() {
    return {"an unlock of the last level lets on an rlock", [](World& world, const std::string& name) {
                RLock lock = world.manager.rlock(name);
                Image image;
                image.prepare = [lock]() mutable {
                    lock.lock();
                    lock.lock();
                };
                image.operation = [lock]() mutable {
                    lock.unlock();
                    lock.unlock();
                };
                image.words = {&world.lock(name).word};
                return image;
            }, lock_and_unlock_recursive};
}

Scene death_wakes_rlock() {
    return {"a holder's death lets on an rlock", [](World& world, const std::string& name) {
                RLock lock = world.manager.rlock(name);
                Image image;
                image.prepare = [&world] { (void)world.realm.session().slot(); };
                image.operation = [lock]() mutable {
                    lock.lock();
                    lock.lock();
                };
                return image;
            }, lock_and_unlock_recursive, true};
}

// By one who does not hold it; should it die before it has broken the hold, another one does.
Scene break_wakes_lock() {
    return {"a break lets on a lock", [](World& world, const std::string& name) {
                Lock lock = world.manager.lock(name);
                lock.lock();
                Image image;
                image.operation = [lock]() mutable { (void)lock.break_lock(); };
                image.may_sleep = [lock] { return lock.locked(); };
                image.let_on = [lock]() mutable { (void)lock.break_lock(); };
                image.words = {&world.lock(name).word};
                return image;
            }, lock_and_unlock};
}

void insert(World& world, const std::string& name) { world.manager.dict<int, int>(name).insert_or_assign(2, 2); }

Scene death_wakes_inside() {
    return {"a death inside a dict lets on an insert", [](World& world, const std::string& name) {
                auto dict = world.manager.dict<int, int>(name);
                Image image;
                image.operation = [dict]() mutable { dict.insert_or_assign(1, 1); };
                return image;
            }, insert, true};
}

Scene leaving_wakes_inside() {
    return {"leaving a dict lets on an insert", [](World& world, const std::string& name) {
                auto dict = world.manager.dict<int, int>(name);
                auto inside = std::make_shared<std::optional<heap::ObjectLock>>();
                Image image;
                image.prepare = [&world, inside, ref = world.ref(name)] { inside->emplace(world.segment(), ref); };
                image.operation = [inside] { inside->reset(); };
                image.words = {inner_word(world.object(name))};
                return image;
            }, insert};
}

Scene death_wakes_directory() {
    return {"a death inside the directory lets on an open", [](World& world, const std::string& name) {
                auto dict = world.manager.dict<int, int>(name);
                Image image;
                image.operation = [&world, name] {
                    world.manager.erase(name);
                    (void)world.manager.list<int>(name);
                };
                return image;
            },
            [](World& world, const std::string& name) {
                (void)world.manager.queue<int>(name + "'");
                world.manager.erase(name + "'");
            }, true};
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

std::vector<Scene> lock_waker_scenes() {
    using P = Primitive;
    return {as(P::lock, Role::waker, unlock_wakes_lock(true)),
            as(P::lock, Role::waker, unlock_wakes_lock(false)),
            as(P::lock, Role::waker, break_wakes_lock()),
            as(P::lock, Role::waker, erase_wakes_lock()),
            as(P::lock, Role::holder, death_wakes_lock()),
            as(P::rlock, Role::waker, unlock_wakes_rlock()),
            as(P::rlock, Role::holder, death_wakes_rlock()),
            as(P::inside, Role::waker, leaving_wakes_inside()),
            as(P::inside, Role::holder, death_wakes_inside()),
            as(P::directory, Role::holder, death_wakes_directory())};
}

std::vector<Scene> lock_waiter_scenes() {
    return {as(Primitive::lock, Role::waiter, lockers<Lock>("a lock")),
            as(Primitive::rlock, Role::waiter, lockers<RLock>("an rlock")),
            as(Primitive::inside, Role::waiter, insiders())};
}

}  // namespace muster::test
