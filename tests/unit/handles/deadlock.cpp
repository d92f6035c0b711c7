// Circles of threads and processes that wait for each other's locks: found, named, and broken by one error.
#include <catch2/catch.hpp>
#include <csignal>
#include <mutex>
#include <thread>

#include "support/child.hpp"
#include "support/local_realm.hpp"

using namespace muster;
using namespace std::chrono_literals;
using test::Child;
using test::eventually;

namespace {

// How many threads of the realm say that they wait.
std::size_t waiting(const test::LocalRealm& realm) {
    const sync::Sessions& sessions = realm.session().sessions();
    std::size_t count = 0;
    for (const sync::SlotId slot : sessions.slots()) count += sync::wait_of(sessions, slot) ? 1 : 0;
    return count;
}

// Takes the first, waits until all have theirs, takes the second. Empty, or what the error said.
template <typename First, typename Second>
std::string take_both(First first, Second second, std::atomic<int>& have, int all) {
    try {
        const std::unique_lock one(first);
        ++have;
        while (have.load() < all) std::this_thread::yield();
        const std::unique_lock two(second);
    } catch (const Error& error) {
        return error.errc() == Errc::deadlock ? error.what() : std::string("another error: ") + error.what();
    }
    return {};
}

}  // namespace

TEST_CASE("two threads that take two locks crosswise: one is told, the other proceeds") {
    const test::LocalRealm realm;
    const Manager manager = realm.manager();
    for (int round = 0; round < 200; ++round) {
        std::atomic<int> have{0};
        std::string said[2];
        std::thread first([&] { said[0] = take_both(manager.lock("A"), manager.rlock("B"), have, 2); });
        std::thread second([&] { said[1] = take_both(manager.rlock("B"), manager.lock("A"), have, 2); });
        first.join();
        second.join();
        INFO(said[0] << " / " << said[1]);
        REQUIRE(said[0].empty() != said[1].empty());
        const std::string& text = said[0] + said[1];
        REQUIRE_THAT(text, Catch::Contains("holds lock 'A' and has waited "));
        REQUIRE_THAT(text, Catch::Contains(" for rlock 'B'"));
        REQUIRE_THAT(text, Catch::Contains("holds rlock 'B' and has waited "));
        REQUIRE_THAT(text, Catch::Contains(" for lock 'A'"));
        REQUIRE_THAT(text, Catch::Contains("PID " + std::to_string(::getpid())));
        REQUIRE(!manager.lock("A").locked());
        REQUIRE(!manager.rlock("B").locked());
        REQUIRE(waiting(realm) == 0);
    }
}

TEST_CASE("a circle of five processes is broken by exactly one error, which names all") {
    const test::LocalRealm realm;
    const Manager manager = realm.manager();
    constexpr int parties = 5;
    struct Table {
        std::atomic<int> have;
        char said[parties][1024];
    };
    for (int round = 0; round < 10; ++round) {
        const test::Shared<Table> table;
        std::vector<std::unique_ptr<Child>> children;
        for (int i = 0; i < parties; ++i)
            children.push_back(std::make_unique<Child>([&, i] {
                const auto fork_of = [&](int n) { return manager.lock("fork " + std::to_string(n % parties)); };
                const std::string text = take_both(fork_of(i), fork_of(i + 1), table->have, parties);
                std::snprintf(table->said[i], sizeof table->said[i], "%s", text.c_str());
                return text.empty() ? 0 : 1;
            }));
        int told = 0;
        for (int i = 0; i < parties; ++i) {
            const int code = children[static_cast<std::size_t>(i)]->join();
            REQUIRE((code == 0 || code == 1));
            if (code == 0) continue;
            ++told;
            for (const auto& child : children) CHECK_THAT(table->said[i], Catch::Contains("PID " + std::to_string(child->pid())));
            for (int n = 0; n < parties; ++n) CHECK_THAT(table->said[i], Catch::Contains("holds lock 'fork " + std::to_string(n) + "'"));
        }
        REQUIRE(told == 1);
    }
}

TEST_CASE("the philosophers dine to the end: who is told puts down what it has and tries again") {
    const test::LocalRealm realm;
    const Manager manager = realm.manager();
    constexpr int parties = 5, meals = 200;
    struct Table {
        std::atomic<int> eaten[parties], told;
    };
    const test::Shared<Table> table;
    const auto dine = [&](int i) {
        auto left = manager.lock("left of " + std::to_string(i));
        auto right = manager.lock("left of " + std::to_string((i + 1) % parties));
        for (int meal = 0; meal < meals;) try {
                const std::scoped_lock first(left);
                if (meal % 10 == 0) std::this_thread::yield();
                const std::scoped_lock second(right);
                ++table->eaten[i];
                ++meal;
            } catch (const Error& error) {
                if (error.errc() != Errc::deadlock) return 1;
                ++table->told;
            }
        return 0;
    };
    SECTION("processes") {
        std::vector<std::unique_ptr<Child>> all;
        for (int i = 0; i < parties; ++i) all.push_back(std::make_unique<Child>([&, i] { return dine(i); }));
        for (auto& child : all) REQUIRE(child->join() == 0);
    }
    SECTION("threads") {
        std::vector<std::thread> all;
        for (int i = 0; i < parties; ++i) all.emplace_back([&, i] { (void)dine(i); });
        for (auto& thread : all) thread.join();
    }
    for (int i = 0; i < parties; ++i) REQUIRE(table->eaten[i].load() == meals);
    for (int i = 0; i < parties; ++i) REQUIRE(!manager.lock("left of " + std::to_string(i)).locked());
}

