// Queues in other orders, and leases.
#include "containers/containers.hpp"
#include "crash/operations.hpp"

namespace muster::test {
namespace {

using containers::Bytes;
using containers::Order;
using containers::Queue;
using segment::Segment;

constexpr heap::ObjectRef subject{1, 1};  // the first object of a fresh segment
constexpr std::uint64_t owner = 7, other = 9;

struct Out {
    std::string text;
    std::byte* resize(std::size_t size) {
        text.resize(size);
        return reinterpret_cast<std::byte*>(text.data());
    }
};

Queue queue(const Segment& segment) { return Queue(segment, subject); }

// A string as MessagePack has it, which compares: a letter, and as many of it as make `size` bytes.
std::string value(char letter, std::size_t size) {
    const std::size_t body = size - 3;
    std::string text{static_cast<char>(0xda), static_cast<char>(body >> 8), static_cast<char>(body & 0xff)};
    return text + std::string(body, letter);
}
void put(const Segment& segment, char letter, std::size_t size = 20) {
    const std::string item = value(letter, size);
    queue(segment).try_put(std::as_bytes(std::span(item)));
}
void get(const Segment& segment) {
    Out out;
    queue(segment).try_get(out);
}
void get_seen(const Segment& segment) {
    muster::detail::Buffer item;
    Queue::Seen seen;
    queue(segment).try_get(item, seen, [] { return false; });
    queue(segment).take_seen(item, seen);
}
Queue::Lease lease(const Segment& segment, std::uint64_t by = owner) {
    Out out;
    Queue::Lease lease;
    queue(segment).try_lease(by, out, lease);
    return lease;
}
// The lease that was taken as the n-th of all; its record is where such a lease finds it.
Queue::Lease nth_lease(const Segment& segment, std::uint64_t id) {
    const auto& root = heap::root_of<containers::QueueRep>(heap::object_at(segment, subject.id));
    for (std::uint64_t at = root.leased.head; at != 0; at = segment.at<containers::LeaseRep>(at)->next)
        if (segment.at<containers::LeaseRep>(at)->id == id) return {at, id, 0};
    return {};
}
void acknowledge(const Segment& segment, std::uint64_t id) { queue(segment).acknowledge(owner, nth_lease(segment, id)); }
void give_back(const Segment& segment, std::uint64_t id) { queue(segment).give_back(owner, nth_lease(segment, id)); }

// Items a, c, e, … of that size.
std::function<void(const Segment&)> of(Order order, int count, std::size_t size = 20, std::uint64_t max_deliveries = 0) {
    return [=](const Segment& segment) {
        containers::Directory(segment).create(
            heap::Kind::queue, 0u, [&](heap::ObjectRep& object) { Queue::init(object, 0, order, max_deliveries); });
        for (int i = 0; i < count; ++i) put(segment, static_cast<char>('a' + i * 2 % 26), size);
    };
}
template <typename... Steps>
std::function<void(const Segment&)> then(std::function<void(const Segment&)> first, Steps... steps) {
    return [=](const Segment& segment) {
        first(segment);
        (steps(segment), ...);
    };
}
void lease_one(const Segment& segment) { (void)lease(segment); }
void lease_other(const Segment& segment) { (void)lease(segment, other); }

std::string shown(Bytes item) {
    return " " + std::to_string(item.size()) + (item.size() > 3 ? static_cast<char>(item[3]) : '?');
}

std::string all_items(const Segment& segment) {
    const Queue all = queue(segment);
    std::string text = std::to_string(all.unfinished()) + " unfinished, " + std::to_string(all.leased()) + " leased:";
    const auto& root = heap::root_of<containers::QueueRep>(heap::object_at(segment, subject.id));
    for (std::uint64_t at = root.leased.head; at != 0; at = segment.at<containers::LeaseRep>(at)->next) {
        const auto& rep = *segment.at<containers::LeaseRep>(at);
        text += shown({segment.at<std::byte>(rep.bytes, rep.size), rep.size}) + "/" + std::to_string(rep.id) + "/" +
                std::to_string(rep.owner) + "/" + std::to_string(rep.deliveries);
    }
    all.for_each([&](std::uint64_t size) { text += ", " + std::to_string(size) + ":"; },
                 [&](Bytes item) { text += shown(item); });
    all.for_each_dead([&](std::uint64_t count) { text += ", " + std::to_string(count) + " dead:"; },
                      [&](Bytes item, std::uint64_t deliveries) { text += shown(item) + "/" + std::to_string(deliveries); });
    all.verify([&](const std::string& violation) { text += " VIOLATION " + violation; });
    return text;
}

muster::detail::Strings strings(const std::string& letters, std::size_t size) {
    muster::detail::Strings all;
    for (const char letter : letters) {
        const std::string item = value(letter, size);
        all.add(std::as_bytes(std::span(item)));
    }
    return all;
}

}  // namespace

std::vector<Operation> queue_order_operations() {
    std::vector<Operation> all;
    const auto add = [&](const char* name, auto setup, auto run) { all.push_back({name, setup, run, all_items}); };
    const auto get_many = [](std::size_t most) {
        return [=](const Segment& segment) {
            muster::detail::Strings out;
            queue(segment).get_many(most, out);
        };
    };
    add("queue: try_put, last in first out", of(Order::lifo, 3), [](const Segment& s) { put(s, 'z'); });
    add("queue: try_put, last in first out, a second leaf", of(Order::lifo, 64), [](const Segment& s) { put(s, 'z', 300); });
    add("queue: try_put, lowest first, the lowest", of(Order::priority, 3), [](const Segment& s) { put(s, 'A'); });
    add("queue: try_put, lowest first, in the middle", of(Order::priority, 10), [](const Segment& s) { put(s, 'f'); });
    add("queue: try_put, lowest first, a leaf is cut", of(Order::priority, 64), [](const Segment& s) { put(s, 'f', 300); });
    add("queue: try_get, last in first out", of(Order::lifo, 3), get);
    add("queue: try_get, lowest first, of two leaves", of(Order::priority, 66), get);
    add("queue: try_get, lowest first, the only one", of(Order::priority, 1), get);
    add("queue: try_get, one that came back",
        then(of(Order::fifo, 3), lease_one, [](const Segment& s) { give_back(s, 1); }), get);
    add("queue: take_seen, lowest first", of(Order::priority, 5), get_seen);
    add("queue: take_seen, one that came back",
        then(of(Order::fifo, 3), lease_one, [](const Segment& s) { give_back(s, 1); }), get_seen);
    // Into a tree in one Tx, but one by one where each has its place.
    add("queue: put_many, last in first out", of(Order::lifo, 3),
        [](const Segment& s) { queue(s).put_many(strings("xyz", 30)); });
    add("queue: get_many, lowest first", of(Order::priority, 1), get_many(3));

    add("queue: try_lease, of some", of(Order::fifo, 3), lease_one);
    add("queue: try_lease, the only one, with a block", of(Order::fifo, 1, Queue::inline_limit + 1), lease_one);
    add("queue: try_lease, the first of a chunk", then(of(Order::fifo, 7, 300), get, get, get), lease_one);
    add("queue: try_lease, lowest first", of(Order::priority, 5), lease_one);
    add("queue: try_lease, an item within its word", of(Order::lifo, 2, 6), lease_one);
    add("queue: try_lease, one that came back",
        then(of(Order::fifo, 3), lease_other, lease_one, [](const Segment& s) { give_back(s, 2); }), lease_other);
    add("queue: acknowledge, one of three", then(of(Order::fifo, 4), lease_one, lease_one, lease_one),
        [](const Segment& s) { acknowledge(s, 2); });
    add("queue: acknowledge, the only one, with a block", then(of(Order::fifo, 1, Queue::inline_limit + 1), lease_one),
        [](const Segment& s) { acknowledge(s, 1); });
    add("queue: give_back, the oldest", then(of(Order::fifo, 4), lease_one, lease_one), [](const Segment& s) { give_back(s, 1); });
    add("queue: give_back, behind another", then(of(Order::fifo, 4), lease_one, lease_one, [](const Segment& s) { give_back(s, 1); }),
        [](const Segment& s) { give_back(s, 2); });
    add("queue: give_back, the last time", then(of(Order::fifo, 2, 20, 1), lease_one), [](const Segment& s) { give_back(s, 1); });
    add("queue: return_leases, of one of two consumers", then(of(Order::fifo, 5, 20), lease_one, lease_other, lease_one),
        [](const Segment& s) { queue(s).return_leases([](std::uint64_t who) { return who == owner; }); });
    all.back().in_steps = true;
    add("queue: return_leases, to the dead letters", then(of(Order::priority, 3, 20, 1), lease_one, lease_one),
        [](const Segment& s) { queue(s).return_leases([](std::uint64_t who) { return who == owner; }); });
    all.back().in_steps = true;
    const auto dead = then(of(Order::fifo, 3, 20, 1), lease_one, lease_one, [](const Segment& s) { give_back(s, 1); },
                           [](const Segment& s) { give_back(s, 2); });
    add("queue: retry_dead", dead, [](const Segment& s) { queue(s).retry_dead(); });
    all.back().in_steps = true;
    add("queue: drop_dead", dead, [](const Segment& s) { queue(s).drop_dead(); });
    all.back().in_steps = true;
    add("queue: clear, with leases and dead letters", then(dead, [](const Segment& s) { put(s, 'x', 9000); }, lease_one, lease_one),
        [](const Segment& s) { queue(s).clear(); });
    return all;
}

}  // namespace muster::test
