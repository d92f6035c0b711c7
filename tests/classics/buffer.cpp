// The bounded buffer of the textbooks: four producers, four consumers, one lock and two conditions, all processes.
#include <catch2/catch.hpp>

#include <algorithm>
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

namespace {

constexpr std::size_t producers = 4, consumers = 4, room = 64;

// Guarded by the lock, but for `done`.
template <std::size_t Items>
struct Buffer {
    static constexpr std::size_t items = Items;
    std::array<std::uint32_t, room> ring;
    std::atomic<std::uint64_t> put{0}, taken{0};
    // What a consumer has taken and not finished: the item, and from where; 0: nothing.
    struct Lease {
        std::uint32_t item = 0;
        std::atomic<std::uint64_t> at{0};
    };
    std::array<Lease, consumers> leases;
    bool over = false;
    std::array<std::atomic<std::uint8_t>, Items> done;
};

// The buffer's operations, of one process.
template <typename Of>
struct Access {
    explicit Access(const Manager& manager, Of& of)
        : lock(manager.rlock("lock")), items(manager.condition("items", lock)), space(manager.condition("space", lock)),
          buffer(of) {}

    void put(std::uint32_t item) {
        const std::scoped_lock hold(lock);
        space.wait([&] { return buffer.put - buffer.taken < room; });
        buffer.ring[buffer.put % room] = item;
        ++buffer.put;
        items.notify();
    }
    // Under a lease, which says so before the item leaves the buffer. None: there will be no more.
    std::optional<std::uint32_t> take(std::size_t me) {
        const std::scoped_lock hold(lock);
        items.wait([&] { return buffer.over || buffer.put != buffer.taken; });
        if (buffer.put == buffer.taken) return {};
        for (auto& lease : buffer.leases)  // of one who died in the middle of this
            if (lease.at == buffer.taken + 1) lease.at = 0;
        const std::uint32_t item = buffer.ring[buffer.taken % room];
        buffer.leases[me].item = item;
        buffer.leases[me].at = buffer.taken + 1;
        ++buffer.taken;
        space.notify();
        return item;
    }
    void finish(std::size_t me) {
        const std::scoped_lock hold(lock);
        buffer.leases[me].at = 0;
    }
    int consume(std::size_t me) {
        while (const auto item = take(me)) {
            if (buffer.done[*item].fetch_add(1) != 0) return 1;
            finish(me);
        }
        return 0;
    }
    // What a dead consumer had taken and not done.
    std::optional<std::uint32_t> left_by(std::size_t dead) {
        const std::scoped_lock hold(lock);
        auto& lease = buffer.leases[dead];
        const bool took = lease.at != 0 && lease.at != buffer.taken + 1;
        lease.at = 0;
        if (!took || buffer.done[lease.item] != 0) return {};
        return lease.item;
    }
    void end() {
        const std::scoped_lock hold(lock);
        buffer.over = true;
        items.notify_all();
    }

    RLock lock;
    Condition items, space;
    Of& buffer;
};

template <typename Of>
std::vector<std::unique_ptr<Child>> start_producers(const Manager& manager, Of& buffer) {
    std::vector<std::unique_ptr<Child>> all;
    constexpr std::size_t each = Of::items / producers;
    for (std::size_t p = 0; p < producers; ++p)
        all.push_back(std::make_unique<Child>([&manager, &buffer, p] {
            Access access(manager, buffer);
            for (std::size_t i = 0; i < each; ++i) access.put(static_cast<std::uint32_t>(p * each + i));
            return 0;
        }));
    return all;
}

template <typename Of>
void require_each_once(const Of& buffer) {
    const auto wrong = std::find_if(buffer.done.begin(), buffer.done.end(), [](const auto& times) { return times != 1; });
    if (wrong != buffer.done.end())
        FAIL("item " << wrong - buffer.done.begin() << " was done " << static_cast<int>(wrong->load()) << " times");
    REQUIRE(buffer.put == buffer.taken);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::size_t million = 100'000;
#else
constexpr std::size_t million = 1'000'000;
#endif

}  // namespace

TEST_CASE("a bounded buffer moves a million items among four producers and four consumers, each once") {
    const test::LocalRealm realm;
    const Manager manager = realm.manager();
    const test::Shared<Buffer<million>> buffer;
    Access access(manager, *buffer);
    auto all = start_producers(manager, *buffer);
    std::vector<std::unique_ptr<Child>> takers;
    for (std::size_t c = 0; c < consumers; ++c)
        takers.push_back(std::make_unique<Child>([&, c] { return Access(manager, *buffer).consume(c); }));
    for (auto& producer : all) REQUIRE(producer->join() == 0);
    access.end();
    for (auto& taker : takers) REQUIRE(taker->join() == 0);
    require_each_once(*buffer);
    REQUIRE(buffer->taken == million);
    test::require_whole(realm);
}

TEST_CASE("a bounded buffer loses and doubles nothing while its consumers are killed") {
    const std::uint64_t seed = test::test_seed();
    INFO("MUSTER_SEED=" << seed);
    test::Random random(seed);
    const test::LocalRealm realm;
    const Manager manager = realm.manager();
    constexpr std::size_t items = 60'000;
    const test::Shared<Buffer<items>> buffer;
    Access access(manager, *buffer);
    auto all = start_producers(manager, *buffer);
    std::array<std::unique_ptr<Child>, consumers> takers;
    const auto start = [&](std::size_t c) {
        takers[c] = std::make_unique<Child>([&, c] { return Access(manager, *buffer).consume(c); });
    };
    for (std::size_t c = 0; c < consumers; ++c) start(c);
    int kills = 0;
    for (std::uint64_t next = 100; next < items - room; next += 200 + random.below(600)) {
        if (!eventually([&] { return buffer->taken >= next; })) FAIL("nothing goes on after " << kills << " kills");
        const std::size_t victim = random.below(consumers);
        takers[victim]->kill(SIGKILL);
        REQUIRE(takers[victim]->join() == -SIGKILL);
        ++kills;
        if (const auto item = access.left_by(victim)) access.put(*item);
        start(victim);
    }
    REQUIRE(kills >= 60);
    for (auto& producer : all) REQUIRE(producer->join() == 0);
    access.end();
    for (auto& taker : takers) REQUIRE(taker->join() == 0);
    require_each_once(*buffer);
    session::Realm daemon = realm.daemon();
    (void)daemon.reclaim_dead({});
    test::require_whole(realm);
}
