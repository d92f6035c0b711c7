// Those who let others on, and are killed while they do.
#include <muster/wait_any.hpp>

#include "wakes/world.hpp"

namespace muster::test {
namespace {

using containers::QueueRep;

const void* items_word(World& world, const std::string& name) { return &world.object(name).wait_points[0]; }
const void* room_word(World& world, const std::string& name) { return &world.object(name).wait_points[1]; }
const void* inner_word(const heap::ObjectRep& object) { return &object.domain.mutex; }

void expect(Errc code, const std::function<void()>& call) {
    try {
        call();
    } catch (const Error& error) {
        if (error.errc() == code) return;
        throw;
    }
    throw std::runtime_error("it went on as if nothing had happened");
}

void get(World& world, const std::string& name) {
    if (world.manager.queue<std::string>(name).get().empty()) throw std::runtime_error("an empty item");
}
void put(World& world, const std::string& name) { world.manager.queue<std::string>(name).put("sleeper's"); }

Scene put_wakes_get(const std::string& what, const std::string& item) {
    return {"a put of " + what + " lets on a get", [item](World& world, const std::string& name) {
                auto queue = world.manager.queue<std::string>(name);
                Image image;
                image.operation = [queue, item]() mutable { queue.put(item); };
                image.may_sleep = [raw = world.queue(name)] { return raw.looks_empty(); };
                image.let_on = [queue]() mutable { queue.put("late"); };
                image.words = {items_word(world, name), inner_word(world.object(name))};
                return image;
            }, get};
}

// Killed between the decision and the wake, too; and between the decision and the end of the queue's own change.
Scene transaction_wakes_get() {
    return {"a transaction's put lets on a get", [](World& world, const std::string& name) {
                auto queue = world.manager.queue<std::string>(name);
                auto dict = world.manager.dict<int, int>(name + " dict");
                dict.set(1, 1);
                Image image;
                image.operation = [&world, queue, dict] {
                    world.manager.transact([&](Transaction& t) {
                        t(dict).set(1, 2);
                        t(queue).put("item");
                    });
                };
                image.may_sleep = [raw = world.queue(name)] { return raw.looks_empty(); };
                image.let_on = [queue]() mutable { queue.put("late"); };
                image.words = {items_word(world, name), inner_word(world.object(name))};
                return image;
            }, get};
}

Scene full_queue(const std::string& what, std::function<void(Queue<std::string>&)> makes_room) {
    return {what + " lets on a put", [makes_room](World& world, const std::string& name) {
                auto queue = world.manager.queue<std::string>(name, {.maxsize = 2});
                queue.put("first");
                queue.put("second");
                Image image;
                image.operation = [queue, makes_room]() mutable { makes_room(queue); };
                image.may_sleep = [raw = world.queue(name)] { return raw.looks_full(); };
                image.let_on = [queue]() mutable { (void)queue.get(); };
                image.words = {room_word(world, name), inner_word(world.object(name))};
                return image;
            }, put};
}

bool closed(const heap::ObjectRep& object) {
    return (heap::root_of<QueueRep>(object).flags & 1) != 0;
}

Scene close_wakes(bool getter) {
    return {std::string("a close lets on a ") + (getter ? "get" : "put"),
            [getter](World& world, const std::string& name) {
                auto queue = world.manager.queue<std::string>(name, {.maxsize = 1});
                if (!getter) queue.put("only");
                Image image;
                image.operation = [queue]() mutable { queue.close(); };
                image.may_sleep = [&object = world.object(name)] { return !closed(object); };
                image.let_on = [queue]() mutable { queue.close(); };
                image.words = {getter ? items_word(world, name) : room_word(world, name),
                               inner_word(world.object(name))};
                return image;
            },
            [getter](World& world, const std::string& name) {
                expect(Errc::closed, [&] { getter ? get(world, name) : put(world, name); });
            }};
}

// Erasing is unlinking, and then taking apart; whoever dies between has erased.
void erase_image(World& world, const std::string& name, Image& image) {
    image.operation = [&world, name] { world.manager.erase(name); };
    image.may_sleep = [&object = world.object(name)] {
        return heap::Ident::unpack(object.ident).life == heap::Life::live && (object.flags & heap::flag_doomed) == 0;
    };
    image.let_on = [&world, name] { world.manager.erase(name); };
}

Scene erase_wakes_get() {
    return {"an erase lets on a get", [](World& world, const std::string& name) {
                auto queue = world.manager.queue<std::string>(name);
                Image image;
                erase_image(world, name, image);
                image.words = {items_word(world, name), inner_word(world.object(name))};
                return image;
            }, [](World& world, const std::string& name) { expect(Errc::destroyed, [&] { get(world, name); }); }};
}

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

Scene put_wakes_any() {
    return {"a put lets on a wait_any", [](World& world, const std::string& name) {
                auto queue = world.manager.queue<std::string>(name);
                Image image;
                image.operation = [queue]() mutable { queue.put("item"); };
                image.may_sleep = [raw = world.queue(name)] { return raw.looks_empty(); };
                image.let_on = [queue]() mutable { queue.put("late"); };
                return image;
            }, [](World& world, const std::string& name) {
                auto queue = world.manager.queue<std::string>(name);
                const auto ready = wait_any({world.manager.queue<int>(name + "'"), queue});
                if (ready.empty()) throw std::runtime_error("nothing was ready");
            }};
}

// A change of any kind lets on who watches: all of them leave an object's lock.
Scene change_wakes_watch(const std::string& what, std::function<void(Dict<int, int>&)> change) {
    return {what + " lets on a watch", [change](World& world, const std::string& name) {
                auto dict = world.manager.dict<int, int>(name);
                dict.set(1, 1);
                const auto before = std::make_shared<std::uint64_t>(dict.version());
                Image image;
                image.operation = [dict, change]() mutable { change(dict); };
                image.may_sleep = [&object = world.object(name), before] {
                    return (tx::sequence_of(object.domain) & ~std::uint64_t{1}) == *before;
                };
                image.let_on = [dict]() mutable { dict.set(1, 3); };
                image.words = {&world.object(name).watchers};
                return image;
            }, [](World& world, const std::string& name) {
                auto dict = world.manager.dict<int, int>(name);
                (void)dict.wait_for_change(dict.version());
            }};
}

}  // namespace

std::vector<Scene> waker_scenes() {
    std::vector<Scene> all{
            put_wakes_get("an item", "item"),
            put_wakes_get("a large item", std::string(9000, 'x')),
            transaction_wakes_get(),
            full_queue("a get", [](Queue<std::string>& queue) { (void)queue.get(); }),
            full_queue("a clear", [](Queue<std::string>& queue) { queue.clear(); }),
            put_wakes_any(),
            change_wakes_watch("a set", [](Dict<int, int>& dict) { dict.set(1, 2); }),
            change_wakes_watch("an erase of a key", [](Dict<int, int>& dict) { dict.erase(1); }),
            close_wakes(true),
            close_wakes(false),
            erase_wakes_get(),
            erase_wakes_lock(),
            unlock_wakes_lock(true),
            unlock_wakes_lock(false),
            death_wakes_lock(),
            unlock_wakes_rlock(),
            death_wakes_rlock(),
            break_wakes_lock(),
            death_wakes_inside(),
            leaving_wakes_inside(),
            death_wakes_directory()};
    for (Scene& scene : sync_waker_scenes()) all.push_back(std::move(scene));
    return all;
}

}  // namespace muster::test
