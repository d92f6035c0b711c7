// A realm is checked while others work in it.
#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

#include <muster/ipc.hpp>

#include "containers/containers.hpp"
#include "support/local_realm.hpp"
#include "tx/tx.hpp"

using namespace muster;
using containers::Inspection;
using containers::words_per_visit;
using heap::root_of;

namespace {

// One of every kind, large enough for inner nodes, chunks, blocks of their own, tombstones, free blocks.
void fill(const Manager& manager) {
    auto dict = manager.dict<std::string, std::string>("dict");
    for (unsigned i = 0; i < 3000; ++i) dict.insert_or_assign("key " + std::to_string(i), std::string(i % 200, 'v'));
    for (int i = 0; i < 3000; i += 3) dict.pop("key " + std::to_string(i));
    dict.insert_or_assign("large", std::string(100'000, 'x'));
    dict.insert_or_assign(std::string(20'000, 'k'), "long key");
    auto list = manager.list<std::string>("list");
    for (unsigned i = 0; i < 9000; ++i) list.push_back(std::string(i % 40, 'i'));
    for (int i = 0; i < 500; ++i) list.insert(i * 3, "between");
    list.push_back(std::string(70'000, 'y'));
    auto queue = manager.queue<std::string>("queue");
    for (unsigned i = 0; i < 5000; ++i) queue.put(std::string(i % 100, 'q'));
    queue.put(std::string(50'000, 'z'));
    for (int i = 0; i < 1500; ++i) (void)queue.get();
    QueueOptions by_value;
    by_value.order = Order::priority;
    auto heap = manager.queue<int>("priority", by_value);
    for (int i = 0; i < 3000; ++i) heap.put(i * 7919 % 3001);
    auto set = manager.set<int>("set");
    for (int i = 0; i < 100; ++i) set.add(i);
    manager.counter<std::string>("counter").increment("n");
    manager.ns("namespace").set("x", 1);
    manager.value<int>("value", 3);
    manager.array<double>("array", 10'000);
    manager.array<bool>("truths", 50'000);
    (void)manager.lock("lock");
}

// Four handles to a list and a dict of it, at several depths, and in a lease.
void nest(const Manager& manager) {
    auto inner = manager.list<int>();
    auto outer = manager.dict<std::string, Value>("outer");
    outer.set("inner", to_value(inner));
    outer.set("deeper", Value{{"a", {1, to_value(inner), 2.5, "text"}}, {"b", Value::array({nullptr, to_value(outer)})}});
    auto line = manager.queue<List<int>>("line");
    line.put(inner);
}

struct Found {
    std::vector<std::string> violations;
    std::uint64_t elements = 0, most = 0;
    bool undisturbed = true;
};

std::vector<std::uint64_t> extents_of(const segment::Segment& segment, std::uint32_t id) {
    std::vector<std::uint64_t> found;
    heap::Extents(segment).for_each([&](const heap::Extent& extent) {
        if (extent.owner == id) found.push_back(extent.offset);
    });
    return found;
}

Found in_pieces(const segment::Segment& segment, const std::string& name) {
    const auto entry = containers::Directory(segment).find_any(name);
    REQUIRE(entry);
    Found found;
    const Inspection::Tell tell = [&](const char* invariant, std::string text) {
        found.violations.push_back(std::string(invariant) + " " + std::move(text));
    };
    Inspection inspection(segment, entry->ref, extents_of(segment, entry->ref.id), tell);
    inspection.run();
    found.elements = inspection.elements();
    found.most = inspection.most_words();
    found.undisturbed = inspection.undisturbed();
    return found;
}

heap::ObjectRep& object_of(const segment::Segment& segment, const std::string& name) {
    return heap::object_at(segment, containers::Directory(segment).find_any(name)->ref.id);
}

// A word that a stranger overwrites, until the end of the scope.
class Scribble {
  public:
    template <typename T>
    Scribble(const tx::Cell<T>& cell, std::uint64_t value)
        : word_(reinterpret_cast<std::byte*>(const_cast<tx::Cell<T>*>(&cell))), size_(sizeof(T)) {
        std::memcpy(&old_, word_, size_);
        std::memcpy(word_, &value, size_);
    }
    Scribble(const Scribble&) = delete;
    Scribble& operator=(const Scribble&) = delete;
    ~Scribble() { std::memcpy(word_, &old_, size_); }

  private:
    std::byte* word_;
    std::size_t size_;
    std::uint64_t old_ = 0;
};

bool says(const std::vector<session::Violation>& violations, const std::string& invariant, const std::string& object,
          const std::string& text) {
    return std::any_of(violations.begin(), violations.end(), [&](const session::Violation& violation) {
        return violation.invariant == invariant && violation.object == object && violation.text.find(text) != text.npos;
    });
}

class Writers {
  public:
    template <typename Work>
    Writers(int count, Work work) {
        for (int i = 0; i < count; ++i)
            threads_.emplace_back([this, i, work] {
                for (unsigned n = 0; !stop_; ++n, ++done_) work(i, n);
            });
        while (done_ < 100) std::this_thread::yield();
    }
    ~Writers() {
        stop_ = true;
        for (auto& thread : threads_) thread.join();
    }
    std::uint64_t done() const { return done_; }

  private:
    std::atomic<bool> stop_ = false;
    std::atomic<std::uint64_t> done_ = 0;
    std::vector<std::thread> threads_;
};

// A search may go over some slots more than there was room for.
constexpr std::uint64_t most_words = words_per_visit + words_per_visit / 2;

// On a busy machine a writer that does not run may be inside for longer than a check waits (I9): then again.
template <typename Daemon>
session::CheckReport looked_at_all(const Daemon& daemon) {
    auto report = daemon.check();
    const auto inside = [](const session::Violation& violation) { return violation.invariant == session::somebody_inside; };
    for (int i = 0; i < 50 && std::any_of(report.violations.begin(), report.violations.end(), inside); ++i) report = daemon.check();
    return report;
}

}  // namespace

TEST_CASE("check tells of every invariant how much it looked at, and locks nothing for what stands still") {
    test::LocalRealm realm;
    fill(realm.manager());
    auto [left, right] = realm.manager().pipe<std::string>();
    left.send("message");
    nest(realm.manager());
    const auto report = realm.daemon().check();
    for (const auto& violation : report.violations)
        FAIL_CHECK(violation.invariant << " " << violation.object << ": " << violation.text);
    CHECK(report.objects == 15);
    CHECK(report.most_words_locked == 0);
    CHECK(report.in_pieces == 0);
    CHECK(report.copied == 17);
    std::vector<std::string> names;
    for (const auto& each : report.invariants) {
        names.push_back(each.invariant);
        CHECK(each.checked > 0);
        CHECK(each.violations == 0);
    }
    CHECK(names == std::vector<std::string>{"layout", "I1", "I2", "I6", "I9", "I10", "I13"});
}

TEST_CASE("handles in values whose marks are missing are told; bytes that only look like one are not") {
    test::LocalRealm realm;
    const Manager manager = realm.manager();
    nest(manager);
    const auto inner = manager.queue<List<int>>("line").peek();
    REQUIRE(inner);
    const auto lease = manager.queue<List<int>>("line").get_leased();
    const auto never = manager.list<int>();
    Writer bytes;
    encode(bytes, never);
    manager.list<std::string>("texts").push_back({reinterpret_cast<const char*>(bytes.bytes().data()), bytes.bytes().size()});
    const auto of_handles = [&] {
        std::vector<session::Violation> all;
        std::uint64_t checked = 0;
        const auto report = realm.daemon().check();
        for (const auto& each : report.violations)
            if (each.invariant == "I13") all.push_back(each);
        for (const auto& each : report.invariants)
            if (each.invariant == "I13") checked = each.checked;
        CHECK(checked == 4);
        return all;
    };
    CHECK(of_handles().empty());
    const auto& segment = realm.session().segment();
    auto& object = heap::object_at(segment, inner->ref().id);
    {
        const Scribble it(object.flags, object.flags & ~std::uint32_t{heap::flag_stored});
        const auto found = of_handles();
        CHECK(found.size() == 3);
        CHECK(says(found, "I13", "outer", "#" + std::to_string(inner->ref().id) + ", which is not marked as stored"));
        CHECK(says(found, "I13", "line", "not marked as stored"));
    }
    {
        auto& outer = object_of(segment, "outer");
        const Scribble it(outer.flags, outer.flags & ~std::uint32_t{heap::flag_with_handles});
        const auto found = of_handles();
        CHECK(found.size() == 1);
        CHECK(says(found, "I13", "outer", "handles stand in it, and it is not marked"));
    }
    CHECK(of_handles().empty());
}

TEST_CASE("an object in pieces is looked at whole, a bounded number of words under one lock") {
    test::LocalRealm realm;
    fill(realm.manager());
    const auto& segment = realm.session().segment();
    const std::vector<std::pair<std::string, std::uint64_t>> expected{
        {"dict", 2002}, {"list", 9501}, {"queue", 3501}, {"priority", 3000 / 64}, {"set", 100},
        {"counter", 1}, {"namespace", 1}, {"value", 0}, {"array", 1}, {"truths", 1}, {"lock", 0}};
    for (const auto& [name, elements] : expected) {
        const Found found = in_pieces(segment, name);
        CAPTURE(name);
        CHECK(found.violations == std::vector<std::string>{});
        CHECK(found.undisturbed);
        if (name != "list") CHECK(found.elements >= elements);  // short items stand in the leaves
        const std::uint64_t long_key = name == "dict" ? 20'000 / 8 : 0;
        CHECK(found.most <= most_words + long_key);
    }
}

TEST_CASE("damage is found in pieces as in a copy, and where it is") {
    test::LocalRealm realm;
    fill(realm.manager());
    const auto& segment = realm.session().segment();
    const auto finds = [&](const std::string& name, const std::string& invariant, const std::string& text) {
        const Found found = in_pieces(segment, name);
        CAPTURE(name, text, found.violations);
        CHECK(std::any_of(found.violations.begin(), found.violations.end(), [&](const std::string& violation) {
            return violation.starts_with(invariant) && violation.find(text) != text.npos;
        }));
        const auto report = realm.daemon().check();
        CHECK(std::any_of(report.violations.begin(), report.violations.end(),
                          [&](const session::Violation& violation) { return violation.object == name; }));
        for (const auto& violation : report.violations) CHECK(violation.object == name);
    };
    auto& table = root_of<containers::TableRep>(object_of(segment, "dict"));
    const auto& first = *segment.block<containers::EntryRep>(table.head);
    const auto& second = *segment.block<containers::EntryRep>(first.next);
    const std::string where = "entry at " + std::to_string(first.next.get());
    { const Scribble it(second.hash, second.hash + 1); finds("dict", "I1", where + ": its hash differs"); }
    { const Scribble it(second.prev, table.tail); finds("dict", "I1", where + ": backward link"); }
    { const Scribble it(second.next, table.head); finds("dict", "I1", where + ": forward link"); }
    { const Scribble it(second.value, 60'000); finds("dict", "I6", "outside the object's extents"); }
    { const Scribble it(table.size, table.size + 1); finds("dict", "I1", "size differs"); }
    { const Scribble it(table.used, table.used - 1); finds("dict", "I1", "used slots"); }
    {
        const auto* slots = segment.block<tx::Cell<std::uint64_t>>(table.index, table.slot_count);
        std::uint64_t slot = 0;
        while ((slots[slot] & 0xffff'ffff'ffff) != first.next) ++slot;
        const Scribble it(slots[slot], 1);
        finds("dict", "I1", where + ": not found by its key");
    }
    auto& list = root_of<containers::SequenceRep>(object_of(segment, "list"));
    const auto& root = *segment.block<containers::NodeRep>(list.main.root);
    { const Scribble it(root.before[1], root.before[2]); finds("list", "I1", "counts of a node"); }
    { const Scribble it(list.size, list.size + 1); finds("list", "I1", ""); }
    { const Scribble it(list.main.tail_begin, list.main.tail_begin - 1); finds("list", "I1", "last leaf"); }
    { const Scribble it(root.child[0], 4096); finds("list", "I", ""); }
    auto& queue = root_of<containers::QueueRep>(object_of(segment, "queue"));
    { const Scribble it(queue.fifo.puts, queue.fifo.puts - 1); finds("queue", "I1", "tail"); }
    { const Scribble it(queue.fifo.head, queue.fifo.head + 8); finds("queue", "I", ""); }
    { const Scribble it(queue.leased.count, 1); finds("queue", "I1", "lease: count"); }
    auto& priority = root_of<containers::QueueRep>(object_of(segment, "priority"));
    { const Scribble it(priority.tree.height, 7); finds("priority", "I", ""); }
    auto& array = root_of<containers::ScalarsRep>(object_of(segment, "truths"));
    {
        const auto& word = *segment.block<tx::Cell<std::uint64_t>>(array.data);
        const Scribble it(word, 0x100 * 2);
        finds("truths", "I1", "neither true nor false");
    }
    for (const std::string name : {"dict", "list", "queue", "array"}) {
        heap::HeapRep& heap = object_of(segment, name).heap;
        { const Scribble it(heap.live, heap.live + 16); finds(name, "I6", "reachable"); }
        { const Scribble it(heap.bytes, heap.bytes + 4096); finds(name, "I6", "count of bytes"); }
        { const Scribble it(heap.extents, 0); finds(name, "I6", "in no list of its owner"); }
    }
    CHECK(realm.daemon().check().violations.empty());
}

TEST_CASE("an extent that is tagged and in no list is found beside a whole object") {
    test::LocalRealm realm;
    realm.manager().dict<int, int>("dict").insert_or_assign(1, 1);
    const auto& segment = realm.session().segment();
    const auto id = containers::Directory(segment).find_any("dict")->ref.id;
    const heap::Extent stray = heap::Extents(segment).acquire(4096, id);
    CHECK(says(realm.daemon().check().violations, "I6", "dict", "extent at " + std::to_string(stray.offset) + ": in no list"));
    heap::Extents(segment).give_back(stray.offset, id);
    const heap::Extent nobodys = heap::Extents(segment).acquire(4096, 77);
    CHECK(says(realm.daemon().check().violations, "I6", "#77", "not there"));
    heap::Extents(segment).give_back(nobodys.offset, 77);
    CHECK(realm.daemon().check().violations.empty());
}

TEST_CASE("a log or a number that is left half done with nobody inside is told") {
    test::LocalRealm realm;
    realm.manager().dict<int, int>("dict").insert_or_assign(1, 1);
    const auto& segment = realm.session().segment();
    auto& domain = object_of(segment, "dict").domain;
    domain.sequence += 1;
    CHECK(says(realm.daemon().check().violations, "I2", "dict", "odd"));
    domain.sequence += 1;
    domain.log_count = 1;
    CHECK(says(realm.daemon().check().violations, "I2", "dict", "not empty"));
    domain.log_count = 0;
    CHECK(realm.daemon().check().violations.empty());
}

TEST_CASE("check under load looks at no more words under one lock than an ordinary change, and finds damage all the same") {
    test::LocalRealm realm(1u << 30);
    const auto manager = realm.manager();
    const auto& segment = realm.session().segment();
    auto dict = manager.dict<int, std::string>("million");
    constexpr int entries = 1'000'000;
    for (int i = 0; i < entries; ++i) dict.insert_or_assign(i, std::string(40, 'v'));
    auto other = manager.dict<int, int>("other");
    for (int i = 0; i < 100; ++i) other.insert_or_assign(i, i);
    auto small = manager.dict<int, int>("small");
    auto list = manager.list<int>("list");
    for (int i = 0; i < 10'000; ++i) list.push_back(i);
    auto queue = manager.queue<int>("queue");
    const auto daemon = realm.daemon();
    {
        const Writers writers(4, [&](int writer, unsigned n) {
            const int key = entries / 2 + static_cast<int>((n * 7919u + static_cast<unsigned>(writer) * 104'729u) % (entries / 2));
            switch (n % 8) {
                case 0: dict.erase(key); break;
                case 1: small.insert_or_assign(static_cast<int>(n % 50), writer); break;
                case 2: list.insert(0, writer); break;
                case 3: list.pop(5); break;
                case 4: queue.put(writer); break;
                case 5: (void)queue.try_get(); break;
                default: dict.insert_or_assign(key, std::string(n % 60, 'w'));
            }
        });
        const std::uint64_t before = writers.done();
        const auto sound = looked_at_all(daemon);
        for (const auto& violation : sound.violations)
            FAIL_CHECK(violation.invariant << " " << violation.object << ": " << violation.text);
        CHECK(sound.in_pieces > 0);
        CHECK(sound.visits > entries / words_per_visit);
        CHECK(sound.most_words_locked > 0);
        CHECK(sound.most_words_locked <= most_words);
        CHECK(writers.done() > before);  // they were at work meanwhile

        // Elsewhere, and in an entry that the writers leave alone.
        const auto& mine = *segment.block<containers::EntryRep>(root_of<containers::TableRep>(object_of(segment, "other")).head);
        const auto& old = *segment.block<containers::EntryRep>(root_of<containers::TableRep>(object_of(segment, "million")).head);
        const Scribble in_other(mine.hash, mine.hash + 1), in_busy(old.hash, old.hash + 0x10000);
        const auto damaged = looked_at_all(daemon);
        CHECK(says(damaged.violations, "I1", "other", ""));
        CHECK(says(damaged.violations, "I1", "million",
                   "entry at " + std::to_string(segment.offset_of(&old)) + ": its hash differs from its key's"));
        for (const auto& violation : damaged.violations) CHECK((violation.object == "other" || violation.object == "million"));
        CHECK(damaged.most_words_locked <= most_words);
    }
    CHECK(daemon.check().violations.empty());
}

TEST_CASE("objects that come and go under a check are no damage") {
    test::LocalRealm realm;
    const auto manager = realm.manager();
    const auto daemon = realm.daemon();
    const Writers writers(3, [&](int writer, unsigned n) {
        const std::string name = "object " + std::to_string(writer) + "/" + std::to_string(n % 7);
        auto list = manager.list<std::string>(name);
        list.push_back(std::string(n % 9000, 'x'));
        if (n % 3 == 0) manager.erase(name);
        auto mine = manager.dict<int, int>();
        mine.insert_or_assign(1, 1);
    });
    for (int i = 0; i < 30; ++i) {
        const auto report = looked_at_all(daemon);
        for (const auto& violation : report.violations)
            FAIL_CHECK(violation.invariant << " " << violation.object << ": " << violation.text);
    }
}
