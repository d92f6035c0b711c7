// Five philosophers, five forks, each taken in the same turn: the circle is found and broken, also while some of them are
// killed with forks in their hands.
#include <catch2/catch.hpp>

#include <array>
#include <csignal>
#include <memory>
#include <mutex>
#include <thread>

#include "support/child.hpp"
#include "support/local_realm.hpp"
#include "support/random.hpp"
#include "support/require_whole.hpp"

using namespace muster;
using test::Child;
using test::eventually;

TEST_CASE("philosophers who are killed at table leave their forks to the others, and no circle stands") {
    const std::uint64_t seed = test::test_seed();
    INFO("MUSTER_SEED=" << seed);
    test::Random random(seed);
    const test::LocalRealm realm;
    const Manager manager = realm.manager();
    constexpr std::size_t parties = 5, kills = 60;
    struct Table {
        std::array<std::atomic<std::uint64_t>, parties> eaten;
        std::array<std::atomic<int>, parties> fork;  // in whose hands, from 1
        std::atomic<int> told;
    };
    const test::Shared<Table> table;
    const auto fork = [&](std::size_t i) { return manager.lock("fork " + std::to_string(i % parties)); };
    const auto dine = [&](std::size_t me) {
        Lock left = fork(me), right = fork(me + 1);
        // A fork in another's hand is one that the dead held; and the lock has said so.
        const auto take = [&](Lock& lock, std::size_t i) {
            const int before = table->fork[i % parties].exchange(static_cast<int>(me) + 1);
            return before == 0 || lock.previous_owner_died();
        };
        for (;;) try {
                const std::scoped_lock first(left);
                if (!take(left, me)) return 1;
                struct Back {  // before the lock is free, also when the circle is closed
                    std::atomic<int>& fork;
                    ~Back() { fork = 0; }
                };
                const Back one{table->fork[me]};
                std::this_thread::yield();
                const std::scoped_lock second(right);
                if (!take(right, me + 1)) return 2;
                const Back other{table->fork[(me + 1) % parties]};
                ++table->eaten[me];
            } catch (const Error& error) {
                if (error.errc() != Errc::deadlock) return 3;
                ++table->told;
            }
    };
    std::array<std::unique_ptr<Child>, parties> all;
    const auto sit = [&](std::size_t i) { all[i] = std::make_unique<Child>([&, i] { return dine(i); }); };
    for (std::size_t i = 0; i < parties; ++i) sit(i);
    for (std::size_t kill = 0; kill < kills; ++kill) {
        const std::size_t victim = random.below(parties), other = (victim + 1 + random.below(parties - 1)) % parties;
        const std::uint64_t before = table->eaten[other];
        if (!eventually([&] { return table->eaten[other] > before + 5 + random.below(20); }))
            FAIL("philosopher " << other << " does not eat after " << kill << " kills");
        all[victim]->kill(SIGKILL);
        REQUIRE(all[victim]->join() == -SIGKILL);
        sit(victim);
    }
    // All get on.
    for (std::size_t i = 0; i < parties; ++i) {
        const std::uint64_t before = table->eaten[i];
        REQUIRE(eventually([&] { return table->eaten[i] > before + 20; }));
    }
    for (auto& philosopher : all) {
        philosopher->kill(SIGKILL);
        REQUIRE(philosopher->join() == -SIGKILL);
    }
    session::Realm daemon = realm.daemon();
    (void)daemon.reclaim_dead({});
    for (std::size_t i = 0; i < parties; ++i) REQUIRE(fork(i).try_lock());
    test::require_whole(realm);
}
