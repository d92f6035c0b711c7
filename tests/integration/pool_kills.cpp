// Pools under a real daemon whose service is killed meanwhile, and whose objects are looked at afterwards.
#include <catch2/catch.hpp>

#include <csignal>
#include <numeric>

#include <muster/ipc.hpp>

#include "support/child.hpp"
#include "support/daemon_fixture.hpp"
#include "support/eventually.hpp"

using namespace muster;
using namespace muster::test;
using namespace std::chrono_literals;

namespace {

int twice(int i) {
    if (i % 5 == 0) std::this_thread::sleep_for(1ms);
    return 2 * i;
}

}  // namespace

TEST_CASE("a pool goes on while workers and the service are killed") {
    ::signal(SIGTERM, SIG_DFL);  // workers end by it as in a program without Catch's handler
    const Daemon daemon;
    const Manager manager = Manager::connect(daemon.address());
    Pool pool(manager, {.processes = 2, .deliveries = 1000});
    std::vector<int> numbers(100);
    std::iota(numbers.begin(), numbers.end(), 0);
    for (int round = 0; round < 8; ++round) {
        std::vector<AsyncResult<int>> results;
        for (int i = 0; i < 100; ++i) results.push_back(pool.apply_async(twice, i));
        const auto squares = pool.map_async(twice, numbers, {.chunk = 5});
        if (round % 2 == 0) daemon.kill_service();
        for (const pid_t pid : pool.pids()) ::kill(pid, SIGKILL);
        for (int i = 0; i < 100; ++i) {
            REQUIRE(results[static_cast<std::size_t>(i)].wait_for(30s));
            REQUIRE(results[static_cast<std::size_t>(i)].get() == 2 * i);
        }
        REQUIRE(squares.get(30s)[99] == 198);
    }
    pool.close();
    pool.join();
    CHECK(active_children().empty());
    CHECK(daemon.ctl({"check"}).status == 0);
}

TEST_CASE("when the daemon is shut down a pool's work fails, and the pool ends") {
    ::signal(SIGTERM, SIG_DFL);
    Daemon daemon;
    const Manager manager = Manager::connect(daemon.address());
    Pool pool(manager, {.processes = 2});
    CHECK(pool.apply(twice, 4) == 8);
    const auto waits = pool.apply_async([] { std::this_thread::sleep_for(60s); });
    CHECK(daemon.stop() == 0);
    try {
        waits.get(30s);
        FAIL("it gave a result");
    } catch (const Error& error) {
        CHECK(error.errc() == Errc::closed);
    }
    CHECK(eventually([] { return active_children().empty(); }));
}
