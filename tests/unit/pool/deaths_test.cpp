// What becomes of a pool when its workers are killed.
#include "support.hpp"

using namespace muster;
using namespace muster::test;

namespace {

// Counts its deliveries; kills its own process as long as there are `times` of them to be killed.
int deadly(SharedValue<int> left, int result) {
    if (left.fetch_add(-1) > 0) return kill_self(SIGKILL);
    return result;
}

}  // namespace

TEST_CASE("a worker killed in mid-task is reported at once, with the signal, the task and the pid") {
    need_processes();
    const LocalRealm realm;
    Pool pool(realm.manager(), {.processes = 1});
    const pid_t pid = pool.pids().at(0);
    const auto error = error_of([&] { pool.apply_async(kill_self, std::tuple(SIGKILL), {.name = "render"}).get(); });
    CHECK(error.errc() == Errc::worker_died);
    CHECK(error.subject() == "task 1 'render'");
    CHECK(error.detail().find("(pid " + std::to_string(pid) + ") was ended by SIGKILL") != std::string::npos);
    CHECK(error_of([&] { pool.apply(kill_self, SIGSEGV); }).detail().find("SIGSEGV") != std::string::npos);
    CHECK(error_of([&] { pool.apply([](int code) { std::_Exit(code); }, 3); }).detail().find("exit code 3") != std::string::npos);
    const auto of_map = error_of([&] { pool.map([](int i) { return i == 7 ? kill_self(SIGKILL) : i; }, up_to(10), 5); });
    CHECK(of_map.subject() == "task 4, item 7");
    CHECK(pool.apply(square, 5) == 25);
    CHECK(pool.pids().at(0) != pid);
}

TEST_CASE("a task is begun again as often as the pool is told to, and then reported") {
    need_processes();
    const LocalRealm realm;
    Pool pool(realm.manager(), {.processes = 2, .deliveries = 3});
    auto left = realm.manager().value<int>();
    left.set(2);
    CHECK(pool.apply(deadly, left, 11) == 11);
    CHECK(left.get() == -1);
    left.set(3);
    const auto error = error_of([&] { pool.apply(deadly, left, 12); });
    CHECK(error.errc() == Errc::worker_died);
    CHECK(left.get() == 0);
    CHECK(error.detail().find("2 before it") != std::string::npos);
    CHECK(pool.apply(square, 5) == 25);
}

TEST_CASE("one dead worker costs one task: those behind it and beside it are done") {
    need_processes();
    const LocalRealm realm;
    Pool pool(realm.manager(), {.processes = 2});
    std::vector<AsyncResult<int>> results;
    for (int i = 0; i < 300; ++i)
        results.push_back(pool.apply_async([](int n) { return n % 100 == 50 ? kill_self(SIGKILL) : n; }, i));
    int died = 0;
    for (int i = 0; i < 300; ++i) {
        const auto& result = results[static_cast<std::size_t>(i)];
        REQUIRE(result.wait_for(30s));
        if (result.successful()) {
            CHECK(result.get() == i);
        } else {
            ++died;
            CHECK(i % 100 == 50);
            CHECK_THROWS_MATCHES(result.get(), Error, fails_with(Errc::worker_died));
        }
    }
    CHECK(died == 3);
}

TEST_CASE("an idle worker that is killed is replaced") {
    need_processes();
    const LocalRealm realm;
    Pool pool(realm.manager(), {.processes = 2});
    for (int round = 0; round < 5; ++round) {
        const auto before = pool.pids();
        for (const pid_t pid : before) ::kill(pid, SIGKILL);
        REQUIRE(eventually([&] {
            const auto now = pool.pids();
            return now.size() == 2 && std::find_first_of(now.begin(), now.end(), before.begin(), before.end()) == now.end();
        }));
        CHECK(pool.map(square, up_to(4)) == std::vector<int>{0, 1, 4, 9});
    }
}

// Whatever a worker is doing: taking, running, putting. With as many deliveries as there may be kills every task is done.
TEST_CASE("workers killed at random moments, hundreds of them, lose no task and double none") {
    need_processes();
    const LocalRealm realm(256u << 20);
    Pool pool(realm.manager(), {.processes = 3, .deliveries = 1000});
    std::atomic<bool> stop{false};
    std::atomic<int> kills{0};
    std::thread killer([&] {
        std::set<pid_t> killed;  // each counts once
        std::uint64_t random = 7;
        while (!stop) {
            const auto pids = pool.pids();
            random = random * 6364136223846793005u + 1442695040888963407u;
            const pid_t pid = pids.empty() ? 0 : pids[(random >> 33) % pids.size()];
            if (pid != 0 && ::kill(pid, SIGKILL) == 0 && killed.insert(pid).second) ++kills;
            std::this_thread::sleep_for(std::chrono::microseconds(500 + (random >> 40) % 4000));
            if (kills % 50 == 0) (void)realm.daemon().reclaim_dead({});  // as the service does: sessions are not for ever
        }
    });
    std::atomic<int> called_back{0};
    std::size_t done = 0;
    const auto until = std::chrono::steady_clock::now() + 60s;
    while (kills < 300 && std::chrono::steady_clock::now() < until) {
        std::vector<AsyncResult<int>> results;
        for (int i = 0; i < 200; ++i)
            results.push_back(pool.apply_async([](int n) { if (n % 8 == 0) sleep_for(1); return n; }, std::tuple(i),
                                               {.callback = [&](int) { ++called_back; }}));
        for (int i = 0; i < 200; ++i, ++done) {
            REQUIRE(results[static_cast<std::size_t>(i)].wait_for(30s));
            REQUIRE(results[static_cast<std::size_t>(i)].get() == i);
        }
        const auto squares = pool.map(square, up_to(500), 25);
        REQUIRE(squares.size() == 500);
        REQUIRE(squares[499] == 499 * 499);
    }
    stop = true;
    killer.join();
    CHECK(kills >= 300);
    CHECK(static_cast<std::size_t>(called_back) == done);
    pool.close();
    pool.join();
    CHECK(!has_children());
}

TEST_CASE("when the parent is killed its workers end by themselves") {
    need_processes();
    const LocalRealm realm;
    const Shared<std::array<std::atomic<pid_t>, 2>> workers;
    Child parent([&] {
        Pool pool(realm.manager(), {.processes = 2});
        const auto busy = pool.apply_async(sleep_for, 60'000);
        const auto pids = pool.pids();
        for (std::size_t i = 0; i < 2; ++i) (*workers)[i] = pids[i];
        for (;;) ::pause();
        return 0;
    });
    REQUIRE(eventually([&] { return (*workers)[0] != 0 && (*workers)[1] != 0; }));
    parent.kill(SIGKILL);
    parent.join();
    for (const auto& worker : *workers)
        CHECK(eventually([&] { return ::kill(worker, 0) != 0 || test::process_state(worker) == 'Z'; }));
}
