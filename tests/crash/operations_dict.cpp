#include "crash/subject.hpp"

namespace muster::test {
namespace {

using containers::Bytes;
using containers::Directory;
using containers::Table;
using heap::Kind;
using segment::Segment;

void set(const Segment& segment, std::string_view key, std::string_view value) {
    table(segment).set(bytes(key), {}, bytes(value));
}
void erase(const Segment& segment, std::string_view key) { table(segment).remove(bytes(key)); }

// One shape for long values: length and the letters it is made of.
std::string brief(Bytes from) {
    const std::string text(reinterpret_cast<const char*>(from.data()), from.size());
    if (text.size() <= 24) return text;
    const bool uniform = text.find_first_not_of(text[0]) == std::string::npos;
    return std::to_string(text.size()) + (uniform ? std::string(" x ") + text[0] : " mixed");
}

std::string dict_items(const Segment& segment) {
    std::string text, wrong;
    const Table dict = table(segment);
    dict.for_each([&](std::uint64_t size) { text = std::to_string(size) + ":"; },
                           [&](Bytes key, Bytes value) { text += " " + brief(key) + "=" + brief(value); });
    dict.verify([&](const std::string& violation) { wrong += " VIOLATION " + violation; });
    return text + wrong;
}

void make_dict(const Segment& segment) { Directory(segment).create(Kind::dict, 0u); }

void fill_dict(const Segment& segment, int count) {
    make_dict(segment);
    for (int i = 0; i < count; ++i) set(segment, "k" + std::to_string(i), "v" + std::to_string(i));
}
void three(const Segment& segment) { fill_dict(segment, 3); }

}  // namespace

std::vector<Operation> dict_operations() {
    std::vector<Operation> all;
    const auto add = [&](const char* name, auto setup, auto run) { all.push_back({name, setup, run, dict_items}); };
    add("dict: set, the first", make_dict, [](const Segment& s) { set(s, "k", "v"); });
    add("dict: set, a new key", three, [](const Segment& s) { set(s, "new", "value"); });
    add("dict: set, a new key in a tombstone",
        [](const Segment& s) {
            fill_dict(s, 9);
            for (int i = 2; i < 7; ++i) erase(s, "k" + std::to_string(i));
        },
        [](const Segment& s) { set(s, "k4", "again"); });
    add("dict: set, the index grows", [](const Segment& s) { fill_dict(s, 12); },
        [](const Segment& s) { set(s, "new", "value"); });
    add("dict: set, the heap grows",
        [](const Segment& s) {
            three(s);
            set(s, "filler", letters(2500, 'f'));
        },
        [](const Segment& s) { set(s, "new", letters(1500, 'n')); });
    add("dict: set, a large value", three, [](const Segment& s) { set(s, "new", letters(33'000, 'L')); });
    all.back().long_way = true;
    add("dict: set, over a value in place", three, [](const Segment& s) { set(s, "k1", "w1"); });
    add("dict: set, over a shorter value in place", three, [](const Segment& s) { set(s, "k1", "much longer"); });
    add("dict: set, over a value at the limit of in place",
        [](const Segment& s) {
            three(s);
            set(s, "k1", letters(Table::in_place_limit, 'a'));
        },
        [](const Segment& s) { set(s, "k1", letters(Table::in_place_limit, 'b')); });
    add("dict: set, over a value in another block", three, [](const Segment& s) { set(s, "k1", letters(200, 'b')); });
    add("dict: set, over the only value",
        [](const Segment& s) {
            make_dict(s);
            set(s, "k", "v");
        },
        [](const Segment& s) { set(s, "k", letters(200, 'b')); });
    add("dict: set, small over large",
        [](const Segment& s) {
            three(s);
            set(s, "k1", letters(33'000, 'L'));
        },
        [](const Segment& s) { set(s, "k1", "small"); });
    add("dict: store, if absent", three, [](const Segment& s) {
        table(s).store(bytes("new"), bytes("NEW"), bytes("v"), Table::If::absent);
    });
    add("dict: store, if equal", three, [](const Segment& s) {
        table(s).store(bytes("k1"), {}, bytes("swapped"), Table::If::equal, bytes("v1"));
    });
    add("dict: remove, in the middle", three, [](const Segment& s) { erase(s, "k1"); });
    add("dict: remove, the first", three, [](const Segment& s) { erase(s, "k0"); });
    add("dict: remove, the only one", [](const Segment& s) { fill_dict(s, 1); }, [](const Segment& s) { erase(s, "k0"); });
    add("dict: remove, a large value",
        [](const Segment& s) {
            three(s);
            set(s, "k1", letters(33'000, 'L'));
        },
        [](const Segment& s) { erase(s, "k1"); });
    add("dict: remove_last", three, [](const Segment& s) { table(s).remove_last([](Bytes, Bytes) { return true; }); });
    add("dict: clear", three, [](const Segment& s) { table(s).clear(); });
    add("dict: clear, with large and small extents",
        [](const Segment& s) {
            three(s);
            set(s, "filler", letters(4000, 'f'));
            set(s, "large", letters(33'000, 'L'));
            set(s, "gone", letters(33'000, 'L'));
            erase(s, "gone");
        },
        [](const Segment& s) { table(s).clear(); });
    add("dict: set, an empty value", three, [](const Segment& s) { set(s, "new", ""); });
    add("dict: set, a long key", three, [](const Segment& s) { set(s, letters(300, 'k'), "v"); });
    add("dict: set, a key written otherwise first", three,
        [](const Segment& s) { table(s).set(bytes("new"), bytes("NEW"), bytes("v")); });
    add("dict: set, the index is built anew without tombstones",
        [](const Segment& s) {
            fill_dict(s, 12);
            for (int i = 0; i < 8; ++i) erase(s, "k" + std::to_string(i));
        },
        [](const Segment& s) { set(s, "new", "value"); });
    add("dict: set, the first after the last was removed",
        [](const Segment& s) {
            fill_dict(s, 1);
            erase(s, "k0");
        },
        [](const Segment& s) { set(s, "k", "v"); });
    add("dict: set, large over large",
        [](const Segment& s) {
            three(s);
            set(s, "k1", letters(33'000, 'L'));
        },
        [](const Segment& s) { set(s, "k1", letters(34'000, 'M')); });
    all.back().long_way = true;
    add("dict: set, the index grows into an extent of its own", [](const Segment& s) { fill_dict(s, 3072); },
        [](const Segment& s) { set(s, "new", "value"); });
    all.back().long_way = true;
    add("dict: remove, the last", three, [](const Segment& s) { erase(s, "k2"); });
    add("dict: remove_last, the only one", [](const Segment& s) { fill_dict(s, 1); },
        [](const Segment& s) { table(s).remove_last([](Bytes, Bytes) { return true; }); });
    add("dict: clear, the only one", [](const Segment& s) { fill_dict(s, 1); }, [](const Segment& s) { table(s).clear(); });
    return all;
}

}  // namespace muster::test
