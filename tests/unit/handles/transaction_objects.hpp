// What the tests of transactions work on.
#pragma once

#include "support/fails_with.hpp"
#include "support/local_realm.hpp"

namespace muster::test {

struct Objects {
    LocalRealm realm;
    Manager manager = realm.manager();
    Dict<std::string, int> left = manager.dict<std::string, int>("left");
    Dict<std::string, int> right = manager.dict<std::string, int>("right");
    List<std::string> list = manager.list<std::string>("list");
    Queue<std::string> jobs = manager.queue<std::string>("jobs", {.maxsize = 4});
    Counter<std::string> counts = manager.counter<std::string>("counts");
    Set<std::string> names = manager.set<std::string>("names");
    Namespace space = manager.ns("space");
    Array<long> numbers = manager.array<long>("numbers", 300);
};

}  // namespace muster::test
