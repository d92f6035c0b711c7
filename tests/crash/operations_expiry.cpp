// A dict's keys that expire: set, changed, kept and swept, the dead in the middle of it.
#include "crash/subject.hpp"
#include "crash/service.hpp"

namespace muster::test {
namespace {

using containers::Bytes;
using containers::Directory;
using containers::Table;
using heap::Kind;
using segment::Segment;

// It is always this time in this program; what expires, has or has not.
constexpr std::uint64_t clock_now = 1000, past = 500, soon = 1500, later = 2000;
[[maybe_unused]] const auto fixed = containers::expiry_clock = []() noexcept { return clock_now; };

void set_expiring(const Segment& segment, std::string_view key, std::string_view value,
                  std::uint64_t expiry = containers::never) {
    table(segment).store(bytes(key), {}, bytes(value), Table::If::always, {}, {}, expiry);
}

std::string expiring_items(const Segment& segment) {
    std::string text, wrong;
    std::vector<std::string> keys;
    const auto as_text = [](Bytes from) { return std::string(reinterpret_cast<const char*>(from.data()), from.size()); };
    table(segment).for_each(
        [&](std::uint64_t size) {
            text = std::to_string(size) + ":";
            keys.clear();
        },
        [&](Bytes key, Bytes value) {
            keys.push_back(as_text(key));
            text += " " + keys.back() + "=" + (value.size() < 20 ? as_text(value) : std::to_string(value.size()));
        });
    for (const std::string& key : keys) {
        const auto expiry = table(segment).expiry(bytes(key));
        text += " " + (!expiry ? "?" : *expiry == containers::never ? "-" : std::to_string(*expiry));
    }
    table(segment).verify([&](const std::string& violation) { wrong += " VIOLATION " + violation; });
    const auto& root = heap::root_of<containers::TableRep>(heap::object_at(segment, subject.id));
    return text + ", keeps " + std::to_string(root.size) + wrong;  // also what nobody sees
}

void four(const Segment& segment) {
    Directory(segment).open_or_create("dict", Kind::dict, {});
    set_expiring(segment, "stays", "v");
    set_expiring(segment, "soon", "v", soon);
    set_expiring(segment, "gone", "v", past);
    set_expiring(segment, "later", "v", later);
}
void only(const Segment& segment) {
    Directory(segment).open_or_create("dict", Kind::dict, {});
    set_expiring(segment, "k", "v", soon);
}
void some_gone(const Segment& segment) {
    four(segment);
    for (int i = 0; i < 7; ++i) set_expiring(segment, "k" + std::to_string(i), "v", i % 2 == 0 ? past : later);
}
void halfway(const Segment& segment) {
    some_gone(segment);
    table(segment).sweep(3);  // it is to go on at "later"
}

}  // namespace

std::vector<Operation> expiry_operations() {
    std::vector<Operation> all;
    const auto add = [&](const char* name, auto setup, auto run) -> Operation& {
        all.push_back({name, setup, run, expiring_items});
        return all.back();
    };
    add("dict: store, the first that expires", [](const Segment& s) { Directory(s).create(Kind::dict, 0u); },
        [](const Segment& s) { set_expiring(s, "k", "v", soon); });
    add("dict: store, another that expires, before all others", four,
        [](const Segment& s) { set_expiring(s, "new", "v", clock_now + 1); });
    add("dict: store, over one that stays", four, [](const Segment& s) { set_expiring(s, "stays", "w", later); });
    add("dict: store, over one that expires", four, [](const Segment& s) { set_expiring(s, "later", "w", soon); });
    add("dict: store, if equal, and it expires as before", four, [](const Segment& s) {
        table(s).store(bytes("soon"), {}, bytes("w"), Table::If::equal, bytes("v"));
    });
    add("dict: store, over one that has expired", four,
        [](const Segment& s) { set_expiring(s, "gone", "w", soon); }).in_steps = true;
    add("dict: set, over one that expires", four, [](const Segment& s) { table(s).set(bytes("soon"), {}, bytes("w")); });
    add("dict: set, over the only one that expires", only, [](const Segment& s) { table(s).set(bytes("k"), {}, bytes("w")); });
    add("dict: set, over one that has expired", four, [](const Segment& s) {
        table(s).set(bytes("gone"), {}, bytes("w"));
    }).in_steps = true;
    add("dict: set, what has expired makes room in the index",
        [](const Segment& s) {
            four(s);
            for (int i = 0; i < 8; ++i) set_expiring(s, "k" + std::to_string(i), "v", past);
        },
        [](const Segment& s) { set_expiring(s, "new", "v"); });
    all.back().in_steps = true;
    // Rid of a part of them the index has room: the rest stays.
    all.back().again_too = [](const std::string& state, const std::string& after) {
        return state.substr(0, state.find(", keeps")) == after.substr(0, after.find(", keeps"));
    };
    add("dict: set, where a sweep is to go on", halfway,
        [](const Segment& s) { set_expiring(s, "later", std::string(200, 'w')); });
    add("dict: remove, one that expires", four, [](const Segment& s) { table(s).remove(bytes("soon")); });
    add("dict: remove, one that has expired", four, [](const Segment& s) { table(s).remove(bytes("gone")); });
    add("dict: remove, where a sweep is to go on", halfway, [](const Segment& s) { table(s).remove(bytes("later")); });
    add("dict: remove_last, behind what has expired",
        [](const Segment& s) {
            four(s);
            set_expiring(s, "end", "v", past);
        },
        [](const Segment& s) { table(s).remove_last([](Bytes, Bytes) { return true; }); }).in_steps = true;
    add("dict: clear, with a sweep under way", halfway, [](const Segment& s) { table(s).clear(); });
    add("dict: expire, one that stayed", four, [](const Segment& s) { table(s).expire(bytes("stays"), later); });
    add("dict: expire, one that would later", four, [](const Segment& s) { table(s).expire(bytes("later"), clock_now + 1); });
    add("dict: expire, with a sweep under way", halfway,
        [](const Segment& s) { table(s).expire(bytes("soon"), clock_now + 1); });
    add("dict: persist", four, [](const Segment& s) { table(s).persist(bytes("soon")); });
    add("dict: persist, the only one that expires", only, [](const Segment& s) { table(s).persist(bytes("k")); });
    add("dict: sweep, all", some_gone, [](const Segment& s) { table(s).sweep(containers::never); }).in_steps = true;
    add("dict: sweep, a part", some_gone, [](const Segment& s) { table(s).sweep(5); }).in_steps = true;
    add("dict: sweep, the rest", halfway, [](const Segment& s) { table(s).sweep(containers::never); }).in_steps = true;
    add("dict: sweep, the only one",
        [](const Segment& s) {
            Directory(s).create(Kind::dict, 0u);
            set_expiring(s, "k", "v", past);
        },
        [](const Segment& s) { table(s).sweep(containers::never); }).in_steps = true;

    Operation& service = add("realm: sweep_expired", some_gone, [](const Segment& s) { service_of(s).sweep_expired(); });
    service.in_steps = true;
    Operation& shut = add("realm: shut", four, [](const Segment& s) { service_of(s).shut(); });
    shut.in_steps = true;
    shut.contents = [](const Segment& s) {
        std::string text = Directory(s).closed() ? "closed" : "open";
        for (const auto& entry : Directory(s).list()) text += " " + entry.name;
        return text;
    };
    return all;
}

}  // namespace muster::test
