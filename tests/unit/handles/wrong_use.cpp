// Handles used wrongly: a row for each kind of object, an error of its own for each way.
#include <catch2/catch.hpp>

#include <functional>
#include <set>
#include <thread>

#include <muster/ipc.hpp>

#include "session/format.hpp"
#include "support/fails_with.hpp"
#include "support/local_realm.hpp"

using namespace muster;
using namespace std::chrono_literals;
using test::fails_with;

namespace {

using Calls = std::vector<std::function<void()>>;
using Joins = std::vector<std::function<void(const Manager&)>>;
struct Fails {
    Errc code;
    std::function<void()> call;
};

// One object of a kind, through a handle that the functions share.
struct Used {
    Calls calls;  // each fails when the object is not there any more
    std::vector<Fails> not_held, after_close;
    std::function<void()> close;          // for those that can be closed
    Joins elsewhere;  // each joins it with objects of that realm
};

struct Row {
    const char* variant;
    heap::Kind kind;
    std::function<Used(const Manager&, const std::string& name)> open;
    std::function<bool(const Manager&, const std::string& name)> find;
};

template <typename Handle>
bool there(const Manager& manager, const std::string& name) {
    return manager.find<Handle>(name).has_value();
}
template <typename Handle>
auto stored(Handle handle) {
    return [handle](const Manager& other) { other.dict<int, Handle>("dict").set(1, handle); };
}
template <typename Handle>
auto transacted(Handle handle) {
    return [handle](const Manager& other) { other.transact([&](Transaction& t) { (void)t(handle); }); };
}

Used of_queue(Queue<int> queue) {
    return {{[=]() mutable { queue.put(1); }, [=]() mutable { (void)queue.try_get(); }, [=] { (void)queue.size(); },
             [=]() mutable { queue.clear(); }, [=]() mutable { (void)queue.try_get_leased(); }, [=] { (void)queue.snapshot(); },
             [=]() mutable { queue.close(); }, [=] { (void)wait_any_for({queue}, 0s); }, [=] { (void)queue.version(); }},
            {{Errc::value_error, [=]() mutable { queue.task_done(); }},
             {Errc::not_owner,
              [=]() mutable {
                  queue.put(1);
                  auto leased = queue.get_leased();
                  leased.ack();
                  leased.ack();
              }}},
            {{Errc::closed, [=]() mutable { queue.put(1); }},
             {Errc::closed, [=]() mutable { (void)queue.get(); }},
             {Errc::closed, [=]() mutable { queue.put_many({1, 2}); }},
             {Errc::closed, [=]() mutable { (void)queue.get_leased(); }}},
            [=]() mutable { queue.close(); },
            {stored(queue), transacted(queue)}};
}

template <typename Of>
Used of_lock(Of lock, Errc free) {
    return {{[=]() mutable { lock.lock(); }, [=]() mutable { (void)lock.try_lock(); }, [=]() mutable { (void)lock.try_lock_for(1s); },
             [=]() mutable { (void)lock.break_lock(); }, [=] { (void)wait_any_for({lock}, 0s); }},
            {{free, [=]() mutable { lock.unlock(); }}},
            {},
            {},
            {stored(lock), [=](const Manager& other) { (void)other.condition(lock); }}};
}

Used of_semaphore(Semaphore semaphore, std::vector<Fails> not_held) {
    return {{[=]() mutable { semaphore.acquire(); }, [=]() mutable { (void)semaphore.try_acquire(); },
             [=]() mutable { semaphore.release(); }, [=] { (void)semaphore.get_value(); },
             [=] { (void)wait_any_for({semaphore}, 0s); }},
            std::move(not_held),
            {},
            {},
            {stored(semaphore)}};
}

Used of_connection(Connection<int> ours) {
    return {{[=]() mutable { ours.send(1); }, [=]() mutable { (void)ours.recv(); }, [=]() mutable { (void)ours.poll(0s); }},
            {},
            {{Errc::closed, [=]() mutable { ours.send(1); }}, {Errc::closed, [=]() mutable { (void)ours.recv(); }}},
            [=]() mutable { ours.close(); },
            {}};
}

std::vector<Row> rows() {
    using heap::Kind;
    return {
        {"", Kind::dict,
         [](const Manager& m, const std::string& name) {
             auto dict = m.dict<int, int>(name);
             return Used{{[=]() mutable { dict.set(1, 1); }, [=] { (void)dict.get(1); }, [=] { (void)dict.items(); },
                          [=] { for (const auto& item : dict.items_live()) (void)item; }, [=]() mutable { dict.clear(); },
                          [=]() mutable { (void)dict.increment(1); }, [=] { (void)dict.version(); }},
                         {}, {}, {}, {stored(dict), transacted(dict)}};
         },
         there<Dict<int, int>>},
        {"", Kind::list,
         [](const Manager& m, const std::string& name) {
             auto list = m.list<int>(name);
             return Used{{[=]() mutable { list.push_back(1); }, [=] { (void)list.snapshot(); }, [=] { (void)list.at(0); },
                          [=]() mutable { list.assign_slice(0, 0, {1}); }, [=]() mutable { list *= 2; }, [=]() mutable { list.sort(); }},
                         {}, {}, {}, {stored(list), transacted(list)}};
         },
         there<List<int>>},
        {"", Kind::queue, [](const Manager& m, const std::string& name) { return of_queue(m.queue<int>(name)); }, there<Queue<int>>},
        {"last in first out", Kind::queue,
         [](const Manager& m, const std::string& name) { return of_queue(m.queue<int>(name, {.order = Order::lifo})); },
         there<Queue<int>>},
        {"lowest first", Kind::queue,
         [](const Manager& m, const std::string& name) { return of_queue(m.queue<int>(name, {.order = Order::priority})); },
         there<Queue<int>>},
        {"", Kind::lock, [](const Manager& m, const std::string& name) { return of_lock(m.lock(name), Errc::not_locked); }, there<Lock>},
        {"", Kind::rlock, [](const Manager& m, const std::string& name) { return of_lock(m.rlock(name), Errc::not_owner); }, there<RLock>},
        {"", Kind::semaphore,
         [](const Manager& m, const std::string& name) { return of_semaphore(m.semaphore(name), {}); }, there<Semaphore>},
        {"bounded", Kind::semaphore,
         [](const Manager& m, const std::string& name) {
             auto semaphore = m.bounded_semaphore(name);
             return of_semaphore(semaphore, {{Errc::released_too_often, [=]() mutable { semaphore.release(); }}});
         },
         there<BoundedSemaphore>},
        {"", Kind::condition,
         [](const Manager& m, const std::string& name) {
             Condition condition = m.condition(name);
             Used used = of_lock(condition, Errc::not_owner);
             used.calls.erase(used.calls.begin() + 4);
             used.not_held.push_back({Errc::not_owner, [=]() mutable { condition.wait(); }});
             used.not_held.push_back({Errc::not_owner, [=]() mutable { condition.notify(); }});
             return used;
         },
         there<Condition>},
        {"", Kind::event,
         [](const Manager& m, const std::string& name) {
             Event event = m.event(name);
             return Used{{[=]() mutable { event.set(); }, [=]() mutable { event.clear(); }, [=] { (void)event.is_set(); },
                          [=] { (void)event.wait_for(0s); }, [=] { (void)wait_any_for({event}, 0s); }},
                         {}, {}, {}, {stored(event)}};
         },
         there<Event>},
        {"", Kind::barrier,
         [](const Manager& m, const std::string& name) {
             Barrier barrier = m.barrier(name, 2);
             return Used{{[=]() mutable { (void)barrier.wait_for(1s); }, [=]() mutable { barrier.reset(); },
                          [=]() mutable { barrier.abort(); }, [=] { (void)barrier.broken(); }},
                         {}, {}, {}, {stored(barrier)}};
         },
         there<Barrier>},
        {"", Kind::set,
         [](const Manager& m, const std::string& name) {
             auto set = m.set<int>(name);
             return Used{{[=]() mutable { set.add(1); }, [=] { (void)set.contains(1); }, [=]() mutable { (void)set.discard(1); },
                          [=] { (void)set.snapshot(); }},
                         {}, {}, {}, {stored(set), transacted(set)}};
         },
         there<Set<int>>},
        {"", Kind::name_space,
         [](const Manager& m, const std::string& name) {
             Namespace space = m.ns(name);
             return Used{{[=]() mutable { space.set("a", 1); }, [=] { (void)space.find<int>("a"); }, [=] { (void)space.snapshot(); }},
                         {}, {}, {}, {stored(space), transacted(space)}};
         },
         there<Namespace>},
        {"", Kind::counter,
         [](const Manager& m, const std::string& name) {
             auto counter = m.counter<int>(name);
             return Used{{[=]() mutable { counter.increment(1); }, [=] { (void)counter.get(1); }, [=] { (void)counter.snapshot(); }},
                         {}, {}, {}, {stored(counter), transacted(counter)}};
         },
         there<Counter<int>>},
        {"", Kind::value,
         [](const Manager& m, const std::string& name) {
             auto value = m.value<int>(name);
             return Used{{[=]() mutable { value.set(1); }, [=] { (void)value.get(); }, [=]() mutable { value += 1; },
                          [=] { value.get_lock().lock(); }},
                         {{Errc::not_owner, [=] { value.get_lock().unlock(); }}},
                         {}, {},
                         {stored(value), [=](const Manager& other) { (void)other.condition(value.get_lock()); }}};
         },
         there<SharedValue<int>>},
        {"", Kind::array,
         [](const Manager& m, const std::string& name) {
             auto array = m.array<int>(name, 2);
             return Used{{[=]() mutable { array.set(0, 1); }, [=] { (void)array.snapshot(); }, [=]() mutable { array.fill(1); },
                          [=]() mutable { array.with_lock([](std::span<int>) {}); }},
                         {{Errc::not_owner, [=] { array.get_lock().unlock(); }}},
                         {}, {}, {stored(array), transacted(array)}};
         },
         there<Array<int>>},
        {"", Kind::pipe, [](const Manager& m, const std::string&) { return of_connection(m.pipe<int>().first); }, {}},
    };
}

std::string title(const Row& row) { return std::string(session::kind_name(row.kind)) + " " + row.variant; }

void require_fails(const std::function<void()>& call, Errc code, const std::string& names) {
    try {
        call();
        FAIL_CHECK("nothing was thrown");
    } catch (const Error& error) {
        CHECK(error.errc() == code);
        const std::string text = error.what();
        INFO(text);
        CHECK(text.find('\n') == std::string::npos);
        CHECK(text.find(names) != std::string::npos);
    }
}

}  // namespace

