// Wait points, and the operations that wake those who sleep on one.
#include "crash/subject.hpp"
#include "sync/sync.hpp"

namespace muster::test {
namespace {

using containers::Directory;
using containers::Queue;
using segment::Segment;
using sync::WaitPoint;

constexpr std::size_t items_point = 0, room_point = 1;  // a queue's wait points, as its handle uses them

std::uint32_t& point_word(const Segment& segment, std::size_t which) {
    return heap::object_at(segment, subject.id).wait_points[which];
}
std::function<std::uint32_t&(const Segment&)> on(std::size_t which) {
    return [which](const Segment& segment) -> std::uint32_t& { return point_word(segment, which); };
}

void put_item(const Segment& segment) { queue(segment).try_put(std::as_bytes(std::span("an item", 7))); }

// A queue with room for two, so many items in it, and somebody who waits.
std::function<void(const Segment&)> waited_for(int count, std::size_t which) {
    return [=](const Segment& segment) {
        const auto init = [](heap::ObjectRep& object) { Queue::init(object, 2); };
        Directory(segment).open_or_create("queue", heap::Kind::queue, init);
        for (int i = 0; i < count; ++i) put_item(segment);
        (void)WaitPoint(point_word(segment, which)).announce();
    };
}

std::string queue_state(const Segment& segment) {
    const auto found = Directory(segment).find_any("queue");
    if (!found) return "gone";
    std::string text = std::to_string(queue(segment).size()) + " items";
    if (queue(segment).closed()) text += ", closed";
    queue(segment).verify([&](const std::string& violation) { text += " VIOLATION " + violation; });
    return text;
}
// Is somebody still waiting there, as far as the word tells?
std::string who_waits(const Segment& segment) {
    const std::uint32_t now = __atomic_load_n(&point_word(segment, items_point), __ATOMIC_RELAXED);
    return now == 0 ? "nobody" : now == 1 ? "asleep" : "woken";
}

}  // namespace

std::vector<Operation> wait_operations() {
    std::vector<Operation> all;
    // Of a wait point alone. The service wakes whoever may sleep there, so it finds fewer asleep than the dead left.
    const auto alone = [&](const char* name, auto setup, auto fn) -> Operation& {
        all.push_back({name, setup,
                   [fn](const Segment& segment) { fn(WaitPoint(point_word(segment, items_point))); }, who_waits});
        return all.back();
    };
    const auto woken_too = [](const std::string& state, const std::string&) { return state == "woken"; };
    alone("wait: announce",
          [](const Segment& segment) { Directory(segment).open_or_create("queue", heap::Kind::queue, {}); },
          [](WaitPoint point) { (void)point.announce(); }).right_too = woken_too;
    alone("wait: notify", waited_for(0, items_point), [](WaitPoint point) { point.notify(1); }).sleeps_on = on(items_point);
    alone("wait: notify_all", waited_for(0, items_point),
        [](WaitPoint point) { point.notify_all(); }).sleeps_on = on(items_point);

    // The change, then the wake, as the handles do it.
    const auto add = [&](const char* name, int count, std::size_t which, auto fn) {
        all.push_back({name, waited_for(count, which), fn, queue_state});
        all.back().sleeps_on = on(which);
    };
    add("wait: notify_after_unlock, a put and its wake", 0, items_point, [](const Segment& segment) {
        put_item(segment);
        WaitPoint(point_word(segment, items_point)).notify_after_unlock(1);
    });
    add("wait: notify_after_unlock, a get and its wake", 2, room_point, [](const Segment& segment) {
        get(segment);
        WaitPoint(point_word(segment, room_point)).notify_after_unlock(1);
    });
    add("wait: notify_all, a clear and its wake", 2, room_point, [](const Segment& segment) {
        queue(segment).clear();
        WaitPoint(point_word(segment, room_point)).notify_all();
    });
    add("wait: notify_all, a close and its wake", 0, items_point, [](const Segment& segment) {
        queue(segment).close();
        WaitPoint(point_word(segment, items_point)).notify_all();
    });
    return all;
}

}  // namespace muster::test
