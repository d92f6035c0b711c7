// Twenty workers, and at most five of them at work at a time: a semaphore of five permits. The bounded one refuses one
// release too many. And a permit is not lost with the one who held it.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <iostream>
#include <muster/ipc.hpp>
#include <mutex>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

namespace {

constexpr int workers = 20, at_most = 5;

void work(muster::Semaphore semaphore, muster::SharedValue<int> inside, muster::List<int> seen) {
    const std::scoped_lock hold(semaphore);
    seen.push_back(inside.fetch_add(1) + 1);
    std::this_thread::sleep_for(5ms);
    inside.fetch_sub(1);
}

}  // namespace

int main() {
    const muster::Manager manager;
    muster::Semaphore semaphore = manager.semaphore(at_most);
    auto inside = manager.value<int>();
    auto seen = manager.list<int>();

    std::vector<muster::Process> processes;
    for (int i = 0; i < workers; ++i) processes.emplace_back(work, semaphore, inside, seen).start();
    for (muster::Process& process : processes) process.join();
    const auto all = seen.snapshot();
    const bool kept = *std::max_element(all.begin(), all.end()) <= at_most;
    std::cout << all.size() << " workers, never more than " << at_most << " at a time: " << (kept ? "yes" : "no") << "\n";

    muster::BoundedSemaphore bounded = manager.bounded_semaphore(2);
    bounded.acquire();
    bounded.release();
    try {
        bounded.release();
    } catch (const muster::Error& error) {
        std::cout << "one release too many: " << muster::to_string(error.errc()) << "\n";
    }
    std::cout << bounded.get_value() << " permits\n";

    muster::Process killed([bounded]() mutable {
        bounded.acquire();
        bounded.acquire();
        std::raise(SIGKILL);
    });
    killed.start();
    killed.join();
    bounded.acquire();  // what the dead held comes back
    std::cout << "a permit of the dead came back\n";
    bounded.release();
}
