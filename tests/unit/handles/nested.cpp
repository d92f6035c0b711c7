// Handles as values: live objects in objects, and what keeps them.
#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

#include <muster/ipc.hpp>

#include "support/collected_realm.hpp"
#include "support/fails_with.hpp"
#include "sync/sync.hpp"

using muster::Errc;
using muster::Value;
using muster::test::code_of;

namespace {

using World = muster::test::CollectedRealm;

}  // namespace

TEST_CASE("a handle that is stored is the object itself") {
    World world;
    auto table = world.manager.dict<std::string, muster::List<int>>("table");
    auto list = world.manager.list<int>();
    table.set("a", list);
    table.at("a").push_back(1);
    CHECK(list.snapshot() == std::vector<int>{1});
    CHECK(table.at("a") == list);
}

TEST_CASE("a stored object outlives its handles, and goes with the value") {
    World world;
    auto table = world.manager.dict<std::string, muster::List<int>>("table");
    const auto before = world.realm.object_count();
    table.set("a", world.manager.list<int>());
    table.at("a").push_back(7);
    CHECK(world.collect() == 0);
    CHECK(table.at("a").snapshot() == std::vector<int>{7});
    table.erase("a");
    CHECK(world.collect() == 1);
    CHECK(world.realm.object_count() == before);
    CHECK(world.realm.check().violations.empty());
}

TEST_CASE("what is held is not freed, nor what it reaches") {
    World world;
    auto outer = world.manager.list<muster::List<int>>();
    outer.push_back(world.manager.list<int>());
    auto table = world.manager.dict<std::string, muster::List<muster::List<int>>>("table");
    table.set("outer", outer);
    table.clear();
    CHECK(world.collect() == 0);
    outer.at(0).push_back(3);
    CHECK(outer.pop().snapshot() == std::vector<int>{3});
    CHECK(world.collect() == 1);
}

TEST_CASE("cycles are freed when nobody reaches them") {
    World world;
    const auto before = world.realm.object_count();
    {
        auto a = world.manager.list(), b = world.manager.list();
        a.push_back(muster::to_value(b));
        b.push_back(muster::to_value(a));
        a.push_back(muster::to_value(a));
        CHECK(code_of([&] { muster::deep_copy(a); }) == Errc::value_error);
        CHECK(world.collect() == 0);
    }
    CHECK(world.realm.object_count() == before + 2);
    CHECK(world.collect() == 2);
    CHECK(world.realm.object_count() == before);
}

TEST_CASE("values in queues, leases and pipes keep what they name") {
    World world;
    auto queue = world.manager.queue<muster::List<int>>("queue", {.max_deliveries = 1});
    for (int i = 0; i < 3; ++i) queue.put(world.manager.list<int>());
    { auto dead = queue.get_leased(); }  // delivered once too often
    {
        auto lease = queue.get_leased();
        CHECK(world.collect() == 0);
        lease.ack();
    }
    CHECK(world.collect() == 1);
    CHECK(queue.dead_letters().size() == 1);
    auto [ours, theirs] = world.manager.pipe<muster::List<int>>();
    theirs.send(queue.get());
    CHECK(world.collect() == 0);
    ours.recv().push_back(1);
    CHECK(world.collect() == 1);
    CHECK(queue.drop_dead_letters() == 1);
    CHECK(world.collect() == 1);
}

TEST_CASE("a handle to an object that was erased by name reads as destroyed") {
    World world;
    auto table = world.manager.dict<std::string, muster::List<int>>("table");
    table.set("a", world.manager.list<int>("named"));
    CHECK(world.collect() == 0);
    world.manager.erase("named");
    CHECK(code_of([&] { table.at("a").push_back(1); }) == Errc::destroyed);
    CHECK(world.realm.check().violations.empty());
}

TEST_CASE("wrong handles are refused, and nothing is stored") {
    World world, other;
    auto list = world.manager.list<Value>("list");
    const auto foreign = other.manager.list<int>();
    CHECK(code_of([&] { list.push_back(muster::to_value(foreign)); }) == Errc::invalid_argument);
    Value gone;
    { gone = muster::to_value(world.manager.list<int>()); }
    CHECK(code_of([&] { list.push_back(gone); }) == Errc::destroyed);
    CHECK(code_of([&] { list.push_back(Value::array({1, gone})); }) == Errc::destroyed);
    CHECK(list.empty());
    auto mixed = world.manager.dict<std::string, muster::List<int>>("mixed");
    world.manager.find<muster::Dict<>>("mixed")->set("dict", muster::to_value(mixed));
    CHECK(code_of([&] { mixed.at("dict"); }) == Errc::type_mismatch);
    auto keys = world.manager.dict<Value, int>("keys");
    CHECK(code_of([&] { keys.set(muster::to_value(list), 1); }) == Errc::unhashable);
}