TEST_CASE("the table of wrong uses has a row for each kind") {
    std::set<std::string> kinds;
    for (const Row& row : rows()) kinds.insert(std::string(session::kind_name(row.kind)));
    for (int number = 1; number < 256; ++number) {
        const std::string name(session::kind_name(static_cast<heap::Kind>(number)));
        if (name != "unknown") CHECK(kinds.contains(name));
    }
}

TEST_CASE("a name of another kind is told by both kinds, and the object stays as it is") {
    const test::LocalRealm realm;
    const Manager manager = realm.manager();
    const auto all = rows();
    for (const Row& row : all)
        if (row.find) (void)row.open(manager, title(row));
    for (const Row& row : all)
        for (const Row& other : all) {
            if (!row.find || !other.find || row.kind == other.kind) continue;
            INFO(title(row) << ", opened as " << title(other));
            require_fails([&] { (void)other.open(manager, title(row)); }, Errc::wrong_kind, title(row));
            require_fails([&] { (void)other.find(manager, title(row)); }, Errc::wrong_kind, title(row));
            CHECK(row.find(manager, title(row)));
        }
    CHECK(realm.daemon().check().violations.empty());
}

TEST_CASE("an erased object is destroyed for every call") {
    for (const Row& row : rows()) {
        if (!row.find) continue;  // without a name nobody erases it
        INFO(title(row));
        const test::LocalRealm realm;
        const Manager manager = realm.manager();
        const Used used = row.open(manager, "name of it");
        REQUIRE(manager.erase("name of it"));
        for (std::size_t i = 0; i < used.calls.size(); ++i) {
            INFO("call " << i);
            require_fails(used.calls[i], Errc::destroyed, "'name of it'");
        }
        (void)row.open(manager, "name of it");  // a new one does not revive the handle
        for (const auto& call : used.calls) require_fails(call, Errc::destroyed, "'name of it'");
    }
}

