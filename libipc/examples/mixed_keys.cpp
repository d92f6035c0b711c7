// A list and a dict of anything: numbers, strings and null side by side, as keys and as values.
#include <iostream>
#include <muster/ipc.hpp>
#include <vector>

int main() {
    const muster::Manager manager;
    auto dict = manager.dict();  // of Value by Value
    auto list = manager.list();
    list.extend({0, 1, 2, 3, 4});

    std::vector<muster::Process> workers;
    for (int n = 0; n < 10; ++n)
        workers
            .emplace_back([&, n] {
                dict.set(n, "1");
                dict.set("2", 2);
                dict.set(0.25, nullptr);
                list.append(n);
                std::cout << muster::to_json_text(list.snapshot()) +
                                 "\n";  // whole: lines of ten must not mix
            })
            .start();
    for (muster::Process& worker : workers) worker.join();

    std::cout << "dict:";
    for (const auto& [key, value] : dict.items())
        std::cout << " " << muster::to_json_text(key) << "=" << muster::to_json_text(value);
    std::cout << "\nlist: " << muster::to_json_text(list.snapshot()) << "\n";
}
