// Pools of threads, used and ended by many threads at once.
#include <catch2/catch.hpp>

#include <muster/executor.hpp>

#include "race/team.hpp"
#include "support/eventually.hpp"

using namespace muster;
using test::Team;
using test::eventually;

TEST_CASE("a thread pool is given work, called back, and ended by many threads at once") {
    for (int round = 0; round < 10; ++round) {
        ThreadPool pool({.threads = 3});
        long called_back = 0;  // plain: one thread alone calls back
        std::atomic<long> sum{0}, failed{0};
        Team team;
        for (int w = 0; w < 3; ++w)
            team.work(200, [&](std::size_t i) {
                const int n = static_cast<int>(i);
                try {
                    const auto one = pool.apply_async([](int a) { return a; }, std::tuple(n), {.callback = [&](int a) { called_back += a; }});
                    const auto all = pool.map_async([](int a) { return a + 1; }, std::vector<int>{n, n, n}, {.chunk = 1});
                    auto stream = pool.imap_unordered([](int a) { return a; }, std::vector<int>{1, 2});
                    sum += one.get();
                    sum += all.get()[2];
                    for (const int each : stream) sum += each;
                } catch (const Error&) {  // it was terminated
                    ++failed;
                }
            });
        team.work(1, [&](std::size_t) {
            if (round % 2 == 0) return;
            (void)eventually([&] { return sum > 1000; });  // in the midst of it
            pool.terminate();
        });
        team.watch([&](std::size_t) {
            if (pool.generated() > 3 || pool.idle() > 3) throw std::runtime_error("more threads than there may be");
        });
        team.run();
        pool.close();
        pool.join();
        if (round % 2 != 0) continue;
        CHECK(failed == 0);
        CHECK(sum == 3 * (199 * 200 + 200 * 4));
        CHECK(called_back == 3 * 199 * 100);
    }
}

TEST_CASE("futures of a thread executor are waited for, cancelled and called back by many threads at once") {
    ThreadExecutor executor({.threads = 2});
    std::atomic<int> ran{0}, cancelled{0}, told{0};
    Team team;
    for (int w = 0; w < 3; ++w)
        team.work(500, [&](std::size_t i) {
            const auto future = executor.submit([&] { return ++ran; });
            future.add_done_callback([&](const Future<int>&) { ++told; });
            if (i % 3 == 0 && future.cancel()) {
                ++cancelled;
                return;
            }
            if (i % 3 == 1) (void)future.result();
        });
    team.run();
    executor.shutdown();
    CHECK(ran + cancelled == 1500);
    CHECK(told == 1500);
}
