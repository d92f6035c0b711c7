// Changes of several objects at once: all of them or none, whoever mends what the dead left.
#include <functional>
#include <memory>

#include "crash/subject.hpp"

namespace muster::test {
namespace {

using containers::Bytes;
using containers::Directory;
using containers::Queue;
using containers::Scalars;
using containers::Sequence;
using containers::Table;
using heap::Heap;
using heap::Kind;
using heap::ObjectLock;
using heap::ObjectRef;
using segment::Segment;
using tx::Tx;

constexpr ObjectRef left{1, 1}, right{2, 1}, joint_list{3, 1}, jobs{4, 1}, counts{5, 1}, joint_numbers{6, 1};
// Of another world: a dict, which is `left`, and queues in the other orders.
constexpr ObjectRef stack{2, 1}, lowest{3, 1};

std::string shortened(Bytes from) {
    const std::string text(reinterpret_cast<const char*>(from.data()), from.size());
    return text.size() <= 24 ? text : std::to_string(text.size()) + " x " + text[0];
}

// Two dicts, a list, a queue, a counter and an array, with a few items each.
void joint_world(const Segment& segment) {
    Directory directory(segment);
    for (const Kind kind : {Kind::dict, Kind::dict, Kind::list, Kind::queue, Kind::counter}) directory.create(kind, living.index);
    directory.create(Kind::array, living.index, [&](heap::ObjectRep& object) {
        const std::uint16_t initial[] = {1, 2, 3, 4, 5, 6};
        Scalars::init(segment, object, joint_numbers.id, ScalarType::uint16, 6, std::as_bytes(std::span(initial)));
    });
    for (const ObjectRef ref : {left, right, counts})
        for (const char* key : {"a", "b", "c"}) Table(segment, ref).set(bytes(key), {}, bytes("value 10"));
    Sequence items(segment, joint_list);
    auto held = items.lock();
    for (const char* item : {"one", "two, in a block", "three, in a block", "four"}) items.push_back(held, bytes(item));
    for (const char* job : {"job 1", "job 2", "job 3"}) Queue(segment, jobs).try_put(bytes(job));
}

std::string joint_contents(const Segment& segment) {
    std::string text, wrong;
    const auto violation = [&](const std::string& what) { wrong += " VIOLATION " + what; };
    for (const ObjectRef ref : {left, right, counts}) {
        const Table table(segment, ref);
        std::string part;
        table.for_each([&](std::uint64_t) { part.clear(); },
                       [&](Bytes key, Bytes value) { part += " " + shortened(key) + "=" + shortened(value); });
        table.verify(violation);
        text += part + ";";
    }
    const Sequence items(segment, joint_list);
    containers::Strings copies;
    items.read(0, containers::max_items, copies);
    for (std::size_t i = 0; i < copies.size(); ++i) text += " " + shortened(copies[i]);
    items.verify(violation);
    text += ";";
    const Queue queue(segment, jobs);
    queue.for_each([](std::uint64_t) {}, [&](Bytes item) { text += " " + shortened(item); });
    queue.verify(violation);
    text += ";";
    const Scalars array(segment, joint_numbers);
    for (std::uint64_t i = 0; i < array.length(); ++i) text += " " + std::to_string(array.load(i));
    array.verify(violation);
    return text + wrong;
}

// A string as MessagePack has it, which compares.
std::string text_value(std::string_view text) {
    if (text.size() < 32) return std::string(1, static_cast<char>(0xa0 + text.size())) + std::string(text);
    return std::string{static_cast<char>(0xda), static_cast<char>(text.size() >> 8), static_cast<char>(text.size() & 0xff)} +
           std::string(text);
}

// So many items in both queues: b, d, f, ...
std::function<void(const Segment&)> orders(int count) {
    return [count](const Segment& segment) {
        Directory directory(segment);
        directory.create(Kind::dict, living.index);
        for (const containers::Order order : {containers::Order::lifo, containers::Order::priority})
            directory.create(Kind::queue, living.index, [&](heap::ObjectRep& object) { Queue::init(object, 0, order, 0); });
        for (const char* key : {"a", "b"}) Table(segment, left).set(bytes(key), {}, bytes("value 10"));
        for (int i = 0; i < count; ++i)
            for (const ObjectRef ref : {stack, lowest})
                Queue(segment, ref).try_put(
                    bytes(text_value(std::string(1, static_cast<char>('b' + i * 2 % 24)) + ", in a block")));
    };
}

std::string all_orders(const Segment& segment) {
    std::string text, wrong;
    const auto violation = [&](const std::string& what) { wrong += " VIOLATION " + what; };
    const Table table(segment, left);
    std::string part;
    table.for_each([&](std::uint64_t) { part.clear(); },
                   [&](Bytes key, Bytes there) { part += " " + shortened(key) + "=" + shortened(there); });
    table.verify(violation);
    text += part;
    for (const ObjectRef ref : {stack, lowest}) {
        const Queue queue(segment, ref);
        text += "; " + std::to_string(queue.unfinished()) + ":";
        queue.for_each([](std::uint64_t) {}, [&](Bytes item) { text += " " + shortened(item.subspan(1)); });
        queue.verify(violation);
    }
    return text + wrong;
}

using Within = std::function<void(const Segment&, Tx&, Heap&)>;
using Before = std::function<void(const Segment&, ObjectLock&)>;
// Of one object: what is prepared under its lock, and its part of the change.
struct Part {
    ObjectRef ref;
    Within change;
    Before before = {};
};

void together(const Segment& segment, const std::vector<Part>& parts) {
    std::vector<std::unique_ptr<ObjectLock>> locks;
    std::vector<ObjectLock*> held;
    for (const Part& part : parts) {
        locks.push_back(std::make_unique<ObjectLock>(segment, part.ref));
        held.push_back(locks.back().get());
        if (part.before) part.before(segment, *held.back());
    }
    std::size_t at = 0;
    heap::mutate_together(held, dying_thread.index(), at,
                          [&](std::size_t i, Tx& tx, Heap& heap) { parts[i].change(segment, tx, heap); });
}

Part set(ObjectRef ref, const std::string& key, const std::string& value) {
    return {ref,
            [=](const Segment& s, Tx& tx, Heap& heap) { Table(s, ref).set_within(tx, heap, bytes(key), {}, bytes(value)); },
            [=](const Segment& s, ObjectLock& lock) { Table(s, ref).reserve(lock, 1); }};
}
Part remove(ObjectRef ref, const std::string& key) {
    return {ref, [=](const Segment& s, Tx& tx, Heap& heap) { Table(s, ref).remove_within(tx, heap, bytes(key)); }};
}
Part push(const std::vector<std::string>& values) {
    return {joint_list,
            [=](const Segment& s, Tx& tx, Heap&) {
                Sequence items(s, joint_list);
                items.resize_within(tx, items.size() + values.size());
            },
            [=](const Segment& s, ObjectLock& lock) {
                containers::Strings all;
                for (const std::string& value : values) all.add(bytes(value));
                Sequence(s, joint_list).stage(lock, all);
            }};
}
Part put(const std::string& job) {
    return {jobs, [=](const Segment& s, Tx& tx, Heap& heap) { Queue(s, jobs).put_within(tx, heap, bytes(job)); }};
}
Part take(int count) {
    return {jobs, [=](const Segment& s, Tx& tx, Heap& heap) {
                for (int i = 0; i < count; ++i) Queue(s, jobs).take_within(tx, heap);
            }};
}
// Into a queue of another order, before what is taken from it; so many of those taken had been leased.
Part pass(ObjectRef ref, const std::vector<std::string>& puts, unsigned takes, unsigned returned = 0) {
    const auto places = std::make_shared<std::vector<std::uint64_t>>();
    return {ref,
            [=](const Segment& s, Tx& tx, Heap& heap) {
                for (std::size_t i = 0; i < puts.size(); ++i) Queue(s, ref).put_within(tx, heap, bytes(puts[i]), (*places)[i]);
                for (unsigned i = 0; i < takes; ++i) Queue(s, ref).take_within(tx, heap, i < returned);
            },
            [=](const Segment& s, ObjectLock&) {
                const Queue queue(s, ref);
                places->clear();
                for (const std::string& item : puts)
                    places->push_back(queue.place_within(bytes(item), takes - returned) +
                                      (ref == stack ? places->size() : 0));
            }};
}
// Several changes of one object, one after the other.
Part both(const Part& first, const Part& second) {
    return {first.ref,
            [=](const Segment& s, Tx& tx, Heap& heap) {
                first.change(s, tx, heap);
                second.change(s, tx, heap);
            },
            [=](const Segment& s, ObjectLock& lock) {
                if (first.before) first.before(s, lock);
                if (second.before) second.before(s, lock);
            }};
}

}  // namespace

std::vector<Operation> joint_operations() {
    std::vector<Operation> rows;
    const auto add = [&](const char* name, std::vector<Part> parts) {
        rows.push_back({name, joint_world, [parts](const Segment& s) { together(s, parts); }, joint_contents});
    };
    add("transact: set_within, a transfer between two dicts", {set(left, "a", "value 09"), set(right, "a", "value 11")});
    add("transact: set_within, from dict to dict", {remove(left, "b"), set(right, "b of the other", "value 10")});
    add("transact: set_within, replaced by longer ones",
        {set(left, "a", letters(200, 'x')), set(right, "b", letters(300, 'y'))});
    add("transact: remove_within, and the same key again at the end",
        {both(remove(left, "a"), set(left, "a", "again")), both(remove(right, "a"), set(right, "a", letters(100, 'n')))});
    add("transact: reserve, the index grows before",
        {{left,
          [](const Segment& s, Tx& tx, Heap& heap) {
              for (int i = 0; i < 12; ++i) Table(s, left).set_within(tx, heap, bytes("new " + std::to_string(i)), {}, bytes("v"));
          },
          [](const Segment& s, ObjectLock& lock) { Table(s, left).reserve(lock, 12); }},
         remove(right, "a")});
    add("transact: stage, dict and list", {set(left, "a", "value 09"), push({"five", "six, which has a block of its own"})});
    add("transact: resize_within, the last two of a list go to a dict",
        {set(right, "d", "three four"),
         {joint_list, [](const Segment& s, Tx& tx, Heap&) { Sequence(s, joint_list).resize_within(tx, 2); }}});
    add("transact: set_within, list and counter",
        {{joint_list,
          [](const Segment& s, Tx& tx, Heap& heap) {
              Sequence(s, joint_list).set_within(tx, heap, 1, bytes("two, in another block than before"));
              Sequence(s, joint_list).set_within(tx, heap, 2, bytes("THREE, IN A BLOCK"));
              Sequence(s, joint_list).set_within(tx, heap, 0, bytes("1"));
          }},
         set(counts, "a", "value 11")});
    add("transact: put_within, dict and queue", {remove(left, "c"), put("job 4")});
    add("transact: put_within, one with a block of its own", {put(letters(9000, 'j')), set(counts, "jobs", "value 04")});
    rows.back().long_way = true;
    add("transact: take_within, all that is there, and another one put", {set(left, "taken", "job 1"), both(put("job 4"), take(3))});
    add("transact: take_within, the last one", {set(right, "taken", "job 3"), take(3)});
    add("transact: three objects", {set(left, "a", "value 08"), set(right, "a", "value 12"), put("a is paid")});
    add("transact: five objects",
        {set(left, "a", "value 08"), remove(right, "a"), push({"five"}), take(1), set(counts, "a", "value 12")});
    rows.back().long_way = true;
    add("transact: set_within, a number of an array, two more, and a dict's key",
        {set(left, "a", "value 09"), {joint_numbers, [](const Segment& s, Tx& tx, Heap&) {
             for (const std::uint64_t index : {1u, 2u, 5u}) Scalars(s, joint_numbers).set_within(tx, index, 500 + index);
         }}});
    const auto add_order = [&](const char* name, int items, std::vector<Part> parts) {
        rows.push_back({name, orders(items), [parts](const Segment& s) { together(s, parts); }, all_orders});
    };
    const std::string a = text_value("a"), e = text_value("e, in a block"), g = text_value("g, in another block"),
                      z = text_value(letters(3000, 'z'));
    add_order("transact: put_within, dict and stack", 3, {set(left, "a", "value 09"), pass(stack, {a, e}, 0)});
    add_order("transact: put_within, dict and priority queue", 3, {remove(left, "b"), pass(lowest, {a, e, z}, 0)});
    add_order("transact: put_within, a leaf is cut", 64, {set(left, "a", "value 09"), pass(lowest, {e}, 0)});
    rows.back().long_way = true;
    add_order("transact: take_within, from stack to priority queue", 3, {pass(stack, {}, 1), pass(lowest, {e}, 0)});
    add_order("transact: take_within, from priority queue to stack, all of it", 2, {pass(stack, {a, e}, 0), pass(lowest, {}, 2)});
    add_order("transact: take_within, both ways, more put than taken and less", 4, {pass(stack, {a, e}, 1), pass(lowest, {g}, 3)});
    add_order("transact: take_within, over the edge of a leaf", 66, {pass(stack, {e}, 3), pass(lowest, {e, g}, 3)});
    rows.back().long_way = true;
    rows.push_back({"transact: take_within, what came back from a lease, and others",
                    [setup = orders(3)](const Segment& s) {
                        setup(s);
                        for (const ObjectRef ref : {stack, lowest}) {
                            containers::Buffer out;
                            Queue::Lease lease;
                            Queue(s, ref).try_lease(7, out, lease);
                            Queue(s, ref).give_back(7, lease);
                        }
                    },
                    [parts = std::vector<Part>{pass(stack, {e}, 2, 1), pass(lowest, {g}, 2, 1)}](const Segment& s) { together(s, parts); },
                    all_orders});
    add("transact: one object alone", {both(set(left, "a", "value 00"), remove(left, "b"))});
    add("transact: the heap of the second grows", {set(left, "a", "value 09"), set(right, "long", letters(6000, 'l'))});
    add("transact: the heap of the first grows, and the second needs an extent",
        {set(left, "long", letters(6000, 'l')), set(right, "large", letters(33'000, 'L'))});
    rows.back().long_way = true;
    // One change, then another that is taken back: its number is the next one's.
    rows.push_back({"transact: roll back, after all was changed", joint_world,
                    [](const Segment& s) {
                        together(s, {set(left, "a", "value 09"), set(right, "a", "value 11")});
                        Part fails = take(1);
                        fails.change = [change = fails.change](const Segment& segment, Tx& tx, Heap& heap) {
                            change(segment, tx, heap);
                            throw 0;
                        };
                        try {
                            together(s, {set(left, "b", letters(200, 'b')), remove(right, "b"), fails});
                        } catch (int) {
                        }
                    },
                    joint_contents});
    return rows;
}

}  // namespace muster::test
