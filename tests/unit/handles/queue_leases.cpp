// Leases: what a consumer has not acknowledged is not lost with it.
#include <catch2/catch.hpp>

#include <csignal>
#include <thread>

#include "support/child.hpp"
#include "support/fails_with.hpp"
#include "support/local_realm.hpp"
#include "support/require_whole.hpp"

using namespace muster;
using namespace std::chrono_literals;
using test::Child;
using test::eventually;
using test::fails_with;
using test::require_whole;

namespace {

// A process that leases `count` items and then sleeps.
struct Consumer {
    Consumer(Queue<std::string> queue, int count)
        : child([queue, count, this]() mutable {
              std::vector<Leased<std::string>> leases;
              for (int i = 0; i < count; ++i) leases.push_back(queue.get_leased());
              ready->store(1);
              for (;;) ::pause();
              return 0;
          }) {
        REQUIRE(eventually([&] { return ready->load() == 1; }));
    }
    test::Shared<std::atomic<int>> ready;
    Child child;
};

}  // namespace

TEST_CASE("a leased item is the queue's until it is acknowledged") {
    const test::LocalRealm realm;
    auto queue = realm.manager().queue<std::string>("jobs");
    queue.put_many({"a", "b", "c"});
    {
        auto a = queue.get_leased();
        REQUIRE(a.value() == "a");
        REQUIRE(a.deliveries() == 1);
        REQUIRE(queue.leased() == 1);
        REQUIRE(queue.size() == 2);
        REQUIRE(queue.unfinished() == 3);
        a.ack();
        REQUIRE_THROWS_MATCHES(a.ack(), Error, fails_with(Errc::not_owner));
        REQUIRE_THROWS_MATCHES(a.nack(), Error, fails_with(Errc::not_owner));
    }
    REQUIRE(queue.leased() == 0);
    REQUIRE(queue.unfinished() == 2);
    auto b = queue.get_leased();
    {
        auto c = *queue.try_get_leased();
        REQUIRE(c.value() == "c");
        REQUIRE(!queue.try_get_leased());
        REQUIRE(!queue.get_leased_for(1ms));
    }  // forgotten: back it goes
    REQUIRE(queue.snapshot() == std::vector<std::string>{"c"});
    b.nack();  // older than c
    queue.put("d");
    REQUIRE(queue.snapshot() == std::vector<std::string>{"b", "c", "d"});
    REQUIRE(queue.peek() == "b");
    auto again = queue.get_leased();
    REQUIRE(again.value() == "b");
    REQUIRE(again.deliveries() == 2);
    REQUIRE(queue.get() == "c");  // unleased: gone
    std::thread([&] { again.ack(); }).join();  // any thread may
    REQUIRE(queue.drain() == std::vector<std::string>{"d"});
    require_whole(realm);
}

