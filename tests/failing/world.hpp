// One object of each kind in a realm without a daemon, with something in it, and all that can be seen of them as text.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <muster/manager.hpp>

#include "support/local_realm.hpp"

namespace muster::test {

struct World {
    World();
    // Contents, counts, and who holds what.
    std::string state() const;
    // What the daemon's check says; "" when nothing is wrong.
    std::string violations() const;

    LocalRealm realm{std::uint64_t{16} << 20};
    Manager manager = realm.manager();
    Dict<std::string, std::string> dict = manager.dict<std::string, std::string>("dict");
    List<std::string> list = manager.list<std::string>("list");
    Queue<std::string> queue = manager.queue<std::string>("queue");
    Queue<std::string> latest = manager.queue<std::string>("latest", {.order = Order::lifo});
    Queue<std::string> lowest = manager.queue<std::string>("lowest", {.order = Order::priority, .max_deliveries = 1});
    Set<std::string> set = manager.set<std::string>("set");
    Counter<std::string> counter = manager.counter<std::string>("counter");
    Namespace space = manager.ns("space");
    SharedValue<int> value = manager.value<int>("value", 7);
    Array<int> array = manager.array<int>("array", {1, 2, 3});
    Dict<std::string, std::vector<List<int>>> nested = manager.dict<std::string, std::vector<List<int>>>("nested");
    Queue<List<int>> jobs = manager.queue<List<int>>("jobs");
    Lock lock = manager.lock("lock");
    RLock rlock = manager.rlock("rlock");
    Semaphore semaphore = manager.semaphore("semaphore", 3);
    Semaphore spare = manager.semaphore("spare", 3);  // that nobody looks at
    Condition condition = manager.condition("condition");
    Event event = manager.event("event");
    Barrier barrier = manager.barrier("barrier", 1);
    std::pair<Connection<std::string>, Connection<std::string>> pipe = manager.pipe<std::string>();
};

struct Operation {
    std::string name;
    std::function<void(World&)> run;
    bool in_steps = false;  // several changes, each whole: after a failure some of them may have happened
};

std::vector<Operation> operations();

// Long enough for an allocation, on either side.
inline std::string text(char letter, std::size_t size = 700) { return std::string(size, letter); }

}  // namespace muster::test
