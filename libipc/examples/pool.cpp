// A pool of 5 processes does 10 tasks; each result comes to a callback that runs in the parent. Then apply, map, and a
// worker that is killed in the midst of its task: it is reported, and the pool goes on.
#include <unistd.h>

#include <csignal>
#include <iostream>
#include <muster/ipc.hpp>
#include <string>
#include <vector>

namespace {

struct Answer {
    int task;
    pid_t pid, ppid;
};

Answer work(int task) { return {task, ::getpid(), ::getppid()}; }

const std::vector<int> numbers{0, 1, 2, 3, 4, 5, 6, 7, 8, 9};

int square(int i) { return i * i; }

int killed(int i) {
    ::kill(::getpid(), SIGKILL);
    return i;
}

}  // namespace

int main() {
    const muster::Manager manager;
    muster::Pool pool(manager, {.processes = 5});

    const auto show = [](const Answer& answer) {  // in the parent
        std::cout << "task " << answer.task << ": by pid " << answer.pid << ", ppid " << answer.ppid << ", called back in pid "
                  << ::getpid() << "\n";
    };
    std::vector<muster::AsyncResult<Answer>> results;
    for (int i = 0; i < 10; ++i) results.push_back(pool.apply_async(work, std::tuple(i), {.callback = show}));
    for (const auto& result : results) result.wait();  // its callback has returned

    std::cout << "apply: " << pool.apply(square, 7) << "\n";
    std::cout << "map:";
    for (const int each : pool.map(square, numbers)) std::cout << " " << each;
    std::cout << "\n";

    try {
        pool.apply_async(killed, std::tuple(1), {.name = "the unlucky one"}).get();
    } catch (const muster::Error& error) {
        std::cout << error.subject() << ": " << muster::to_string(error.errc()) << ": " << error.detail() << "\n";
    }
    std::cout << "and on: " << pool.apply(square, 8) << "\n";

    pool.close();
    pool.join();
    try {
        pool.apply(square, 9);
    } catch (const muster::Error& error) {
        std::cout << "after close: " << muster::to_string(error.errc()) << "\n";
    }
}