TEST_CASE("after the daemon's shutdown each call is closed, and says why") {
    for (const Row& row : rows()) {
        INFO(title(row));
        const test::LocalRealm realm;
        const Manager manager = realm.manager();
        const Used used = row.open(manager, "name of it");
        realm.daemon().shut();
        for (std::size_t i = 0; i < used.calls.size(); ++i) {
            INFO("call " << i);
            require_fails(used.calls[i], Errc::closed, "the daemon was shut down");
        }
        require_fails([&] { (void)row.open(manager, "name of it"); }, Errc::closed, "the daemon was shut down");
    }
}

TEST_CASE("who releases what it does not hold is told, and nothing changes") {
    std::set<std::string> held;
    for (const Row& row : rows()) {
        const test::LocalRealm realm;
        const Used used = row.open(realm.manager(), "name of it");
        for (const Fails& fails : used.not_held) {
            INFO(title(row));
            held.insert(title(row));
            const bool leased = row.kind == heap::Kind::queue && fails.code == Errc::not_owner;
            const std::string names = leased ? "leased item" : "'name of it'";
            require_fails(fails.call, fails.code, names);
            std::thread([&] { require_fails(fails.call, fails.code, names); }).join();
        }
        CHECK(realm.daemon().check().violations.empty());
    }
    CHECK(held.size() >= 9);  // the three queues, lock, rlock, bounded semaphore, condition, value, array
}

