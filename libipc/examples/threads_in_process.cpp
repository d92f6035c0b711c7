// A process that runs threads, all of which use the same handles; which thread is this, which are there, how many.
#include <pthread.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <latch>
#include <muster/ipc.hpp>
#include <string>
#include <thread>
#include <vector>

namespace {

std::string current_thread() {
    char name[16] = {};
    ::pthread_getname_np(::pthread_self(), name, sizeof name);
    return name;
}

std::vector<std::string> enumerate() {
    std::vector<std::string> names;
    for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
        std::ifstream file(task.path() / "comm");
        std::getline(file, names.emplace_back());
    }
    std::sort(names.begin(), names.end());
    return names;
}
std::size_t active_count() { return enumerate().size(); }

using Counts = muster::Dict<std::string, int>;

void work(const std::string& name, Counts counts, muster::List<std::string> lines, muster::Lock lock, std::latch& begun,
          std::latch& looked) {
    ::pthread_setname_np(::pthread_self(), name.c_str());
    begun.count_down();
    looked.wait();
    for (int i = 0; i < 1000; ++i) {
        std::scoped_lock hold(lock);
        counts.insert_or_assign("total", counts.get("total", 0) + 1);
    }
    lines.push_back(current_thread() + " in " + muster::current_process().name());
}

void run_threads(Counts counts, muster::List<std::string> lines, muster::Lock lock) {
    ::pthread_setname_np(::pthread_self(), "MainThread");
    std::latch begun(3), looked(1);
    std::vector<std::thread> threads;
    for (int i = 1; i <= 3; ++i)
        threads.emplace_back(work, "Thread-" + std::to_string(i), counts, lines, lock, std::ref(begun), std::ref(looked));
    begun.wait();
    std::cout << "current thread: " << current_thread() << "\n";
    std::cout << "threads:";
    for (const std::string& name : enumerate()) std::cout << " " << name;
    std::cout << "\nactive: " << active_count() << "\n";
    looked.count_down();
    for (std::thread& thread : threads) thread.join();
    std::cout << "active after join: " << active_count() << "\n";
}

}  // namespace

int main() {
    const muster::Manager manager;
    const Counts counts = manager.dict<std::string, int>();
    const auto lines = manager.list<std::string>();
    const auto lock = manager.lock();

    muster::Process process(run_threads, counts, lines, lock);
    process.start().join();

    auto all = lines.snapshot();
    std::sort(all.begin(), all.end());
    for (const std::string& line : all) std::cout << line << "\n";
    std::cout << "total: " << counts.at("total") << ", the process ended with " << *process.exitcode() << "\n";
}
