// Children put what they have into a queue, the parent gets it.
#include <iostream>
#include <muster/ipc.hpp>
#include <vector>

using muster::Value;

int main() {
    const muster::Manager manager;
    auto queue = manager.queue();

    muster::Process child([&] { queue.put(Value{"Hello", nullptr, "World"}); });
    child.start();
    std::cout << muster::to_json_text(queue.get()) << "\n";
    child.join();

    std::vector<muster::Process> children;
    for (int n = 0; n < 3; ++n) children.emplace_back([&, n] { queue.put(Value{42, n, "hello"}); }).start();
    for (int n = 0; n < 3; ++n) std::cout << muster::to_json_text(queue.get()) << "\n";
    for (muster::Process& each : children) each.join();
    std::cout << "left in the queue: " << queue.qsize() << "\n";
}
