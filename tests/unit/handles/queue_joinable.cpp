// Queue's handle: many at once, joining, and iterating until it is closed.
#include <catch2/catch.hpp>

#include <csignal>
#include <numeric>
#include <thread>

#include "support/child.hpp"
#include "support/fails_with.hpp"
#include "support/local_realm.hpp"

using namespace muster;
using namespace std::chrono_literals;
using test::Child;
using test::eventually;
using test::fails_with;

TEST_CASE("many items are put and taken at once, as many as there is room for and as there are") {
    const test::LocalRealm realm;
    auto queue = realm.manager().queue<int>({.maxsize = 5});
    std::vector<int> all(12);
    std::iota(all.begin(), all.end(), 0);
    REQUIRE(queue.try_put_many(all) == 5);
    REQUIRE(queue.put_many_for(all, 1ms) == 0);
    REQUIRE(queue.get_many(3) == std::vector<int>{0, 1, 2});
    REQUIRE(queue.get_many(100) == std::vector<int>{3, 4});
    REQUIRE(queue.try_get_many(3).empty());
    REQUIRE(queue.get_many_for(3, 1ms).empty());
    REQUIRE(queue.get_many(0).empty());
    REQUIRE_THROWS_MATCHES((void)queue.get_many_for(1, -1ms), Error, fails_with(Errc::invalid_argument));

    std::thread producer([&] { queue.put_many(all); });  // in as many steps as the bound makes of it
    std::vector<int> got;
    while (got.size() < all.size())
        for (const int item : queue.get_many(4)) got.push_back(item);
    producer.join();
    REQUIRE(got == all);

    queue.put_many({1, 2});
    queue.close();
    REQUIRE_THROWS_MATCHES(queue.put_many({3}), Error, fails_with(Errc::closed));
    REQUIRE(queue.get_many(9) == std::vector<int>{1, 2});
    REQUIRE_THROWS_MATCHES(queue.get_many(9), Error, fails_with(Errc::closed));
}

TEST_CASE("drain takes all that waits, lets producers go on, and is silent about a closed queue") {
    const test::LocalRealm realm;
    auto queue = realm.manager().queue<std::string>({.maxsize = 3});
    REQUIRE(queue.drain().empty());
    queue.put_many({"a", std::string(20'000, 'b'), "c"});
    std::thread producer([&] { queue.put("d"); });
    std::vector<std::string> got;
    REQUIRE(eventually([&] {
        for (auto& item : queue.drain()) got.push_back(item);
        return got.size() == 4;
    }));
    producer.join();
    REQUIRE(got == std::vector<std::string>{"a", std::string(20'000, 'b'), "c", "d"});
    queue.close();
    REQUIRE(queue.drain().empty());
}

TEST_CASE("join waits for as many task_done as there were puts; one more is an error") {
    const test::LocalRealm realm;
    auto queue = realm.manager().queue<int>();
    queue.join();  // of none
    REQUIRE_THROWS_MATCHES(queue.task_done(), Error, fails_with(Errc::value_error));
    queue.put_many({1, 2});
    REQUIRE(queue.unfinished() == 2);
    REQUIRE(queue.get() == 1);
    REQUIRE(queue.unfinished() == 2);
    queue.task_done();
    REQUIRE(queue.unfinished() == 1);
    REQUIRE(!queue.join_for(1ms));
    REQUIRE_THROWS_MATCHES((void)queue.join_for(-1ms), Error, fails_with(Errc::invalid_argument));
    const test::Shared<std::atomic<int>> joined;
    std::thread thread([&] {
        queue.join();
        joined->fetch_add(1);
    });
    Child process([&] {
        queue.join();
        joined->fetch_add(1);
        return 0;
    });
    REQUIRE(queue.get() == 2);
    REQUIRE(joined->load() == 0);
    queue.task_done();
    thread.join();
    REQUIRE(process.join() == 0);
    REQUIRE(joined->load() == 2);
    REQUIRE(queue.join_for(0ms));
    REQUIRE_THROWS_MATCHES(queue.task_done(), Error, fails_with(Errc::value_error));
    REQUIRE(queue.unfinished() == 0);

    queue.put_many({3, 4});
    queue.clear();  // what was cleared nobody will ever report
    queue.join();
}

TEST_CASE("somebody who joins is not forgotten when the one who finished died") {
    const test::LocalRealm realm;
    auto queue = realm.manager().queue<int>();
    queue.put(1);
    std::thread waiter([&] { queue.join(); });
    Child last([&] {
        (void)queue.get();
        containers::Queue(realm.session().segment(), {1, 1}).task_done();  // ... and dies before it wakes anybody
        return ::raise(SIGKILL);
    });
    REQUIRE(last.join() == -SIGKILL);
    waiter.join();
    REQUIRE(queue.unfinished() == 0);
}

TEST_CASE("consuming goes on until the queue is closed and drained") {
    const test::LocalRealm realm;
    auto queue = realm.manager().queue<std::string>();
    queue.put("first");
    const test::Shared<std::atomic<int>> of_process;
    auto count = [queue]() mutable {
        int eaten = 0;
        for (auto& item : queue.consume()) {
            item += "!";
            eaten += item.back() == '!' ? 1 : 0;
        }
        return eaten;
    };
    Child process([&] {
        of_process->store(count());
        return 0;
    });
    int of_thread = 0;
    std::thread thread([&] { of_thread = count(); });
    for (int i = 0; i < 500; ++i) queue.put(std::to_string(i));
    queue.close();
    thread.join();
    REQUIRE(process.join() == 0);
    REQUIRE(of_thread + of_process->load() == 501);
    for (auto& item : queue.consume()) FAIL("an item of a drained queue: " << item);
}
