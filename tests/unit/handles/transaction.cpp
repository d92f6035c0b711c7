// Manager::transact: several objects at once.
#include <catch2/catch.hpp>
#include <csignal>
#include <thread>

#include "support/child.hpp"
#include "support/fails_with.hpp"
#include "unit/handles/transaction_objects.hpp"

using namespace muster;
using test::Child;
using test::fails_with;
using test::Objects;

TEST_CASE("a transaction changes objects of every kind at once, and sees its own changes") {
    Objects w;
    w.left.set("ann", 100);
    w.list.extend({"one", "two", "three"});
    w.jobs.put("first");
    w.names.add("old");
    w.space.set("rate", 0.5);
    const int result = w.manager.transact([&](Transaction& t) {
        auto left = t(w.left), right = t(w.right);
        const int sum = left.at("ann");
        left.set("ann", sum - 10);
        CHECK(left.get("ann") == 90);
        CHECK(right.get("ann") == std::nullopt);
        CHECK(right.get("ann", 7) == 7);
        right.set("ann", 10);
        CHECK(right.update("ann", [](std::optional<int> now) { return *now + 1; }) == 11);
        CHECK(right.size() == 1);
        CHECK(right.setdefault("bob", 1) == 1);
        CHECK(!right.insert("bob", 5));
        CHECK(right.pop("bob") == 1);
        CHECK(!right.contains("bob"));
        auto list = t(w.list);
        list.push_back("four");
        CHECK(list.size() == 4);
        CHECK(list[-1] == "four");
        CHECK(list.pop() == "four");
        CHECK(list.pop() == "three");
        list.set(0, "ONE");
        list.push_back("drei");
        list.push_back("vier");
        CHECK(list.at(0) == "ONE");
        CHECK(list.at(2) == "drei");
        auto jobs = t(w.jobs);
        jobs.put("second");
        jobs.put("third");
        CHECK(jobs.size() == 3);
        CHECK(jobs.get() == "first");
        CHECK(jobs.get() == "second");
        CHECK(t(w.counts).increment("runs", 3) == 3);
        CHECK(t(w.counts).increment("runs") == 4);
        CHECK(t(w.names).add("new"));
        CHECK(!t(w.names).add("old"));
        CHECK(t(w.names).discard("old"));
        t(w.space).set("rate", t(w.space).get<double>("rate") * 2);
        auto numbers = t(w.numbers);
        CHECK(numbers.size() == 300);
        CHECK(numbers[7] == 0);
        numbers.set(7, -1);
        CHECK(numbers.update(7, [](long now) { return now - 1; }) == -2);
        numbers.set(-1, 99);
        CHECK(numbers.get(299) == 99);
        CHECK_THROWS_MATCHES(numbers.get(300), Error, fails_with(Errc::index_error));
        CHECK_THROWS_MATCHES(numbers.set(-301, 1), Error, fails_with(Errc::index_error));
        // Nothing of it has happened yet.
        CHECK(w.left.get("ann") == 100);
        CHECK(w.list.size() == 3);
        CHECK(w.jobs.size() == 1);
        CHECK(w.numbers.get(7) == 0);
        CHECK(t.attempt() == 1);
        return 42;
    });
    CHECK(result == 42);
    CHECK(w.left.get("ann") == 90);
    CHECK(w.right.items() == std::vector<std::pair<std::string, int>>{{"ann", 11}});
    CHECK(w.list.snapshot() == std::vector<std::string>{"ONE", "two", "drei", "vier"});
    CHECK(w.jobs.snapshot() == std::vector<std::string>{"third"});
    CHECK(w.counts.get("runs") == 4);
    CHECK(w.names.snapshot() == std::vector<std::string>{"new"});
    CHECK(w.space.get<double>("rate") == 1.0);
    CHECK(w.numbers.get(7) == -2);
    CHECK(w.numbers.get(-1) == 99);
    CHECK(w.numbers.get(8) == 0);
    CHECK(w.realm.daemon().check().violations.empty());
}

TEST_CASE("a key that goes and comes again within a transaction stands at the end, as it would without one") {
    Objects w;
    w.left.update({{"a", 1}, {"b", 2}, {"c", 3}});
    w.manager.transact([&](Transaction& t) {
        auto left = t(w.left);
        CHECK(left.erase("a"));
        CHECK(!left.erase("a"));
        left.set("a", 10);
        left.set("d", 4);
        left.erase("d");
        left.set("b", 20);
        CHECK(left.size() == 3);
    });
    CHECK(w.left.items() == std::vector<std::pair<std::string, int>>{{"b", 20}, {"c", 3}, {"a", 10}});
}

