// One function that uses an executor, whichever it is: first of processes, then of threads.
#include <unistd.h>

#include <chrono>
#include <iostream>
#include <muster/ipc.hpp>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

namespace {

const std::vector<int> numbers{0, 1, 2, 3, 4, 5, 6, 7, 8, 9};

int square(int i) { return i * i; }

bool elsewhere(pid_t parent) { return ::getpid() != parent; }

std::string slow(int milliseconds) {
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
    return "slow, and done";
}

void refuse(int i) { throw muster::Error(muster::Errc::value_error, "refuse", std::to_string(i), "by principle"); }

void use(const std::string& kind, muster::Executor& executor) {
    std::cout << kind << ": runs in " << (executor.submit(elsewhere, ::getpid()).result() ? "another" : "this") << " process\n";

    std::cout << kind << ": map";
    for (const int each : executor.map(square, numbers)) std::cout << " " << each;
    std::cout << "\n";

    std::vector<muster::Future<std::string>> futures;
    for (int i = 0; i < 6; ++i) futures.push_back(executor.submit(slow, 200));
    try {
        futures[0].result(1ms);
    } catch (const muster::Error& error) {
        std::cout << kind << ": result within 1 ms: " << muster::to_string(error.errc()) << "\n";
    }
    std::cout << kind << ": the last of six is cancelled: " << (futures[5].cancel() ? "yes" : "no") << "\n";
    std::string told;
    futures[1].add_done_callback([&](const muster::Future<std::string>& done) { told = done.result(); });
    std::cout << kind << ": " << futures[0].result() << ", done: " << (futures[0].done() ? "yes" : "no") << "\n";

    try {
        executor.submit(refuse, 4).result();
    } catch (const muster::Error& error) {
        std::cout << kind << ": " << error.what() << "\n";
    }

    executor.shutdown();  // waits for all of it
    std::cout << kind << ": the callback was told: " << told << "\n";
    try {
        executor.submit(square, 1);
    } catch (const muster::Error& error) {
        std::cout << kind << ": after shutdown: " << muster::to_string(error.errc()) << "\n";
    }
}

}  // namespace

int main() {
    const muster::Manager manager;
    muster::ProcessExecutor processes(manager, {.processes = 2});
    use("processes", processes);
    muster::ThreadExecutor threads({.threads = 2});
    use("threads", threads);
}
