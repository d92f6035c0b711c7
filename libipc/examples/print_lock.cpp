// Ten processes print word by word, and no line is torn: they take a lock to print.
#include <chrono>
#include <iostream>
#include <muster/ipc.hpp>
#include <mutex>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

int main() {
    const muster::Manager manager;
    auto printing = manager.lock();

    std::vector<muster::Process> printers;
    for (int i = 0; i < 10; ++i)
        printers
            .emplace_back([&, i] {
                const std::scoped_lock hold(printing);
                for (const char* word : {"this", "is", "one", "line", "of"}) {
                    std::cout << word << " " << std::flush;  // each word on its own way to the terminal
                    std::this_thread::sleep_for(1ms);
                }
                std::cout << "process " << i << std::endl;  // out before the lock is let go
            })
            .start();
    for (muster::Process& printer : printers) printer.join();
}
