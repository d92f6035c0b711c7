#include "containers/containers.hpp"
#include "containers/queue.hpp"
#include "crash/operations.hpp"

namespace muster::test {
namespace {

using containers::Bytes;
using containers::Queue;
using segment::Segment;

constexpr heap::ObjectRef subject{1, 1};  // the first object of a fresh segment

struct Out {
    std::string text;
    std::byte* resize(std::size_t size) {
        text.resize(size);
        return reinterpret_cast<std::byte*>(text.data());
    }
};

Queue queue(const Segment& segment) { return Queue(segment, subject); }

void put(const Segment& segment, const std::string& item) {
    queue(segment).try_put(std::as_bytes(std::span(item)));
}
void get(const Segment& segment) {
    Out out;
    queue(segment).try_get(out);
}

void make(const Segment& segment) {
    containers::Directory(segment).create(heap::Kind::queue, 0u, [](heap::ObjectRep& object) { Queue::init(object, 100); });
}

std::function<void(const Segment&)> of(int count, std::size_t size = 20) {
    return [=](const Segment& segment) {
        make(segment);
        for (int i = 0; i < count; ++i) put(segment, std::string(size, static_cast<char>('a' + i % 26)));
    };
}

std::string items(const Segment& segment) {
    const Queue subject_queue = queue(segment);
    std::string text;
    subject_queue.for_each([&](std::uint64_t size) { text = std::to_string(size) + ":"; },
                           [&](Bytes item) {
                               const std::string all(reinterpret_cast<const char*>(item.data()), item.size());
                               const bool uniform = all.find_first_not_of(all[0]) == std::string::npos;
                               text += " " + std::to_string(all.size()) + (uniform ? all.substr(0, 1) : "?");
                           });
    text += " unfinished " + std::to_string(subject_queue.unfinished());
    if (subject_queue.closed()) text += " closed";
    subject_queue.verify([&](const std::string& violation) { text += " VIOLATION " + violation; });
    return text;
}

}  // namespace

std::vector<Operation> queue_operations() {
    std::vector<Operation> all;
    const auto add = [&](const char* name, auto setup, auto run) { all.push_back({name, setup, run, items}); };
    add("queue: try_put, the first", make, [](const Segment& s) { put(s, "zzz"); });
    add("queue: try_put, one more", of(3), [](const Segment& s) { put(s, "zzzzzzzzzzzzzz"); });
    add("queue: try_put, a second chunk", of(3, 300), [](const Segment& s) { put(s, std::string(300, 'z')); });
    add("queue: try_put, the heap grows", of(3, 900), [](const Segment& s) { put(s, std::string(1500, 'z')); });
    add("queue: try_put, an item with a block", of(3),
        [](const Segment& s) { put(s, std::string(Queue::inline_limit + 1, 'z')); });
    add("queue: try_put, after it was emptied",
        [](const Segment& s) {
            of(3)(s);
            for (int i = 0; i < 3; ++i) get(s);
        },
        [](const Segment& s) { put(s, "zzzz"); });
    add("queue: try_get, the first of some", of(3), get);
    add("queue: try_get, the only one", of(1), get);
    add("queue: try_get, the last of its chunk",
        [](const Segment& s) {
            of(7, 300)(s);
            for (int i = 0; i < 2; ++i) get(s);
        },
        get);
    add("queue: try_get, the first of a chunk",
        [](const Segment& s) {
            of(7, 300)(s);
            for (int i = 0; i < 3; ++i) get(s);
        },
        get);
    add("queue: try_get, the only one of a second chunk",
        [](const Segment& s) {
            of(4, 300)(s);
            for (int i = 0; i < 3; ++i) get(s);
        },
        get);
    add("queue: try_get, an item with a block", of(2, Queue::inline_limit + 1), get);
    add("queue: clear", of(3), [](const Segment& s) { queue(s).clear(); });
    add("queue: clear, several chunks", of(20, 900), [](const Segment& s) { queue(s).clear(); });
    add("queue: put_many, some", of(2), [](const Segment& s) {
        muster::detail::Strings many;
        for (const std::string_view item : {"xx", "yyyyyyyyyyyyy", "zzzzzzzzzzzzzzzzzzzzzz"})
            many.add(std::as_bytes(std::span(item)));
        queue(s).put_many(many);
    });
    add("queue: put_many, over the end of a chunk", of(3, 250), [](const Segment& s) {
        muster::detail::Strings many;
        for (const char letter : {'x', 'y', 'z'}) {
            const std::string item(200, letter);
            many.add(std::as_bytes(std::span(item)));
        }
        queue(s).put_many(many);
    });
    add("queue: get_many, all of some", of(3), [](const Segment& s) {
        muster::detail::Strings taken;
        queue(s).get_many(10, taken);
    });
    add("queue: get_many, some of several chunks", of(8, 300), [](const Segment& s) {
        muster::detail::Strings taken;
        queue(s).get_many(5, taken);
    });
    add("queue: task_done", of(2), [](const Segment& s) { queue(s).task_done(); });
    add("queue: close", of(1), [](const Segment& s) { queue(s).close(); });
    return all;
}

}  // namespace muster::test
