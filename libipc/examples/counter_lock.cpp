// A hundred workers take one from a shared counter under a lock: it ends at zero, with threads and with
// processes alike.
#include <iostream>
#include <muster/ipc.hpp>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr int workers = 100;
using Counter = muster::Dict<std::string, int>;

// Read, think, write: without the lock two workers read the same number, and one of their steps is lost.
void take_one(Counter counter, muster::Lock lock) {
    const std::scoped_lock hold(lock);
    const int left = counter.at("left");
    std::this_thread::yield();
    counter.set("left", left - 1);
}

}  // namespace

int main() {
    const muster::Manager manager;
    Counter counter = manager.dict<std::string, int>();
    muster::Lock lock = manager.lock();

    counter.set("left", workers);
    std::vector<std::thread> threads;
    for (int i = 0; i < workers; ++i) threads.emplace_back(take_one, counter, lock);
    for (std::thread& thread : threads) thread.join();
    std::cout << workers << " threads: " << counter.at("left") << " left\n";

    counter.set("left", workers);
    std::vector<muster::Process> processes;
    for (int i = 0; i < workers; ++i) processes.emplace_back(take_one, counter, lock).start();
    for (muster::Process& process : processes) process.join();
    std::cout << workers << " processes: " << counter.at("left") << " left\n";
}