TEST_CASE("timed acquisitions are part of a circle, and so is one who waits without a limit") {
    const test::LocalRealm realm;
    const Manager manager = realm.manager();
    Lock a = manager.lock("a"), b = manager.lock("b");
    a.lock();
    std::thread other([&] {
        const std::scoped_lock hold(b);
        a.lock();  // began to wait first: is not the one to give up
        a.unlock();
    });
    REQUIRE(eventually([&] { return waiting(realm) == 1; }));
    REQUIRE_THROWS_MATCHES((void)b.try_lock_for(1h), Error,
                           Catch::Predicate<Error>([](const Error& e) { return e.errc() == Errc::deadlock; }));
    REQUIRE(!b.try_lock());  // who does not wait closes nothing
    a.unlock();
    other.join();
}

TEST_CASE("a call may prefer to wait on, and the circle is seen by others") {
    const test::LocalRealm realm;
    const Manager manager = realm.manager();
    const sync::Sessions& sessions = realm.session().sessions();
    Lock a = manager.lock("a"), b = manager.lock("b");
    a.lock();
    std::thread other([&] {
        const std::scoped_lock hold(b);
        a.lock(OnDeadlock::report);
        a.unlock();
    });
    REQUIRE(eventually([&] { return waiting(realm) == 1; }));
    std::atomic<bool> broken{false};
    std::thread breaker([&] {
        std::vector<sync::WaitCycle> found;
        if (!eventually([&] { return !(found = sync::all_cycles(realm.session().segment(), sessions)).empty(); })) return;
        broken = found.size() == 1 && found[0].size() == 2 && !sync::victim_of(found[0]) && a.break_lock();
    });
    b.lock(OnDeadlock::report);
    breaker.join();
    REQUIRE(broken.load());
    b.unlock();
    REQUIRE_THROWS_MATCHES(a.unlock(), Error,
                           Catch::Predicate<Error>([](const Error& e) { return e.errc() == Errc::not_owner; }));
    other.join();
    REQUIRE(sync::all_cycles(realm.session().segment(), sessions).empty());
}

TEST_CASE("the realm's policy is what calls that say nothing follow") {
    const test::LocalRealm realm;
    const Manager manager = realm.manager();
    REQUIRE(sync::deadlock_is_error(realm.session().segment()));
    realm.daemon().set_deadlock_is_error(false);
    Lock a = manager.lock("a"), b = manager.lock("b");
    a.lock();
    std::thread other([&] {
        const std::scoped_lock hold(b);
        const std::scoped_lock second(a);
    });
    REQUIRE(eventually([&] { return waiting(realm) == 1; }));
    REQUIRE(!b.try_lock_for(150ms));
    REQUIRE_THROWS_AS((void)b.try_lock_for(1h, OnDeadlock::error), Error);
    a.unlock();
    other.join();
}

TEST_CASE("who waits for a lock that it holds itself waits, unless it wants to be told") {
    const test::LocalRealm realm;
    Lock lock = realm.manager().lock("signal");
    lock.lock();
    REQUIRE(!lock.try_lock_for(5ms));
    REQUIRE_THROWS_MATCHES(lock.lock(OnDeadlock::error), Error,
                           Catch::Predicate<Error>([](const Error& e) { return e.errc() == Errc::deadlock; }));
    std::thread other([&] {
        if (eventually([&] { return waiting(realm) == 1; })) lock.unlock();
    });
    lock.lock();  // until the other one releases it
    other.join();
    lock.unlock();
}

TEST_CASE("the dead are part of no circle") {
    const test::LocalRealm realm;
    const Manager manager = realm.manager();
    Lock a = manager.lock("a"), b = manager.lock("b");
    a.lock();
    Child other([&] {
        b.lock();
        a.lock();
        return 0;
    });
    REQUIRE(eventually([&] { return waiting(realm) == 1; }));
    other.kill(SIGKILL);
    REQUIRE(other.join() == -SIGKILL);
    b.lock();  // not an error: its holder is dead
    REQUIRE(b.previous_owner_died());
    (void)realm.daemon().reclaim_dead({});
    REQUIRE(waiting(realm) == 0);
}
