// A number and an array that parent and child share: the child sets the number and turns the array's signs round.
#include <iostream>
#include <muster/ipc.hpp>

int main() {
    const muster::Manager manager;
    muster::SharedValue<double> number = manager.value(0.0);
    muster::Array<int> array = manager.array<int>({0, 1, 2, 3, 4, 5, 6, 7, 8, 9});

    muster::Process child([=]() mutable {
        number = 3.1415927;
        for (std::ptrdiff_t i = 0; i < static_cast<std::ptrdiff_t>(array.size()); ++i) array[i] = -array[i];
    });
    child.start();
    child.join();

    std::cout << "number = " << number.get() << "\narray =";
    for (const int element : array.snapshot()) std::cout << " " << element;

    // Fifty workers count together. += is one step: no lock is needed, and nothing is lost.
    muster::SharedValue<int> counter = manager.value(0);
    std::vector<muster::Process> workers;
    for (int i = 0; i < 50; ++i)
        workers.emplace_back([=]() mutable {
            for (int step = 0; step < 100; ++step) counter += 1;
        }).start();
    for (muster::Process& worker : workers) worker.join();
    std::cout << "\ncounter = " << counter.get() << "\n";
}
