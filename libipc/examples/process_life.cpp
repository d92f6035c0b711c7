// The life of a process: made, started, alive, told to end, joined; and what its exit code says at each
// stage.
#include <chrono>
#include <iostream>
#include <muster/ipc.hpp>
#include <thread>

using namespace std::chrono_literals;

namespace {

void show(const char* when, const muster::Process& process) {
    const auto code = process.exitcode();
    std::cout << process.name() << " " << when << ": pid " << (process.pid() ? "known" : "none") << ", alive "
              << (process.is_alive() ? "yes" : "no") << ", exit code "
              << (code ? std::to_string(*code) : "none") << "\n";
}

}  // namespace

int main() {
    const muster::Manager manager;  // so that `musterctl ps` shows them, too

    muster::Process sleeper([] { std::this_thread::sleep_for(1h); });
    show("made", sleeper);
    std::cout << sleeper.name() << " is " << (sleeper.daemon() ? "a daemon" : "no daemon") << "\n";
    sleeper.start();
    show("started", sleeper);
    if (!sleeper.join_for(50ms)) std::cout << sleeper.name() << " has not ended within 50 ms\n";
    sleeper.terminate();  // it may be alive for a moment yet: only join() knows
    sleeper.join();
    show("terminated and joined", sleeper);

    muster::Process stubborn([] { std::this_thread::sleep_for(1h); });
    stubborn.start().kill();
    stubborn.join();
    show("killed and joined", stubborn);

    muster::Process counter([](int up_to) { return up_to; }, 7);
    counter.start().join();
    show("left alone and joined", counter);
}
