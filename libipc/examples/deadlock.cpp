// Two workers take two locks in opposite order, and each waits for what the other has. The one who closes the circle is
// told, by an error that names who holds what and who waits for what; it lets go and tries again, and both finish.
#include <chrono>
#include <iostream>
#include <muster/ipc.hpp>
#include <mutex>
#include <thread>

using namespace std::chrono_literals;

int main() {
    const muster::Manager manager;
    auto a = manager.lock("A"), b = manager.lock("B");
    auto printing = manager.lock("print");
    auto met = manager.value<int>(0);  // how many have their first lock

    const auto say = [&](const std::string& worker, const std::string& what) {
        const std::scoped_lock hold(printing);
        std::cout << worker << " " << what << std::endl;
    };
    const auto work = [&](const std::string& worker, muster::Lock first, muster::Lock second) {
        for (;;) try {
                const std::unique_lock has_first(first);
                say(worker, "has taken " + first.name());
                met.fetch_add(1);
                while (met.load() < 2) std::this_thread::sleep_for(1ms);  // so that it comes to it
                const std::unique_lock has_second(second);
                say(worker, "has taken " + second.name());
                return;
            } catch (const muster::Error& error) {
                if (error.errc() != muster::Errc::deadlock) throw;
                say(worker, "is told: " + std::string(error.what()));
            }
    };
    muster::Process one([&] { work("worker 1", a, b); });
    muster::Process two([&] { work("worker 2", b, a); });
    one.start();
    two.start();
    one.join();
    two.join();
    std::cout << "both are done: exit codes " << *one.exitcode() << " and " << *two.exitcode() << std::endl;
}
