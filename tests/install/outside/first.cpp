// Ten worker processes count together.
#include <muster/ipc.hpp>

#include <unistd.h>

#include <iostream>
#include <mutex>
#include <vector>

int main() {
    auto manager = muster::Manager::connect();               // $MUSTER_ADDRESS, your own daemon, or the system's
    auto totals = manager.dict<std::string, int>("totals");  // opened, or made; handles are cheap to copy
    auto pids = manager.list<pid_t>("pids");
    auto ledger = manager.lock("ledger");

    std::vector<muster::Process> workers;
    for (int i = 0; i < 10; ++i) {
        workers.emplace_back([&] {  // a forked child: the parent's handles just work in it
            std::scoped_lock hold(ledger);
            totals.insert_or_assign("runs", totals.get("runs").value_or(0) + 1);
            pids.push_back(::getpid());
        });
        workers.back().start();
    }
    for (auto& worker : workers) worker.join();

    std::cout << "runs: " << totals.at("runs") << "\nworkers:";
    for (const pid_t pid : pids.snapshot()) std::cout << ' ' << pid;
    std::cout << '\n';
    return *workers.front().exitcode();
}
