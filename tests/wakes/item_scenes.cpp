// Those who put, take, report, change and erase, and are killed while they let others on by it.
#include <muster/wait_any.hpp>

#include "wakes/world.hpp"

namespace muster::test {
namespace {

using containers::QueueRep;

const void* items_word(World& world, const std::string& name) { return &world.object(name).wait_points[0]; }
const void* room_word(World& world, const std::string& name) { return &world.object(name).wait_points[1]; }

void get(World& world, const std::string& name) {
    if (world.manager.queue<std::string>(name).get().empty()) throw std::runtime_error("an empty item");
}
void put(World& world, const std::string& name) { world.manager.queue<std::string>(name).put("sleeper's"); }

void join(World& world, const std::string& name) { world.manager.queue<std::string>(name).join(); }

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

Scene erase_wakes_get() {
    return {"an erase lets on a get", [](World& world, const std::string& name) {
                auto queue = world.manager.queue<std::string>(name);
                Image image;
                erase_image(world, name, image);
                image.words = {items_word(world, name), inner_word(world.object(name))};
                return image;
            }, [](World& world, const std::string& name) { expect(Errc::destroyed, [&] { get(world, name); }); }};
}

// Has an item under a lease until it dies.
Stepped::Run leasing(const Queue<std::string>& from) {
    const auto kept = std::make_shared<std::optional<Leased<std::string>>>();
    return [queue = from, kept]() mutable { kept->emplace(queue.get_leased()); };
}

// What it had leased is there for the next one.
Scene lease_wakes_get() {
    return {"a lease's death lets on a get", [](World& world, const std::string& name) {
                auto queue = world.manager.queue<std::string>(name);
                queue.put("item");
                Image image;
                image.prepare = [&world] { (void)world.realm.session().id(); };
                image.operation = leasing(queue);
                return image;
            }, get, true};
}

// ... and after the last delivery that it was allowed it is a dead letter, for which nobody waits.
Scene lease_wakes_join() {
    return {"a lease's death lets on a join", [](World& world, const std::string& name) {
                auto queue = world.manager.queue<std::string>(name, {.max_deliveries = 1});
                queue.put("item");
                Image image;
                image.prepare = [&world] { (void)world.realm.session().id(); };
                image.operation = leasing(queue);
                image.may_sleep = [queue] { return queue.size() == 1; };
                image.let_on = [queue]() mutable { queue.get_leased().ack(); };
                return image;
            }, join};
}

Scene report_wakes_join() {
    return {"a task_done lets on a join", [](World& world, const std::string& name) {
                auto queue = world.manager.queue<std::string>(name);
                queue.put("item");
                (void)queue.get();
                Image image;
                image.operation = [queue]() mutable { queue.task_done(); };
                image.may_sleep = [queue] { return queue.unfinished() == 1; };
                image.let_on = image.operation;
                return image;
            }, join};
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

Scene death_wakes_any() {
    return {"a holder's death lets on a wait_any", [](World& world, const std::string& name) {
                Lock lock = world.manager.lock(name);
                Image image;
                image.prepare = [&world] { (void)world.realm.session().slot(); };
                image.operation = [lock]() mutable { lock.lock(); };
                return image;
            }, [](World& world, const std::string& name) {
                const auto ready = wait_any({world.manager.queue<int>(name + "'"), world.manager.lock(name)});
                if (ready.empty()) throw std::runtime_error("nothing was ready");
            }, true};
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

std::vector<Scene> item_waker_scenes() {
    using P = Primitive;
    return {
        as(P::queue_get, Role::waker, put_wakes_get("an item", "item")),
        as(P::queue_get, Role::waker, put_wakes_get("a large item", std::string(9000, 'x'))),
        as(P::queue_get, Role::waker, transaction_wakes_get()),
        as(P::queue_get, Role::waker, close_wakes(true)),
        as(P::queue_get, Role::waker, erase_wakes_get()),
        as(P::queue_get, Role::holder, lease_wakes_get()),
        as(P::queue_put, Role::waker, full_queue("a get", [](Queue<std::string>& queue) { (void)queue.get(); })),
        as(P::queue_put, Role::waker, full_queue("a clear", [](Queue<std::string>& queue) { queue.clear(); })),
        as(P::queue_put, Role::waker, close_wakes(false)),
        as(P::queue_join, Role::waker, report_wakes_join()),
        as(P::queue_join, Role::holder, lease_wakes_join()),
        as(P::watch, Role::waker, change_wakes_watch("a set", [](Dict<int, int>& dict) { dict.set(1, 2); })),
        as(P::watch, Role::waker, change_wakes_watch("an erase of a key", [](Dict<int, int>& dict) { dict.erase(1); })),
        as(P::wait_any, Role::waker, put_wakes_any()),
        as(P::wait_any, Role::holder, death_wakes_any())};
}

}  // namespace muster::test
