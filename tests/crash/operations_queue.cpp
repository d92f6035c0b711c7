#include "crash/subject.hpp"

namespace muster::test {
namespace {

using containers::Bytes;
using containers::Queue;
using segment::Segment;

void put(const Segment& segment, const std::string& item) {
    queue(segment).try_put(std::as_bytes(std::span(item)));
}
// Looks at all, leaves them, and takes some then.
void take_many_seen(const Segment& segment, std::size_t count) {
    muster::detail::Strings items;
    Queue::Seen seen;
    queue(segment).look_at_many(Queue::unlimited, items, Queue::unlimited, seen);
    queue(segment).take_many_seen(count, seen);
}

void make_queue(const Segment& segment) {
    containers::Directory(segment).create(heap::Kind::queue, 0u, [](heap::ObjectRep& object) { Queue::init(object, 100); });
}

std::function<void(const Segment&)> queue_of(int count, std::size_t size = 20) {
    return [=](const Segment& segment) {
        make_queue(segment);
        for (int i = 0; i < count; ++i) put(segment, std::string(size, static_cast<char>('a' + i % 26)));
    };
}

std::string queue_items(const Segment& segment) {
    const Queue all_of_it = queue(segment);
    std::string text;
    all_of_it.for_each([&](std::uint64_t size) { text = std::to_string(size) + ":"; },
                           [&](Bytes item) {
                               const std::string all(reinterpret_cast<const char*>(item.data()), item.size());
                               const bool uniform = all.find_first_not_of(all[0]) == std::string::npos;
                               text += " " + std::to_string(all.size()) + (uniform ? all.substr(0, 1) : "?");
                           });
    if (all_of_it.closed()) text = "closed " + text;
    text = std::to_string(all_of_it.unfinished()) + " unfinished, " + text;
    all_of_it.verify([&](const std::string& violation) { text += " VIOLATION " + violation; });
    return text;
}

muster::detail::Strings filled_strings(int count, std::size_t size) {
    muster::detail::Strings all;
    for (int i = 0; i < count; ++i) {
        const std::string item(size, static_cast<char>('A' + i % 26));
        all.add(std::as_bytes(std::span(item)));
    }
    return all;
}
void put_many(const Segment& segment, int count, std::size_t size) { queue(segment).put_many(filled_strings(count, size)); }
void get_many(const Segment& segment, std::size_t most) {
    muster::detail::Strings out;
    queue(segment).get_many(most, out);
}

// Is one state's list of items the beginning of the other's?
bool begins(const std::string& state, const std::string& after) {
    const std::string items = state.substr(state.find(':') + 1), all = after.substr(after.find(':') + 1);
    return !items.empty() && all.compare(0, items.size(), items) == 0 &&
           (items.size() == all.size() || all[items.size()] == ' ');
}

}  // namespace

std::vector<Operation> queue_operations() {
    std::vector<Operation> all;
    const auto add = [&](const char* name, auto setup, auto run) { all.push_back({name, setup, run, queue_items}); };
    add("queue: try_put, the first", make_queue, [](const Segment& s) { put(s, "zzz"); });
    add("queue: try_put, one more", queue_of(3), [](const Segment& s) { put(s, "zzzzzzzzzzzzzz"); });
    add("queue: try_put, a second chunk", queue_of(3, 300), [](const Segment& s) { put(s, std::string(300, 'z')); });
    add("queue: try_put, the heap grows", queue_of(3, 900), [](const Segment& s) { put(s, std::string(1500, 'z')); });
    add("queue: try_put, an item with a block", queue_of(3),
        [](const Segment& s) { put(s, std::string(Queue::inline_limit + 1, 'z')); });
    add("queue: try_put, after it was emptied",
        [](const Segment& s) {
            queue_of(3)(s);
            for (int i = 0; i < 3; ++i) get(s);
        },
        [](const Segment& s) { put(s, "zzzz"); });
    add("queue: try_get, the first of some", queue_of(3), get);
    add("queue: try_get, the only one", queue_of(1), get);
    add("queue: try_get, the last of its chunk",
        [](const Segment& s) {
            queue_of(7, 300)(s);
            for (int i = 0; i < 2; ++i) get(s);
        },
        get);
    add("queue: try_get, the first of a chunk",
        [](const Segment& s) {
            queue_of(7, 300)(s);
            for (int i = 0; i < 3; ++i) get(s);
        },
        get);
    add("queue: try_get, the only one of a second chunk",
        [](const Segment& s) {
            queue_of(4, 300)(s);
            for (int i = 0; i < 3; ++i) get(s);
        },
        get);
    add("queue: try_get, an item with a block", queue_of(2, Queue::inline_limit + 1), get);
    add("queue: take_seen, the first of some", queue_of(3), get_seen);
    add("queue: take_seen, the only one", queue_of(1), get_seen);
    add("queue: take_seen, an item with a block", queue_of(2, Queue::inline_limit + 1), get_seen);
    add("queue: put_many, a few", queue_of(3), [](const Segment& s) { put_many(s, 4, 30); });
    add("queue: put_many, over several chunks", queue_of(3), [](const Segment& s) { put_many(s, 12, 300); });
    // At once only by the hundred: a beginning of them may be there. Every further one would be put again.
    add("queue: put_many, in several steps",
        [](const Segment& s) {
            containers::Directory(s).create(heap::Kind::queue, 0u);
            put(s, "first");
        },
        [](const Segment& s) { put_many(s, 300, 8); });
    all.back().right_too = begins;
    all.back().store_to_store = true;
    add("queue: get_many, some of them", queue_of(6), [](const Segment& s) { get_many(s, 4); });
    add("queue: get_many, all of them", queue_of(6), [](const Segment& s) { get_many(s, 10); });
    add("queue: get_many, several chunks", queue_of(12, 300), [](const Segment& s) { get_many(s, 9); });
    add("queue: get_many, items with blocks", queue_of(4, Queue::inline_limit + 1), [](const Segment& s) { get_many(s, 3); });
    add("queue: get_many, fewer than it copied", queue_of(12, 300), [](const Segment& s) {
        muster::detail::Strings out;
        queue(s).get_many(12, out, Queue::unlimited, [] { return std::size_t{7}; });
    });
    add("queue: get_many, of so many bytes", queue_of(12, 300), [](const Segment& s) {
        muster::detail::Strings out;
        queue(s).get_many(12, out, 1500);
    });
    add("queue: take_many_seen, all of them", queue_of(6), [](const Segment& s) { take_many_seen(s, 6); });
    add("queue: take_many_seen, fewer than were seen", queue_of(12, 300), [](const Segment& s) { take_many_seen(s, 9); });
    add("queue: take_many_seen, items with blocks", queue_of(4, Queue::inline_limit + 1), [](const Segment& s) { take_many_seen(s, 3); });
    add("queue: task_done, of several", queue_of(3), [](const Segment& s) { queue(s).task_done(); });
    add("queue: task_done, the last", queue_of(1), [](const Segment& s) { queue(s).task_done(); });
    add("queue: clear", queue_of(3), [](const Segment& s) { queue(s).clear(); });
    add("queue: clear, several chunks", queue_of(20, 900), [](const Segment& s) { queue(s).clear(); });
    add("queue: clear, the only one", queue_of(1), [](const Segment& s) { queue(s).clear(); });
    add("queue: close", queue_of(1), [](const Segment& s) { queue(s).close(); });
    add("queue: close, an empty one", make_queue, [](const Segment& s) { queue(s).close(); });
    add("queue: try_put, the last that there is room for", queue_of(99), [](const Segment& s) { put(s, "zzz"); });
    add("queue: try_get, the first of as many as there is room for", queue_of(100), get);
    add("queue: try_get, the last of a closed one",
        [](const Segment& s) {
            queue_of(1)(s);
            queue(s).close();
        },
        get);
    add("queue: get_many, the only one", queue_of(1), [](const Segment& s) { get_many(s, 1); });
    add("queue: put_many, one to an empty one", make_queue, [](const Segment& s) { put_many(s, 1, 30); });
    // Items with extents of their own: as many as are freed at once, and more.
    constexpr std::size_t large = heap::largest_class + 8;
    const auto long_way = [&](const char* name, auto setup, auto run) {
        add(name, setup, run);
        all.back().long_way = true;
    };
    long_way("queue: try_put, a large item", queue_of(3), [](const Segment& s) { put(s, std::string(large, 'z')); });
    long_way("queue: try_get, a large item", queue_of(2, large), get);
    long_way("queue: get_many, as many large items as the log takes", queue_of(26, large),
             [](const Segment& s) { get_many(s, 22); });
    all.back().log_entries = 150;
    long_way("queue: clear, large items", queue_of(3, large), [](const Segment& s) { queue(s).clear(); });
    return all;
}

}  // namespace muster::test
