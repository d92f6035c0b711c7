// The same with one re-entrant lock in place of two: who has it may take it again, so nobody can be in the other's way.
// What was taken twice is released twice.
#include <iostream>
#include <muster/ipc.hpp>
#include <mutex>

int main() {
    const muster::Manager manager;
    auto a = manager.rlock("AB");
    auto b = a;  // the same lock by another name

    const auto work = [](const std::string& worker, muster::RLock first, muster::RLock second) {
        first.lock();
        std::cout << worker << " has taken the first: " << first.levels() << " level\n";
        second.lock();
        std::cout << worker << " has taken the second: " << second.levels() << " levels\n";
        second.unlock();
        std::cout << worker << " has released the second: " << first.levels() << " level" << std::endl;
        first.unlock();
    };
    muster::Process one([&] { work("worker 1", a, b); });
    muster::Process two([&] { work("worker 2", b, a); });
    one.start();
    two.start();
    one.join();
    two.join();

    try {
        a.unlock();  // once more than it was taken
    } catch (const muster::Error& error) {
        std::cout << "one release too many: " << error.what() << "\n";
    }
    std::cout << "both are done, the lock is " << (a.locked() ? "held" : "free") << std::endl;
}
