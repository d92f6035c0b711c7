// A daemon child ends with its parent's main code; a child that is no daemon is waited for.
#include <chrono>
#include <iostream>
#include <muster/ipc.hpp>
#include <thread>

using namespace std::chrono_literals;

namespace {

void say(const std::string& what) {
    std::cout << muster::current_process().name() << ": " << what << std::endl;
}

void worker(muster::Queue<std::string> begun, std::chrono::seconds work) {
    say("starting");
    begun.put(muster::current_process().name());
    std::this_thread::sleep_for(work);
    say("exiting");
}

}  // namespace

int main() {
    const muster::Manager manager;
    using Options = muster::Process::Options;
    auto begun = manager.queue<std::string>();

    muster::Process background(Options{.name = "background", .daemon = true}, worker, begun, 1h);
    muster::Process foreground(Options{.name = "foreground", .daemon = false}, worker, begun, 1s);
    background.start();
    foreground.start();
    std::cout << background.name() << " is " << (background.daemon() ? "a daemon" : "no daemon") << ", "
              << foreground.name() << " is " << (foreground.daemon() ? "a daemon" : "no daemon") << std::endl;

    muster::Process strict(Options{.name = "strict", .daemon = true}, [] {
        muster::Process child([] {});
        try {
            child.start();
        } catch (const muster::Error& error) {
            say(error.detail());
        }
    });
    strict.start().join();

    for (int i = 0; i < 2; ++i) (void)begun.get();
    say("exiting");
    // Neither is joined here: at the end of main the daemon is terminated, and the other one waited for.
}
