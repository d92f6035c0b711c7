// Shared objects in shared objects: a dict of lists that processes fill, a list sent through a queue, a tree, a ring. What
// is stored as a handle is the object itself; it lives as long as somebody can reach it.
#include <iostream>
#include <muster/ipc.hpp>
#include <numeric>
#include <string>
#include <vector>

int main() {
    const muster::Manager manager;
    auto groups = manager.dict<std::string, muster::List<int>>();
    for (const char* name : {"even", "odd"}) groups.set(name, manager.list<int>());  // kept by the dict

    std::vector<muster::Process> children;
    for (int first = 0; first < 4; ++first)
        children.emplace_back([groups, first] {
            for (int n = first; n < 100; n += 4) groups.at(n % 2 == 0 ? "even" : "odd").push_back(n);
        }).start();
    for (auto& child : children) child.join();
    for (const auto& [name, numbers] : groups.items()) {
        const std::vector<int> all = numbers.snapshot();
        std::cout << name << ": " << all.size() << " numbers, their sum is " << std::accumulate(all.begin(), all.end(), 0) << "\n";
    }

    // A handle is a message like any other. No process holds the list while it is on its way.
    auto queue = manager.queue<muster::List<int>>();
    queue.put(*groups.pop("even"));
    const muster::List<int> received = queue.get();
    std::cout << "through a queue: the same list, " << received.size() << " numbers\n";

    // Dynamic values name objects, too; a deep copy is plain data.
    auto leaf = [&](std::vector<int> numbers) {
        auto list = manager.list();
        for (const int number : numbers) list.push_back(number);
        return list;
    };
    auto root = manager.dict(), other = manager.dict();
    const auto first = leaf({1, 2}), second = leaf({3});
    root.set("name", "root");
    root.set("leaves", muster::Value::array({muster::to_value(first), muster::to_value(second)}));
    std::cout << "tree: " << muster::to_json_text(muster::deep_copy(root)) << "\n";

    // A ring keeps itself alive only while somebody has a way into it: the daemon frees it when this program has ended.
    other.set("root", muster::to_value(root));
    root.set("ring", muster::to_value(other));
    try {
        (void)muster::deep_copy(root);
    } catch (const muster::Error& error) {
        if (error.errc() == muster::Errc::value_error) std::cout << "ring: it contains itself\n";
    }
}
