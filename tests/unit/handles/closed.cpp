// Handles after the daemon was shut down, and errors that keep their kind on the way.
#include <catch2/catch.hpp>

#include <thread>

#include <muster/ipc.hpp>

#include "support/child.hpp"
#include "support/local_realm.hpp"

using namespace muster;
using namespace std::chrono_literals;
using test::Child;

namespace {

auto closed() {
    return Catch::Predicate<Error>(
        [](const Error& error) {
            return error.errc() == Errc::closed && error.detail().find("the daemon was shut down") != std::string::npos;
        },
        "closed, as the daemon was shut down");
}

}  // namespace

TEST_CASE("after the daemon's shutdown every use of a handle is closed") {
    test::LocalRealm realm;
    const Manager manager = realm.manager();
    auto dict = manager.dict<int, int>("dict");
    auto anonymous = manager.list<int>();
    auto queue = manager.queue<int>("queue");
    auto lock = manager.lock("lock");
    auto value = manager.value<int>("value", 3);
    auto [ours, theirs] = manager.pipe<int>();
    dict.set(1, 1);
    lock.lock();
    realm.daemon().shut();
    realm.daemon().shut();  // again is nothing
    CHECK_THROWS_MATCHES(dict.get(1), Error, closed());
    CHECK_THROWS_MATCHES(dict.set(1, 2), Error, closed());
    CHECK_THROWS_MATCHES(dict.size(), Error, closed());
    CHECK_THROWS_MATCHES(dict.version(), Error, closed());
    CHECK_THROWS_MATCHES(anonymous.push_back(1), Error, closed());
    CHECK_THROWS_MATCHES(queue.put(1), Error, closed());
    CHECK_THROWS_MATCHES(queue.get(), Error, closed());
    CHECK_THROWS_MATCHES(value.load(), Error, closed());
    CHECK_THROWS_MATCHES(ours.send(1), Error, closed());
    CHECK_THROWS_MATCHES(wait_any({queue}), Error, closed());
    CHECK_THROWS_MATCHES(lock.lock(), Error, closed());
    CHECK_NOTHROW(lock.unlock());  // a guard's end
    CHECK_THROWS_MATCHES(manager.dict("new"), Error, closed());
    CHECK_THROWS_MATCHES(manager.dict("dict"), Error, closed());
    CHECK_THROWS_MATCHES(manager.queue(), Error, closed());
    CHECK_THROWS_MATCHES((manager.find<Dict<int, int>>("dict")), Error, closed());
    CHECK(manager.names().empty());
    CHECK(realm.daemon().check().violations.empty());
}

TEST_CASE("whoever waits when the daemon is shut down finds it closed") {
    test::LocalRealm realm;
    const Manager manager = realm.manager();
    auto queue = manager.queue<int>("queue");
    Child waiter([&] {
        try {
            (void)queue.get();
        } catch (const Error& error) {
            return error.errc() == Errc::closed ? 0 : 2;
        }
        return 1;
    });
    const auto id = realm.session().directory().find_any("queue")->ref.id;
    const auto& word = heap::object_at(realm.session().segment(), id).wait_points[0];
    CHECK(test::eventually([&] { return (__atomic_load_n(&word, __ATOMIC_RELAXED) & 1) != 0; }));
    realm.daemon().shut();
    CHECK(waiter.join() == 0);
}

TEST_CASE("what a caller's function throws comes out as it was, and nothing has changed") {
    struct Own {
        int number;
    };
    const test::LocalRealm realm;
    const Manager manager = realm.manager();
    auto dict = manager.dict<std::string, int>("dict");
    dict.set("k", 1);
    CHECK_THROWS_AS(dict.update("k", [](std::optional<int>) -> int { throw Own{4}; }), Own);
    CHECK_THROWS_AS(dict.update("k", [](std::optional<int>) -> int { throw std::out_of_range("no"); }), std::out_of_range);
    CHECK(dict.get("k") == 1);
    try {
        (void)manager.list("dict");
        FAIL("a dict is no list");
    } catch (const Error& error) {
        CHECK(error.errc() == Errc::wrong_kind);
    }
}
