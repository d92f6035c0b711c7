// An event: the boss says when work begins and when it ends; and workers who check a connection again and again, half a
// second at a time, until it is there.
#include <chrono>
#include <iostream>
#include <muster/ipc.hpp>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

namespace {

void worker(int number, muster::Event begin, muster::Event end, muster::Queue<std::string> log) {
    begin.wait();
    log.put("worker " + std::to_string(number) + " works");
    end.wait();
    log.put("worker " + std::to_string(number) + " goes home");
}

void checker(int number, muster::Event connected, muster::Queue<std::string> log) {
    int tries = 1;
    while (!connected.wait_for(0.5s)) ++tries;
    log.put("checker " + std::to_string(number) + " is connected" + (tries > 1 ? ", not at the first try" : ""));
}

void print(muster::Queue<std::string> log, int lines) {
    for (int i = 0; i < lines; ++i) std::cout << log.get() << "\n";
}

}  // namespace

int main() {
    const muster::Manager manager;
    auto log = manager.queue<std::string>();

    muster::Event begin = manager.event(), end = manager.event();
    std::vector<muster::Process> workers;
    for (int i = 1; i <= 3; ++i) workers.emplace_back(worker, i, begin, end, log).start();
    std::cout << "boss: begin!\n";
    begin.set();
    print(log, 3);
    std::cout << "boss: that is all\n";
    end.set();
    print(log, 3);
    for (muster::Process& process : workers) process.join();

    muster::Event connected = manager.event();
    std::vector<muster::Process> checkers;
    for (int i = 1; i <= 2; ++i) checkers.emplace_back(checker, i, connected, log).start();
    std::this_thread::sleep_for(0.7s);
    std::cout << "connected: " << connected.is_set() << "\n";
    connected.set();
    print(log, 2);
    for (muster::Process& process : checkers) process.join();
    connected.clear();
    std::cout << "connected: " << connected.is_set() << "\n";
}