TEST_CASE("a list in a transaction shrinks, grows and is emptied") {
    Objects w;
    w.list.extend({"one", "two, which needs a block", "three", "four"});
    w.manager.transact([&](Transaction& t) {
        auto list = t(w.list);
        CHECK(list.pop() == "four");
        CHECK(list.pop() == "three");
        list.push_back("3");
    });
    CHECK(w.list.snapshot() == std::vector<std::string>{"one", "two, which needs a block", "3"});
    w.manager.transact([&](Transaction& t) {
        for (int i = 0; i < 500; ++i) t(w.list).push_back("element " + std::to_string(i));
    });
    CHECK(w.list.size() == 503);
    CHECK(w.list.at(-1) == "element 499");
    w.manager.transact([&](Transaction& t) {
        auto list = t(w.list);
        while (!list.empty()) list.pop();
        CHECK_THROWS_MATCHES(list.pop(), Error, fails_with(Errc::index_error));
        CHECK_THROWS_MATCHES(list.at(0), Error, fails_with(Errc::index_error));
    });
    CHECK(w.list.empty());
    CHECK(w.realm.daemon().check().violations.empty());
}

TEST_CASE("a function that throws changes nothing, and its exception is passed on") {
    Objects w;
    w.left.set("a", 1);
    w.jobs.put("job");
    const auto fails = [&](Transaction& t) {
        t(w.left).set("a", 2);
        t(w.right).set("a", 2);
        t(w.jobs).get();
        throw std::runtime_error("no");
    };
    CHECK_THROWS_AS(w.manager.transact(fails), std::runtime_error);
    CHECK(w.left.get("a") == 1);
    CHECK(w.right.empty());
    CHECK(w.jobs.size() == 1);
}

TEST_CASE("a queue without room, an empty and a closed one end the transaction with nothing changed") {
    Objects w;
    for (int i = 0; i < 3; ++i) w.jobs.put("job " + std::to_string(i));
    const auto put = [&](int count, bool take) {
        w.manager.transact([&](Transaction& t) {
            t(w.left).set("put", count);
            if (take) t(w.jobs).get();
            for (int i = 0; i < count; ++i) t(w.jobs).put("more");
        });
    };
    CHECK_THROWS_MATCHES(put(2, false), Error, fails_with(Errc::full));
    CHECK(w.left.empty());
    CHECK(w.jobs.size() == 3);
    put(2, true);  // what is taken makes room
    CHECK(w.jobs.snapshot() == std::vector<std::string>{"job 1", "job 2", "more", "more"});
    CHECK(w.jobs.unfinished() == 5);
    w.manager.transact([&](Transaction& t) {
        auto jobs = t(w.jobs);
        for (int i = 0; i < 4; ++i) jobs.get();
        CHECK(jobs.try_get() == std::nullopt);
        CHECK_THROWS_MATCHES(jobs.get(), Error, fails_with(Errc::empty));
        jobs.put("its own");
        CHECK(jobs.get() == "its own");
    });
    CHECK(w.jobs.empty());
    w.jobs.close();
    CHECK_THROWS_MATCHES(put(1, false), Error, fails_with(Errc::closed));
    CHECK_THROWS_MATCHES(put(0, true), Error, fails_with(Errc::closed));
    CHECK(w.left.get("put") == 2);
}

TEST_CASE("leases and a transaction's gets leave each item in one place") {
    Objects w;
    for (const char* job : {"a", "b", "c"}) w.jobs.put(job);
    { auto back = w.jobs.get_leased(); }  // "a" is given back, to the head
    w.manager.transact([&](Transaction& t) {
        CHECK(t(w.jobs).get() == "a");
        CHECK(t(w.jobs).get() == "b");
        t(w.left).set("taken", 2);
    });
    CHECK(w.jobs.snapshot() == std::vector<std::string>{"c"});
}

