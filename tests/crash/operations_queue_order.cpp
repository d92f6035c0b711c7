// Queues in other orders, and leases.
#include "crash/subject.hpp"

namespace muster::test {
namespace {

using containers::Bytes;
using containers::Order;
using containers::Queue;
using segment::Segment;

constexpr std::uint64_t consumer = 7, other_consumer = 9;

// A string as MessagePack has it, which compares: a letter, and as many of it as make `size` bytes.
std::string letter_value(char letter, std::size_t size) {
    const std::size_t body = size - 3;
    std::string text{static_cast<char>(0xda), static_cast<char>(body >> 8), static_cast<char>(body & 0xff)};
    return text + std::string(body, letter);
}
void put_letter(const Segment& segment, char letter, std::size_t size = 20) {
    const std::string item = letter_value(letter, size);
    queue(segment).try_put(std::as_bytes(std::span(item)));
}
Queue::Lease lease(const Segment& segment, std::uint64_t by = consumer) {
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
void acknowledge(const Segment& segment, std::uint64_t id) { queue(segment).acknowledge(consumer, nth_lease(segment, id)); }
void give_back(const Segment& segment, std::uint64_t id) { queue(segment).give_back(consumer, nth_lease(segment, id)); }

// Items a, c, e, … of that size.
std::function<void(const Segment&)> ordered(Order order, int count, std::size_t size = 20, std::uint64_t max_deliveries = 0) {
    return [=](const Segment& segment) {
        containers::Directory(segment).create(
            heap::Kind::queue, 0u, [&](heap::ObjectRep& object) { Queue::init(object, 0, order, max_deliveries); });
        for (int i = 0; i < count; ++i) put_letter(segment, static_cast<char>('a' + i * 2 % 26), size);
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
void lease_other(const Segment& segment) { (void)lease(segment, other_consumer); }

std::string shown(Bytes item) {
    return " " + std::to_string(item.size()) + (item.size() > 3 ? static_cast<char>(item[3]) : '?');
}

std::string leases_and_items(const Segment& segment) {
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

muster::detail::Strings lettered_strings(const std::string& letters, std::size_t size) {
    muster::detail::Strings all;
    for (const char letter : letters) {
        const std::string item = letter_value(letter, size);
        all.add(std::as_bytes(std::span(item)));
    }
    return all;
}

}  // namespace

std::vector<Operation> queue_order_operations() {
    std::vector<Operation> all;
    const auto add = [&](const char* name, auto setup, auto run) { all.push_back({name, setup, run, leases_and_items}); };
    const auto get_many = [](std::size_t most) {
        return [=](const Segment& segment) {
            muster::detail::Strings out;
            queue(segment).get_many(most, out);
        };
    };
    add("queue: try_put, last in first out", ordered(Order::lifo, 3), [](const Segment& s) { put_letter(s, 'z'); });
    add("queue: try_put, last in first out, a second leaf", ordered(Order::lifo, 64),
        [](const Segment& s) { put_letter(s, 'z', 300); });
    add("queue: try_put, lowest first, the lowest", ordered(Order::priority, 3),
        [](const Segment& s) { put_letter(s, 'A'); });
    add("queue: try_put, lowest first, in the middle", ordered(Order::priority, 10),
        [](const Segment& s) { put_letter(s, 'f'); });
    add("queue: try_put, lowest first, a leaf is cut", ordered(Order::priority, 64),
        [](const Segment& s) { put_letter(s, 'f', 300); });
    add("queue: try_get, last in first out", ordered(Order::lifo, 3), get);
    add("queue: try_get, lowest first, of two leaves", ordered(Order::priority, 66), get);
    add("queue: try_get, lowest first, the only one", ordered(Order::priority, 1), get);
    add("queue: try_get, one that came back",
        then(ordered(Order::fifo, 3), lease_one, [](const Segment& s) { give_back(s, 1); }), get);
    add("queue: take_seen, lowest first", ordered(Order::priority, 5), get_seen);
    add("queue: take_seen, one that came back",
        then(ordered(Order::fifo, 3), lease_one, [](const Segment& s) { give_back(s, 1); }), get_seen);
    // Into a tree in one Tx, but one by one where each has its place.
    add("queue: put_many, last in first out", ordered(Order::lifo, 3),
        [](const Segment& s) { queue(s).put_many(lettered_strings("xyz", 30)); });
    add("queue: get_many, lowest first", ordered(Order::priority, 1), get_many(3));

    add("queue: try_lease, of some", ordered(Order::fifo, 3), lease_one);
    add("queue: try_lease, the only one, with a block", ordered(Order::fifo, 1, Queue::inline_limit + 1), lease_one);
    add("queue: try_lease, the first of a chunk", then(ordered(Order::fifo, 7, 300), get, get, get), lease_one);
    add("queue: try_lease, lowest first", ordered(Order::priority, 5), lease_one);
    add("queue: try_lease, an item within its word", ordered(Order::lifo, 2, 6), lease_one);
    add("queue: try_lease, one that came back",
        then(ordered(Order::fifo, 3), lease_other, lease_one, [](const Segment& s) { give_back(s, 2); }), lease_other);
    add("queue: acknowledge, one of three", then(ordered(Order::fifo, 4), lease_one, lease_one, lease_one),
        [](const Segment& s) { acknowledge(s, 2); });
    add("queue: acknowledge, the only one, with a block", then(ordered(Order::fifo, 1, Queue::inline_limit + 1), lease_one),
        [](const Segment& s) { acknowledge(s, 1); });
    add("queue: give_back, the oldest", then(ordered(Order::fifo, 4), lease_one, lease_one),
        [](const Segment& s) { give_back(s, 1); });
    add("queue: give_back, behind another",
        then(ordered(Order::fifo, 4), lease_one, lease_one, [](const Segment& s) { give_back(s, 1); }),
        [](const Segment& s) { give_back(s, 2); });
    add("queue: give_back, the last time", then(ordered(Order::fifo, 2, 20, 1), lease_one),
        [](const Segment& s) { give_back(s, 1); });
    add("queue: return_leases, of one of two consumers", then(ordered(Order::fifo, 5, 20), lease_one, lease_other, lease_one),
        [](const Segment& s) { queue(s).return_leases([](std::uint64_t who) { return who == consumer; }); });
    all.back().in_steps = true;
    add("queue: return_leases, to the dead letters",
        then(ordered(Order::priority, 3, 20, 1), lease_one, lease_one),
        [](const Segment& s) { queue(s).return_leases([](std::uint64_t who) { return who == consumer; }); });
    all.back().in_steps = true;
    const auto dead = then(ordered(Order::fifo, 3, 20, 1), lease_one, lease_one, [](const Segment& s) { give_back(s, 1); },
                           [](const Segment& s) { give_back(s, 2); });
    add("queue: retry_dead", dead, [](const Segment& s) { queue(s).retry_dead(); });
    all.back().in_steps = true;
    add("queue: drop_dead", dead, [](const Segment& s) { queue(s).drop_dead(); });
    all.back().in_steps = true;
    add("queue: clear, with leases and dead letters",
        then(dead, [](const Segment& s) { put_letter(s, 'x', 9000); }, lease_one, lease_one),
        [](const Segment& s) { queue(s).clear(); });
    return all;
}

}  // namespace muster::test
