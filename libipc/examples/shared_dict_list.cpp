// Ten processes share one dict and one list: each sets two keys and appends its own pid. Both have names, so that
// `musterctl show pids` has them too when this runs on a daemon that goes on.
#include <unistd.h>

#include <iostream>
#include <muster/ipc.hpp>
#include <string>
#include <vector>

int main() {
    const muster::Manager manager;
    auto facts = manager.dict<std::string, std::string>("facts");
    auto pids = manager.list<pid_t>("pids");
    pids.clear();  // of an earlier run

    std::vector<muster::Process> workers;
    for (int i = 0; i < 10; ++i)
        workers
            .emplace_back([&] {
                facts.set("k1", "v1");
                facts.set("k2", "v2");
                pids.push_back(::getpid());
            })
            .start();
    for (muster::Process& worker : workers) worker.join();

    for (const auto& [key, value] : facts.items()) std::cout << key << " = " << value << "\n";
    std::cout << "pids:";
    for (const pid_t pid : pids.snapshot()) std::cout << " " << pid;
    std::cout << "\n";
}
