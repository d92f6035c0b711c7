// Money between two dicts, moved by processes that are killed: none is made and none is lost.
#include <catch2/catch.hpp>

#include <array>
#include <csignal>
#include <memory>

#include "support/child.hpp"
#include "support/local_realm.hpp"
#include "support/random.hpp"
#include "support/require_whole.hpp"

using namespace muster;
using test::Child;
using test::eventually;

TEST_CASE("transfers between two dicts keep their sum while those who make them are killed") {
    const std::uint64_t seed = test::test_seed();
    INFO("MUSTER_SEED=" << seed);
    test::Random random(seed);
    const test::LocalRealm realm;
    const Manager manager = realm.manager();
    using Accounts = Dict<std::string, long>;
    constexpr int accounts = 8, workers = 4, kills = 80;
    constexpr long start_sum = 1000;
    const std::array<Accounts, 2> banks{manager.dict<std::string, long>("left"), manager.dict<std::string, long>("right")};
    const auto name = [](std::uint64_t i) { return "account " + std::to_string(i); };
    for (auto bank : banks)
        for (std::uint64_t i = 0; i < accounts; ++i) bank.set(name(i), start_sum);
    struct Progress {
        std::atomic<std::uint64_t> transfers{0};
    };
    const test::Shared<Progress> progress;
    const auto work = [&](std::uint64_t salt) {
        test::Random own(seed ^ salt);
        for (;;) {
            const std::uint64_t way = own.below(2);
            const std::string from = name(own.below(accounts)), to = name(own.below(accounts));
            const long sum = static_cast<long>(own.below(100));
            manager.transact([&](Transaction& t) {
                auto source = t(banks[way]), target = t(banks[1 - way]);
                source.set(from, source.at(from) - sum);
                target.set(to, target.at(to) + sum);
            });
            ++progress->transfers;
        }
        return 0;
    };
    const auto audit = [&] {
        return manager.transact([&](Transaction& t) {
            long sum = 0;
            for (const auto& bank : banks)
                for (std::uint64_t i = 0; i < accounts; ++i) sum += t(bank).at(name(i));
            return sum;
        });
    };
    std::array<std::unique_ptr<Child>, workers> all;
    for (std::uint64_t w = 0; w < workers; ++w) all[w] = std::make_unique<Child>([&, w] { return work(w + 1); });
    for (std::uint64_t kill = 1; kill <= kills; ++kill) {
        const std::uint64_t before = progress->transfers;
        if (!eventually([&] { return progress->transfers > before + 20 + random.below(60); }))
            FAIL("nothing goes on after " << kill - 1 << " kills");
        const std::size_t victim = random.below(workers);
        all[victim]->kill(SIGKILL);
        if (kill % 4 == 0) REQUIRE(audit() == 2 * accounts * start_sum);  // beside the others, and what the dead have left
        REQUIRE(all[victim]->join() == -SIGKILL);
        all[victim] = std::make_unique<Child>([&, kill] { return work(1000 + kill); });
    }
    for (auto& worker : all) {
        worker->kill(SIGKILL);
        worker->join();
    }
    REQUIRE(audit() == 2 * accounts * start_sum);
    long sum = 0;
    for (const auto& bank : banks)
        for (const long account : bank.values()) sum += account;
    REQUIRE(sum == 2 * accounts * start_sum);
    session::Realm daemon = realm.daemon();
    (void)daemon.reclaim_dead({});
    test::require_whole(realm);
}