TEST_CASE("a foreign thread's hold is its own, for each kind of lock that has an owner") {
    const test::LocalRealm realm;
    const Manager manager = realm.manager();
    const auto stays = [&](auto lock) {
        lock.lock();
        std::thread([&] { require_fails([&] { lock.unlock(); }, Errc::not_owner, "held by thread"); }).join();
        CHECK(lock.locked());
        lock.unlock();
        CHECK(!lock.locked());
    };
    stays(manager.rlock("r"));
    stays(manager.condition("c"));
    stays(manager.value<int>("v").get_lock());
    stays(manager.array<int>("a", 1).get_lock());
}

TEST_CASE("a closed queue and a closed end of a pipe say so to those who put and get") {
    int closable = 0;
    for (const Row& row : rows()) {
        const test::LocalRealm realm;
        const Used used = row.open(realm.manager(), "name of it");
        if (!used.close) continue;
        ++closable;
        INFO(title(row));
        used.close();
        used.close();  // again is nothing
        for (const Fails& fails : used.after_close) require_fails(fails.call, fails.code, row.kind == heap::Kind::pipe ? "pipe" : "'name of it'");
    }
    CHECK(closable == 4);
}

TEST_CASE("objects of two realms do not go together") {
    for (const Row& row : rows()) {
        const test::LocalRealm realm, elsewhere;
        const Used used = row.open(realm.manager(), "name of it");
        INFO(title(row));
        CHECK((!used.elsewhere.empty() || row.kind == heap::Kind::pipe));  // an end of a pipe is not stored anywhere
        for (const auto& join : used.elsewhere) {
            join(realm.manager());  // in its own realm it may
            require_fails([&] { join(elsewhere.manager()); }, Errc::invalid_argument, "another realm");
        }
        CHECK(elsewhere.manager().dict<int, int>("dict").empty());
    }
}