TEST_CASE("it runs again when somebody has changed what it has read, and only then") {
    Objects w;
    w.left.update({{"a", 1}, {"b", 1}});
    w.list.extend({"x", "y"});
    int runs = 0;
    const auto with = [&](const std::function<void()>& meanwhile) {
        runs = 0;
        w.manager.transact([&](Transaction& t) {
            const int a = t(w.left).at("a");
            (void)t(w.list).at(0);
            (void)t(w.numbers).get(3);
            if (++runs == 1) std::thread(meanwhile).join();
            t(w.right).set("copy", a);
        });
        return runs;
    };
    CHECK(with([] {}) == 1);
    CHECK(with([&] { w.left.set("b", 2); }) == 1);
    CHECK(with([&] { w.left.set("new", 2); }) == 1);
    CHECK(with([&] { w.right.set("other", 2); }) == 1);
    CHECK(with([&] { w.list.set(1, "z"); }) == 1);
    CHECK(with([&] { w.numbers.set(4, 1); }) == 1);
    CHECK(with([&] { w.numbers.set(3, 1); }) == 2);
    CHECK(with([&] { w.left.set("a", 2); }) == 2);
    CHECK(w.right.get("copy") == 2);
    CHECK(with([&] { w.list.set(0, "z"); }) == 2);
    CHECK(with([&] { w.list.push_back("longer"); }) == 2);  // a list's element was looked for by its size
    CHECK(with([&] { w.left.erase("a"); w.left.set("a", 2); }) == 1);
}

TEST_CASE("the function never sees two moments at once") {
    Objects w;
    w.left.set("n", 0);
    w.right.set("n", 0);
    int runs = 0;
    w.manager.transact([&](Transaction& t) {
        const int left = t(w.left).at("n");
        if (++runs == 1)
            std::thread([&] {
                w.manager.transact([&](Transaction& other) {
                    other(w.left).set("n", 5);
                    other(w.right).set("n", 5);
                });
            }).join();
        const int right = t(w.right).at("n");
        CHECK(right == left);
    });
    CHECK(runs == 2);
}

TEST_CASE("a function that catches what makes it run again runs again all the same") {
    Objects w;
    w.left.set("n", 0);
    int runs = 0;
    w.manager.transact([&](Transaction& t) {
        try {
            (void)t(w.left).at("n");
            if (++runs == 1) std::thread([&] { w.left.set("n", 1); }).join();
            (void)t(w.left).contains("m");
        } catch (...) {
        }
        t(w.right).set("runs", runs);
    });
    CHECK(runs == 2);
    CHECK(w.right.get("runs") == 2);
}

TEST_CASE("transfers among threads and processes keep the sum, which everybody sees") {
    Objects w;
    constexpr int accounts = 4, each = 100, transfers = 300;
    const auto name = [](int i) { return "account " + std::to_string(i); };
    for (int i = 0; i < accounts; ++i) {
        w.left.set(name(i), each);
        w.right.set(name(i), each);
    }
    const auto transfer = [&](int seed) {
        for (int i = 0; i < transfers; ++i)
            w.manager.transact([&](Transaction& t) {
                const int from = (seed + i) % accounts, to = (seed * 7 + i * 3) % accounts;
                auto left = t(w.left), right = t(w.right);
                left.set(name(from), left.at(name(from)) - 1);
                right.set(name(to), right.at(name(to)) + 1);
                t(w.counts).increment("transfers");
            });
    };
    Child child([&] {
        transfer(2);
        return 0;
    });
    std::atomic<bool> done = false;
    std::thread watcher([&] {
        while (!done)
            CHECK(w.manager.transact([&](Transaction& t) {
                int sum = 0;
                for (int i = 0; i < accounts; ++i) sum += t(w.left).at(name(i)) + t(w.right).at(name(i));
                return sum;
            }) == 2 * accounts * each);
    });
    std::thread other([&] { transfer(1); });
    transfer(3);
    other.join();
    CHECK(child.join() == 0);
    done = true;
    watcher.join();
    CHECK(w.counts.get("transfers") == 3 * transfers);
    int left = 0;
    for (const auto& [key, value] : w.left.items()) left += value;
    CHECK(left == accounts * each - 3 * transfers);
    CHECK(w.realm.daemon().check().violations.empty());
}

TEST_CASE("who waits for a queue's item is woken by a transaction that puts one, and for room by one that takes") {
    Objects w;
    Child getter([&] { return w.jobs.get_for(std::chrono::seconds(20)) == "from a transaction" ? 0 : 1; });
    w.manager.transact([&](Transaction& t) {
        t(w.left).set("put", 1);
        t(w.jobs).put("from a transaction");
    });
    CHECK(getter.join() == 0);
    for (int i = 0; i < 4; ++i) w.jobs.put("full");
    Child putter([&] { return w.jobs.put_for("late", std::chrono::seconds(20)) ? 0 : 1; });
    w.manager.transact([&](Transaction& t) { t(w.left).set("got", static_cast<int>(t(w.jobs).get().size())); });
    CHECK(putter.join() == 0);
    CHECK(w.jobs.size() == 4);
}
