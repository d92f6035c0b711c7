// Four ways a process ends: by itself, on an error, on a fatal error, killed by somebody else. Each is told
// as what it was.
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <muster/ipc.hpp>
#include <stdexcept>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

namespace {

std::string ending(const muster::Process& process) {
    const int code = *process.exitcode();
    if (code < 0)
        return "signal SIG" + std::string(::sigabbrev_np(-code)) + ", exit code " + std::to_string(code);
    return "exit code " + std::to_string(code);
}

}  // namespace

int main() {
    const muster::Manager manager;
    using Options = muster::Process::Options;

    std::vector<muster::Process> processes;
    processes.emplace_back(Options{.name = "by-itself"}, [] { return 0; }).start();
    processes
        .emplace_back(Options{.name = "on-an-error"}, [] { throw std::runtime_error("the disk is full"); })
        .start();
    processes.emplace_back(Options{.name = "on-a-fatal-error"}, [] { std::abort(); }).start();
    processes.emplace_back(Options{.name = "killed"}, [] { std::this_thread::sleep_for(1h); }).start().kill();

    for (muster::Process& process : processes) {
        process.join();
        std::cout << process.name() << ": " << ending(process) << "\n";
    }
}
