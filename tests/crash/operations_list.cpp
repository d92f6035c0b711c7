#include <stdexcept>

#include "containers/sequence.hpp"
#include "crash/subject.hpp"
#include "support/trace.hpp"

namespace muster::test {
namespace {

using containers::Sequence;
using muster::detail::Strings;
using segment::Segment;

constexpr int leaf = static_cast<int>(containers::leaf_capacity);

Strings numbered_strings(int count, const std::string& prefix) {
    Strings all;
    for (int i = 0; i < count; ++i) all.add(bytes(prefix + std::to_string(i)));
    return all;
}

// Short values are items themselves, long ones have blocks: the lists here have both.
std::string nth_value(int i) { return i % 3 == 0 ? "a value with a block " + std::to_string(i) : std::to_string(i); }

void make_list(const Segment& segment) { containers::Directory(segment).create(heap::Kind::list, 0u); }

std::function<void(const Segment&)> list_of(int count) {
    return [count](const Segment& segment) {
        make_list(segment);
        const Sequence list(segment, subject);
        auto lock = list.lock();
        for (int i = 0; i < count; ++i) Sequence(list).push_back(lock, bytes(nth_value(i)));
    };
}

std::string list_items(const Segment& segment) {
    const Sequence list(segment, subject);
    Strings all;
    list.read(0, list.size(), all);
    std::string text = std::to_string(all.size()) + ":";
    for (std::size_t i = 0; i < all.size(); ++i) text += " " + test::text(all[i]);
    list.verify([&](const std::string& violation) { text += " VIOLATION " + violation; });
    return text;
}

// fn(list, lock) as the operation.
template <typename Fn>
std::function<void(const Segment&)> list_change(Fn fn) {
    return [fn](const Segment& segment) {
        Sequence list(segment, subject);
        auto lock = list.lock();
        fn(list, lock);
    };
}

}  // namespace

std::vector<Operation> list_operations() {
    using heap::ObjectLock;
    std::vector<Operation> all;
    const auto add = [&](const char* name, auto setup, auto fn) {
        all.push_back({name, setup, list_change(fn), list_items});
    };
    const auto push = [](const std::string& what) {
        return [what](Sequence& list, ObjectLock& lock) { list.push_back(lock, bytes(what)); };
    };
    const auto insert = [](std::uint64_t index, const std::string& what) {
        return [=](Sequence& list, ObjectLock& lock) { list.insert(lock, index, bytes(what)); };
    };
    const auto set = [](std::uint64_t index, const std::string& what) {
        return [=](Sequence& list, ObjectLock& lock) { list.set(lock, index, bytes(what)); };
    };
    const auto erase = [](std::uint64_t index) {
        return [=](Sequence& list, ObjectLock& lock) { list.erase(lock, index); };
    };
    add("list: push_back, the first", make_list, push("one"));
    add("list: push_back, a value with a block", list_of(7), push(std::string(300, 'x')));
    add("list: push_back, a second leaf", list_of(leaf), push("one more"));
    add("list: push_back, a third leaf", list_of(2 * leaf), push("one more"));
    add("list: insert, at the front", list_of(7), insert(0, "front"));
    add("list: insert, in the middle", list_of(7), insert(3, "a value in the middle"));
    add("list: insert, a full leaf is split", list_of(leaf), insert(20, "middle"));
    add("list: insert, a full leaf among others is split", list_of(3 * leaf), insert(leaf + 20, "a value in the middle"));
    add("list: set, short for short", list_of(7), set(1, "new"));
    add("list: set, long for short", list_of(7), set(1, "a new value with a block"));
    add("list: set, short for long", list_of(7), set(3, "new"));
    add("list: erase, in the middle", list_of(7), erase(3));
    add("list: erase, the only one", list_of(1), erase(0));
    add("list: erase, two leaves are merged",
        [](const Segment& s) {
            list_of(leaf + 2)(s);
            Sequence list(s, subject);
            auto lock = list.lock();
            for (int i = 0; i < leaf - 20; ++i) list.erase(lock, 0);
        },
        [](Sequence& list, ObjectLock& lock) {
            for (int i = 0; i < 1; ++i) list.erase(lock, 3);
        });
    add("list: pop, the last", list_of(7), [](Sequence& list, ObjectLock& lock) {
        containers::Buffer out;
        list.pop(lock, 6, out);
    });
    add("list: pop, the first of many", list_of(leaf + 3), [](Sequence& list, ObjectLock& lock) {
        containers::Buffer out;
        list.pop(lock, 0, out);
    });
    add("list: extend, a few", list_of(7),
        [](Sequence& list, ObjectLock& lock) { list.extend(lock, numbered_strings(3, "more ")); });
    add("list: extend, over several leaves", list_of(7), [](Sequence& list, ObjectLock& lock) {
        list.extend(lock, numbered_strings(2 * leaf, "a value with a block "));
    });
    all.back().store_to_store = true;
    add("list: splice, items removed", list_of(20), [](Sequence& list, ObjectLock& lock) { list.splice(lock, 5, 15, {}); });
    add("list: splice, items replaced", list_of(20),
        [](Sequence& list, ObjectLock& lock) { list.splice(lock, 5, 8, numbered_strings(6, "another value ")); });
    add("list: rearrange", list_of(6), [](Sequence& list, ObjectLock& lock) {
        const std::vector<std::uint32_t> order{3, 1, 7, 0, 5, 4, 2, 6};
        list.rearrange(lock, numbered_strings(2, "added "), order, 5);
    });
    add("list: reverse", list_of(9), [](Sequence& list, ObjectLock& lock) { list.reverse(lock); });
    add("list: reverse, several leaves", list_of(leaf + 9), [](Sequence& list, ObjectLock& lock) { list.reverse(lock); });
    add("list: replace_all", list_of(9),
        [](Sequence& list, ObjectLock& lock) { list.replace_all(lock, numbered_strings(4, "a replacement ")); });
    add("list: clear", list_of(9), [](Sequence& list, ObjectLock& lock) { list.clear(lock); });
    add("list: clear, several leaves", list_of(2 * leaf), [](Sequence& list, ObjectLock& lock) { list.clear(lock); });
    add("list: insert, behind the last", list_of(7), insert(7, "behind"));
    add("list: insert, the first", make_list, insert(0, "one"));
    add("list: set, in the block that it has", list_of(7), set(3, "a value with a bloc3"));
    add("list: erase, the first", list_of(7), erase(0));
    add("list: erase, the last", list_of(7), erase(6));
    add("list: pop, the only one", list_of(1), [](Sequence& list, ObjectLock& lock) {
        containers::Buffer out;
        list.pop(lock, 0, out);
    });
    add("list: extend, an empty one", make_list,
        [](Sequence& list, ObjectLock& lock) { list.extend(lock, numbered_strings(3, "more ")); });
    add("list: splice, items added", list_of(20),
        [](Sequence& list, ObjectLock& lock) { list.splice(lock, 5, 5, numbered_strings(3, "another value ")); });
    add("list: splice, all items replaced", list_of(5),
        [](Sequence& list, ObjectLock& lock) { list.splice(lock, 0, 5, numbered_strings(2, "another value ")); });
    add("list: replace_all, an empty one", make_list,
        [](Sequence& list, ObjectLock& lock) { list.replace_all(lock, numbered_strings(2, "a replacement ")); });
    add("list: repeat, three times", list_of(5), [](Sequence& list, ObjectLock& lock) { list.repeat(lock, 3); });
    add("list: repeat, to several leaves", list_of(7), [](Sequence& list, ObjectLock& lock) { list.repeat(lock, 40); });
    all.back().store_to_store = true;
    add("list: repeat, not at all", list_of(9), [](Sequence& list, ObjectLock& lock) { list.repeat(lock, 0); });
    add("list: rearrange, a slice with a step assigned", list_of(9), [](Sequence& list, ObjectLock& lock) {
        const std::vector<std::uint32_t> order{0, 9, 2, 10, 4, 11, 6, 7, 8, 1, 3, 5};
        list.rearrange(lock, numbered_strings(3, "an assigned value "), order, 9);
    });
    add("list: clear, the only one", list_of(1), [](Sequence& list, ObjectLock& lock) { list.clear(lock); });
    // An author died between two steps of a long change: whoever changes the list next drops what is left of it.
    add("list: push_back, after a death inside a splice",
        [](const Segment& s) {
            list_of(20)(s);
            const auto splice =
                list_change([](Sequence& list, ObjectLock& lock) { list.splice(lock, 3, 9, numbered_strings(9, "lost ")); });
            std::size_t image = 0;
            do {
                if (!die_at_image(s, [&] { splice(s); }, image += 20)) throw std::runtime_error("nothing is left to drop");
                const ObjectLock held(s, subject);
            } while (heap::root_of<containers::SequenceRep>(heap::object_at(s, subject.id)).surplus == 0);
        },
        push("one"));

    const std::string large(33'000, 'L');  // an extent of its own
    const auto with_large = [=](const Segment& s) {
        list_of(7)(s);
        list_change(push(large))(s);
    };
    const auto long_way = [&](const char* name, auto setup, auto fn) {
        add(name, setup, fn);
        all.back().long_way = true;
    };
    long_way("list: push_back, a large value", list_of(7), push(large));
    long_way("list: set, large for short", list_of(7), set(1, large));
    add("list: set, short for large", with_large, set(7, "short"));
    add("list: erase, a large value", with_large, erase(7));
    add("list: pop, a large value", with_large, [](Sequence& list, ObjectLock& lock) {
        containers::Buffer out;
        list.pop(lock, 7, out);
    });
    add("list: clear, with a large value", with_large, [](Sequence& list, ObjectLock& lock) { list.clear(lock); });
    // Trees of one level more or less.
    constexpr int one_level = leaf * static_cast<int>(containers::node_capacity);
    long_way("list: push_back, a third level", list_of(one_level), push("one more"));
    long_way("list: insert, a full inner node is split", list_of(one_level), insert(leaf + 20, "middle"));
    long_way("list: pop, a level less",
             [](const Segment& s) {
                 list_of(one_level + 1)(s);
             },
             [](Sequence& list, ObjectLock& lock) {
                 containers::Buffer out;
                 list.pop(lock, one_level, out);
             });
    // As many words as the log takes, for the blocks are ones that were used before.
    long_way("list: extend, steps as long as the log allows",
             [](const Segment& s) {
                 list_of(1)(s);
                 list_change([](Sequence& list, ObjectLock& lock) {
                     list.extend(lock, numbered_strings(200, "a value with a block "));
                     while (list.size() > 1) list.erase(lock, 1);
                 })(s);
             },
             [](Sequence& list, ObjectLock& lock) { list.extend(lock, numbered_strings(150, "a value with a block ")); });
    all.back().log_entries = heap::object_log_capacity - 80;
    return all;
}

}  // namespace muster::test
