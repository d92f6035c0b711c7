// A barrier: runners wait for each other before each lap; the last one to come calls it. One who gives up breaks it for
// all; and somebody who is killed at it is not waited for.
#include <chrono>
#include <csignal>
#include <iostream>
#include <muster/ipc.hpp>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

int main() {
    const muster::Manager manager;
    constexpr int runners = 4, laps = 3;
    auto log = manager.list<std::string>();
    muster::Barrier barrier = manager.barrier(runners, {.action = [log]() mutable { log.push_back("all are here"); }});

    std::vector<muster::Process> processes;
    for (int i = 0; i < runners; ++i)
        processes.emplace_back([barrier, log]() mutable {
            for (int lap = 1; lap <= laps; ++lap) {
                barrier.wait();
                log.push_back("lap " + std::to_string(lap));
            }
        }).start();
    for (muster::Process& process : processes) process.join();
    for (const std::string& line : log.snapshot()) std::cout << line << "\n";

    try {
        barrier.wait_for(20ms);
    } catch (const muster::Error& error) {
        std::cout << "alone: " << muster::to_string(error.errc()) << "\n";
    }
    std::cout << "broken: " << barrier.broken() << "\n";
    barrier.reset();
    std::cout << "broken: " << barrier.broken() << "\n";

    muster::Barrier two = manager.barrier(2);
    muster::Process victim([two]() mutable { two.wait(); });
    victim.start();
    while (two.n_waiting() == 0) std::this_thread::sleep_for(1ms);
    victim.kill();
    victim.join();
    muster::Process other([two]() mutable { std::cout << "somebody else came: " << (two.wait() < 2) << std::endl; });
    other.start();
    two.wait();
    other.join();
}