TEST_CASE("what comes back to a stack or a priority queue stands at its head, or where its value belongs") {
    const test::LocalRealm realm;
    auto stack = realm.manager().queue<int>("s", {.order = Order::lifo});
    stack.put_many({1, 2, 3});
    {
        auto three = stack.get_leased();
        auto two = stack.get_leased();
        stack.put(4);
        two.nack();
        three.nack();
    }
    REQUIRE(stack.snapshot() == std::vector<int>{3, 2, 4, 1});
    REQUIRE(stack.drain() == std::vector<int>{3, 2, 4, 1});

    auto queue = realm.manager().queue<std::pair<int, std::string>>("p", {.order = Order::priority});
    queue.put_many({{5, "a"}, {3, "big" + std::string(100'000, 'x')}, {7, "c"}});
    {
        auto first = queue.get_leased();
        auto second = queue.get_leased();
        queue.put_many({{1, "new"}, {5, "a"}, {6, "z"}});
    }
    std::vector<int> numbers;
    for (const auto& item : queue.snapshot()) numbers.push_back(item.first);
    REQUIRE(numbers == std::vector<int>{1, 3, 5, 5, 6, 7});
    for (const int number : numbers) REQUIRE(queue.get().first == number);
    require_whole(realm);
}

TEST_CASE("a dead consumer's items go back to the head, the oldest first, without any daemon") {
    const test::LocalRealm realm;
    auto queue = realm.manager().queue<std::string>("jobs");
    queue.put_many({"a", "b", "c", "d"});
    Consumer consumer(queue, 2);
    REQUIRE(queue.get() == "c");
    auto d = queue.get_leased();
    std::optional<Leased<std::string>> got;
    std::thread waiter;
    SECTION("somebody sleeps already") {
        waiter = std::thread([&] { got.emplace(queue.get_leased()); });
        consumer.child.kill(SIGKILL);
    }
    SECTION("it was killed before") {
        consumer.child.kill(SIGKILL);
        waiter = std::thread([&] { got.emplace(queue.get_leased()); });
    }
    SECTION("whoever looks for some time only finds it, too") {
        consumer.child.kill(SIGKILL);
        waiter = std::thread([&] { while (!got) got = queue.get_leased_for(10ms); });
    }
    SECTION("the daemon gives them back") {
        consumer.child.kill(SIGKILL);
        consumer.child.join();
        session::Realm daemon = realm.daemon();
        REQUIRE(daemon.reclaim_dead({}).leases_returned == 2);
        REQUIRE(queue.size() == 2);
        waiter = std::thread([&] { got = queue.try_get_leased(); });
    }
    waiter.join();
    REQUIRE(got->value() == "a");
    REQUIRE(got->deliveries() == 2);
    REQUIRE(queue.snapshot() == std::vector<std::string>{"b"});
    REQUIRE(queue.leased() == 2);  // the living keep theirs
    require_whole(realm);
}

TEST_CASE("after so many deliveries an item is a dead letter, and joining does not wait for it") {
    const test::LocalRealm realm;
    auto queue = realm.manager().queue<std::string>("jobs", {.max_deliveries = 2});
    REQUIRE(queue.max_deliveries() == 2);
    queue.put_many({"poison", "food"});
    for (int i = 0; i < 2; ++i) {
        Consumer victim(queue, 1);
        victim.child.kill(SIGKILL);
        victim.child.join();
        REQUIRE(realm.daemon().reclaim_dead({}).leases_returned == 1);
    }
    REQUIRE(queue.snapshot() == std::vector<std::string>{"food"});
    auto dead = queue.dead_letters();
    REQUIRE(dead.size() == 1);
    REQUIRE(dead[0].value == "poison");
    REQUIRE(dead[0].deliveries == 2);
    REQUIRE(queue.unfinished() == 1);
    std::thread joiner([&] { queue.join(); });
    auto food = queue.get_leased();
    food.ack();
    joiner.join();

    REQUIRE(queue.retry_dead_letters() == 1);
    REQUIRE(queue.dead_letters().empty());
    REQUIRE(queue.unfinished() == 1);
    for (std::uint64_t i = 1; i <= 2; ++i) {
        auto again = queue.get_leased();
        REQUIRE(again.deliveries() == i);
        again.nack();
    }
    REQUIRE(queue.join_for(0ms));
    REQUIRE(queue.drop_dead_letters() == 1);
    REQUIRE(queue.dead_letters().empty());
    require_whole(realm);
}

TEST_CASE("a closed queue is not drained while others may give something back") {
    const test::LocalRealm realm;
    auto queue = realm.manager().queue<std::string>("jobs");
    queue.put("a");
    Consumer consumer(queue, 1);
    queue.close();
    REQUIRE(!queue.try_get());
    std::thread waiter([&] {
        REQUIRE(queue.get() == "a");
        REQUIRE_THROWS_MATCHES(queue.get(), Error, fails_with(Errc::closed));
    });
    consumer.child.kill(SIGKILL);
    waiter.join();
}

TEST_CASE("one's own lease keeps nobody waiting at a closed queue") {
    const test::LocalRealm realm;
    auto queue = realm.manager().queue<std::string>();
    queue.put("a");
    auto mine = queue.get_leased();
    queue.close();
    REQUIRE_THROWS_MATCHES(queue.get(), Error, fails_with(Errc::closed));
    mine.nack();
    REQUIRE(queue.get() == "a");
}

TEST_CASE("a lease ends with the queue's clearing or erasing, and a fork takes none along") {
    const test::LocalRealm realm;
    const Manager manager = realm.manager();
    auto queue = manager.queue<std::string>("jobs");
    queue.put_many({"a", "b"});
    auto a = queue.get_leased();
    Child child([&] {
        try {
            a.ack();
        } catch (const Error& error) {
            if (error.errc() != Errc::not_owner) return 1;
        }
        const auto copy = std::move(a);  // ... and its end gives nothing back
        return 0;
    });
    REQUIRE(child.join() == 0);
    REQUIRE(queue.leased() == 1);
    queue.clear();
    REQUIRE(queue.leased() == 0);
    REQUIRE(queue.unfinished() == 0);
    queue.put("other");
    auto other = queue.get_leased();  // perhaps in the same place
    REQUIRE_THROWS_MATCHES(a.ack(), Error, fails_with(Errc::not_owner));
    REQUIRE(queue.leased() == 1);
    manager.erase("jobs");
    REQUIRE_THROWS_MATCHES(other.ack(), Error, fails_with(Errc::destroyed));
}

TEST_CASE("leases that were cleared stay over, however many there were") {
    const test::LocalRealm realm;
    const Order order = GENERATE(Order::fifo, Order::lifo, Order::priority);
    const bool in_more_memory = GENERATE(false, true);
    const int first_settled = GENERATE(0, 1, 2, 3);
    auto queue = realm.manager().queue<std::string>({.order = order});
    queue.put_many({"a", "b", "c", "d"});
    if (in_more_memory) queue.put(std::string(5000, 'e'));
    std::vector<Leased<std::string>> old;
    for (int i = 0; i < 4; ++i) old.push_back(queue.get_leased());
    queue.clear();
    const auto all_over = [&](std::size_t begin, std::size_t end) {
        for (std::size_t i = begin; i < end; ++i)
            REQUIRE_THROWS_MATCHES(i % 2 == 0 ? old[i].ack() : old[i].nack(), Error, fails_with(Errc::not_owner));
    };
    const auto settled = static_cast<std::size_t>(first_settled);
    all_over(0, settled);  // before their memory is used again, and the others after that
    queue.put_many({"new", "newer"});
    auto fresh = queue.get_leased();
    all_over(settled, 3);
    old.clear();  // the last one gives nothing back either
    REQUIRE(queue.leased() == 1);
    REQUIRE(queue.size() == 1);
    REQUIRE(queue.unfinished() == 2);
    require_whole(realm);
    fresh.ack();
    REQUIRE(queue.drain().size() == 1);
}

TEST_CASE("consumers killed again and again lose and double no leased item") {
    const test::LocalRealm realm;
    auto queue = realm.manager().queue<std::string>("jobs");
    constexpr int items = 4000;
    const test::Shared<std::array<std::atomic<int>, items>> done;
    for (int i = 0; i < items; ++i) queue.put(std::to_string(i) + std::string(static_cast<std::size_t>(i % 70), ' '));
    queue.close();
    // Until it is drained; or until the n-th item, where it dies of its own hand, with the lease alone or with the work
    // done, too; or goes on no more.
    const auto work = [&queue, &done](int dies_at, int sleeps_at) {
        for (int i = 0;; ++i) {
            auto job = queue.get_leased();
            while (i == sleeps_at) ::pause();
            if (i == dies_at && i % 2 == 0) ::raise(SIGKILL);
            (*done)[static_cast<std::size_t>(std::stoi(job.value()))].fetch_add(1);
            if (i == dies_at) ::raise(SIGKILL);
            job.ack();
        }
    };
    int killed = 0;
    while (queue.unfinished() > 500) {
        const auto before = queue.unfinished();
        Child one([&] { return work(50 + killed, -1), 0; });
        Child two([&] { return work(-1, 100), 0; });
        REQUIRE(one.join() == -SIGKILL);
        if (killed % 4 == 0) (void)realm.daemon().reclaim_dead({});
        REQUIRE(queue.unfinished() < before);
        two.kill(SIGKILL);  // wherever it is
        two.join();
        killed += 2;
    }
    REQUIRE(killed > 2);
    REQUIRE_THROWS_MATCHES(work(-1, -1), Error, fails_with(Errc::closed));
    REQUIRE(queue.unfinished() == 0);
    REQUIRE(queue.leased() == 0);
    int twice = 0;
    for (auto& count : *done) {
        REQUIRE(count.load() >= 1);
        twice += count.load() - 1;
    }
    REQUIRE(twice <= killed);  // only what its consumer had done and not acknowledged when it died
    require_whole(realm);
}
