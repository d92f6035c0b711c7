// A worker for the tests: works on a dict, a list and a queue of the realm as fast as it can until told to end, and
// tells in a dict what it did and what went wrong. hammer NAME EXIT_CODE
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

#include <muster/ipc.hpp>

int main(int argc, char** argv) try {
    if (argc != 3) return 125;
    const std::string name = argv[1];
    const auto manager = muster::Manager::connect();
    auto totals = manager.dict<std::string, int>("totals");
    auto list = manager.list<std::string>("list");
    auto queue = manager.queue<int>("queue", {.maxsize = 100});
    auto ledger = manager.lock("ledger");
    auto orders = manager.dict<std::string, std::string>("orders");
    for (int i = 0; !orders.contains("end") && !orders.contains("end " + name); ++i) {
        totals.update("sum", [](std::optional<int> n) { return n.value_or(0) + 1; });
        totals.set(name, i + 1);
        list.push_back(name);
        if (list.size() > 50) (void)list.pop(0);
        queue.put(i);
        (void)queue.get();
        const std::scoped_lock hold(ledger);
        totals.set("guarded", totals.get("guarded").value_or(0) + 1);
    }
    return std::atoi(argv[2]);
} catch (const std::exception& error) {
    std::fprintf(stderr, "hammer: %s\n", error.what());
    return 99;
}
