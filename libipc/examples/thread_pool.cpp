// A pool of threads: they are generated as they are needed, and used again when idle; callbacks for success and failure;
// closed, all that was given is done; terminated, what waits is dropped.
#include <atomic>
#include <chrono>
#include <iostream>
#include <latch>
#include <muster/pool.hpp>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

void show(const char* when, const muster::ThreadPool& pool) {
    std::cout << when << ": " << pool.generated() << " generated, " << pool.idle() << " idle\n";
}

void wait_until_idle(const muster::ThreadPool& pool, std::size_t threads) {
    while (pool.idle() != threads) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

void closed() {
    muster::ThreadPool pool({.threads = 5});
    show("at first", pool);

    std::latch begun(3), let_go(1);
    std::vector<muster::AsyncResult<void>> waiting;
    for (int i = 0; i < 3; ++i)
        waiting.push_back(pool.apply_async([&] {
            begun.count_down();
            let_go.wait();
        }));
    begun.wait();
    show("three at work", pool);
    let_go.count_down();
    for (const auto& each : waiting) each.wait();
    wait_until_idle(pool, 3);
    show("all done", pool);

    int sum = 0, failures = 0;  // one thread calls back: no lock
    for (int i = 1; i <= 20; ++i)
        pool.apply_async([](int n) { return n % 10 == 0 ? throw std::runtime_error("no tens") : n; }, std::tuple(i),
                         {.callback = [&](int n) { sum += n; }, .error_callback = [&](std::exception_ptr) { ++failures; }});
    pool.close();
    pool.join();
    std::cout << "twenty tasks: sum of successes " << sum << ", failures " << failures << "\n";
    show("joined", pool);
}

void terminated() {
    muster::ThreadPool pool({.threads = 1});
    std::latch begun(1), let_go(1);
    const auto first = pool.apply_async([&] {
        begun.count_down();
        let_go.wait();
    });
    const auto second = pool.apply_async([] { std::cout << "never\n"; });
    begun.wait();
    pool.terminate();
    try {
        second.get();
    } catch (const muster::Error& error) {
        std::cout << "terminated, what waited: " << error.what() << "\n";
    }
    let_go.count_down();
    pool.join();
}

}  // namespace

int main() {
    closed();
    terminated();
}
