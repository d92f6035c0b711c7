// Watching objects and keys.
#include <catch2/catch.hpp>

#include <thread>

#include <muster/ipc.hpp>

#include "support/child.hpp"
#include "support/fails_with.hpp"
#include "support/fake_clock.hpp"
#include "support/local_realm.hpp"

using namespace muster;
using namespace std::chrono_literals;
using test::Child;
using test::fails_with;

namespace {

// `change` is seen, by one who looks and by one who waits; nothing else is.
template <typename Object, typename Change>
void seen(Object object, const char* what, Change change) {
    INFO(what);
    const std::uint64_t before = object.version();
    CHECK(object.wait_for_change(before, 0s) == std::nullopt);
    CHECK(object.wait_for_change(before, 5ms) == std::nullopt);
    std::thread changer([&] { change(); });
    const std::uint64_t now = object.wait_for_change(before);
    changer.join();
    CHECK(now > before);
    CHECK(object.version() >= now);
    CHECK(object.wait_for_change(before, 0s).has_value());
}

}  // namespace

TEST_CASE("every kind's changes are waited for by their version") {
    const test::LocalRealm realm;
    const Manager manager = realm.manager();
    auto dict = manager.dict<std::string, int>();
    seen(dict, "dict", [&] { dict.set("k", 1); });
    seen(dict, "dict, in place", [&] { dict.set("k", 2); });
    seen(dict, "dict, erase", [&] { dict.erase("k"); });
    auto list = manager.list<int>();
    seen(list, "list", [&] { list.push_back(1); });
    auto queue = manager.queue<int>();
    seen(queue, "queue, put", [&] { queue.put(1); });
    seen(queue, "queue, get", [&] { (void)queue.get(); });
    seen(queue, "queue, close", [&] { queue.close(); });
    auto set = manager.set<int>();
    seen(set, "set", [&] { set.add(1); });
    auto counter = manager.counter<std::string>();
    seen(counter, "counter", [&] { counter.increment("k"); });
    auto ns = manager.ns();
    seen(ns, "namespace", [&] { ns.set("a", 1); });
    auto value = manager.value<int>(1);
    seen(value, "value", [&] { value.fetch_add(1); });
    auto array = manager.array<int>(4);
    seen(array, "array", [&] { array.set(1, 1); });
}

TEST_CASE("reading does not change a version") {
    const test::LocalRealm realm;
    auto dict = realm.manager().dict<std::string, int>();
    dict.set("k", 1);
    const std::uint64_t before = dict.version();
    (void)dict.get("k");
    (void)dict.items();
    (void)dict.size();
    (void)dict.setdefault("k", 2);
    CHECK(dict.version() == before);
}

TEST_CASE("a key is watched by its value, whoever changes it") {
    const test::LocalRealm realm;
    auto dict = realm.manager().dict<std::string, int>("settings");
    auto rate = dict.watch("rate");
    CHECK(rate.value() == std::nullopt);
    CHECK(rate.version() == dict.version());
    dict.set("other", 1);
    CHECK_FALSE(rate.wait_for(5ms));
    Child setter([&] { return dict.set("rate", 10), 0; });
    rate.wait();
    CHECK(rate.value() == 10);
    CHECK(setter.join() == 0);
    dict.set("rate", 10);  // the same again
    CHECK_FALSE(rate.wait_for(0s));
    dict.set("rate", 11);
    dict.set("rate", 10);  // and back, between two looks
    CHECK_FALSE(rate.wait_for(0s));
    Child eraser([&] { return dict.erase("rate") ? 0 : 1; });
    CHECK(rate.wait_until(std::chrono::steady_clock::now() + 20s));
    CHECK(rate.value() == std::nullopt);
    CHECK(eraser.join() == 0);
}

TEST_CASE("who watches a key sees it expire, though nobody changes anything") {
    const test::LocalRealm realm;
    auto dict = realm.manager().dict<std::string, int>();
    dict.set("k", 1, 30ms);
    auto watch = dict.watch("k");
    if (watch.value()) CHECK(watch.wait_for(20s));
    CHECK(watch.value() == std::nullopt);
}

TEST_CASE("a watcher of an object that is erased is told so") {
    const test::LocalRealm realm;
    const Manager manager = realm.manager();
    auto list = manager.list<int>("list");
    Child watcher([&] {
        try {
            (void)list.wait_for_change(list.version());
        } catch (const Error& error) {
            return error.errc() == Errc::destroyed && error.operation() == "wait_for_change" ? 0 : 2;
        }
        return 1;
    });
    const auto& word = heap::object_at(realm.session().segment(), realm.session().directory().find_any("list")->ref.id).watchers;
    CHECK(test::eventually([&] { return (__atomic_load_n(&word, __ATOMIC_RELAXED) & 1) != 0; }));
    manager.erase("list");
    CHECK(watcher.join() == 0);
    CHECK_THROWS_MATCHES(list.version(), Error, fails_with(Errc::destroyed));
}

TEST_CASE("a version is among what wait_any waits for") {
    const test::LocalRealm realm;
    const Manager manager = realm.manager();
    auto dict = manager.dict<int, int>();
    auto queue = manager.queue<int>();
    const std::uint64_t version = dict.version();
    CHECK(wait_any_for({queue, Waitable::change(dict, version)}, 5ms).empty());
    std::thread setter([&] { dict.set(1, 1); });
    CHECK(wait_any({queue, Waitable::change(dict, version)}) == std::vector<std::size_t>{1});
    setter.join();
}

TEST_CASE("an object of any kind is watched by its name, but for what has no contents") {
    const test::LocalRealm realm;
    const Manager manager = realm.manager();
    auto dict = manager.dict<int, int>("dict");
    (void)manager.lock("lock");
    const auto watched = manager.watched("dict");
    REQUIRE(watched);
    CHECK(watched->kind() == "dict");
    const auto before = watched->version();
    dict.set(1, 1);
    CHECK(watched->wait_for_change(before) == dict.version());
    CHECK(manager.watched("absent") == std::nullopt);
    CHECK_THROWS_MATCHES(manager.watched("lock"), Error, fails_with(Errc::wrong_kind));
}

TEST_CASE("many watchers of one object see every last change") {
    const test::LocalRealm realm;
    auto dict = realm.manager().dict<int, int>();
    constexpr int last = 2000;
    std::vector<std::thread> watchers;
    std::atomic<int> done{0};
    for (int i = 0; i < 4; ++i)
        watchers.emplace_back([&] {
            auto watch = dict.watch(1);
            while (watch.value() != last) watch.wait();
            ++done;
        });
    for (int i = 1; i <= last; ++i) dict.set(1, i);
    for (std::thread& watcher : watchers) watcher.join();
    CHECK(done == 4);
}