TEST_CASE("dynamic values name objects, and open them") {
    World world;
    auto table = world.manager.dict("table");
    table.set("list", muster::to_value(world.manager.list()));
    const Value value = table.at("list");
    REQUIRE(muster::is_handle(value));
    auto object = world.manager.open(value);
    CHECK(object.kind() == "list");
    object.as<muster::List<>>().extend({1, "two"});
    CHECK(muster::deep_copy(table) == Value{{"list", {1, "two"}}});
    const Value taken = *table.pop("list");
    CHECK(world.manager.open<muster::List<>>(taken).size() == 2);
    CHECK(code_of([&] { world.manager.open(Value(1)); }) == Errc::type_mismatch);
}

TEST_CASE("nothing is freed while a thread has taken a value out and does not hold yet what it names") {
    World world;
    auto list = world.manager.list<muster::List<int>>("list");
    list.push_back(world.manager.list<int>());
    list.clear();
    world.session->moving() = 1;
    const auto report = world.realm.collect(true, 1'000'000);
    CHECK(report.done);
    CHECK(report.held_up);
    CHECK(report.freed == 0);
    world.session->moving() = 0;
    CHECK(world.collect() == 1);
}

TEST_CASE("who takes plain values out needs no slot for it") {
    World world;
    auto list = world.manager.list<int>("list");
    auto queue = world.manager.queue<int>("queue");
    auto table = world.manager.dict<int, int>("table");
    list.push_back(1);
    queue.put(2);
    table.set(3, 3);
    CHECK(list.pop() == 1);
    CHECK(queue.get() == 2);
    CHECK(table.pop(3) == 3);
    const muster::sync::Sessions sessions(world.session->segment());
    CHECK(sessions.slots().empty());
    auto nested = world.manager.list<muster::List<int>>("nested");
    nested.push_back(list);
    CHECK(nested.pop() == list);
    CHECK(sessions.slots().empty());  // what it names was held before
    auto jobs = world.manager.queue<muster::List<int>>("jobs");
    jobs.put(list);
    CHECK(jobs.get_leased().value() == list);
    CHECK(sessions.slots().size() == 1);  // the mark
    CHECK_FALSE(sessions.any_moving());
}

TEST_CASE("who leases without a mark as the first handle is stored is refused, and nothing is changed") {
    World world;
    const muster::segment::Segment& segment = world.session->segment();
    const muster::containers::Directory& directory = world.session->directory();
    auto queue = world.manager.queue("queue");
    auto list = world.manager.list("list");
    queue.put(1);
    CHECK(queue.get() == 1);
    queue.put(muster::to_value(list));
    const auto found = directory.find_any("queue");
    REQUIRE(found);
    muster::containers::Queue bytes(segment, found->ref);
    muster::detail::Buffer out;
    muster::containers::Queue::Lease lease;
    constexpr auto plain = muster::heap::Taking::plain;
    CHECK_THROWS_AS(bytes.try_lease(7, out, lease, plain), muster::heap::HandlesInside);
    CHECK(out.size() == 0);
    CHECK(queue.size() == 1);
    CHECK(world.manager.open<muster::List<>>(queue.get()) == list);
}

TEST_CASE("the first handle that is stored in an object is alive when it is taken out, whoever collects meanwhile") {
    World world;
    std::atomic<bool> stop = false;
    std::thread collector([&] {
        while (!stop) (void)world.realm.collect(true, 1'000'000);
    });
    int lost = 0;
    for (int round = 0; round < 500; ++round) {
        auto way = world.manager.list<muster::List<int>>();
        std::thread storer([&] { way.push_back(world.manager.list<int>()); });
        const auto take = [&] {
            try {
                way.pop().push_back(round);
            } catch (const muster::Error& error) {
                if (error.errc() == Errc::index_error) return false;  // not stored yet
                ++lost;
            }
            return true;
        };
        while (!take()) std::this_thread::yield();
        storer.join();
    }
    stop = true;
    collector.join();
    CHECK(lost == 0);
    CHECK(world.realm.check().violations.empty());
}

TEST_CASE("a plain container that is stored is a copy") {
    World world;
    auto table = world.manager.dict<std::string, std::vector<int>>("table");
    std::vector<int> plain{1, 2};
    table.set("a", plain);
    plain.push_back(3);
    CHECK(table.at("a") == std::vector<int>{1, 2});
    auto read = table.at("a");
    read.push_back(4);
    CHECK(table.at("a") == std::vector<int>{1, 2});
}
