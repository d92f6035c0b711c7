// Whether threads that wait for each other stay awake for it.
#pragma once

#include <sched.h>
#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "support/skip.hpp"

namespace muster::test {

// Where all threads of this one share a processor, whatever else the machine has, nobody gets what he waits for by looking.
inline void skip_on_one_processor() {
    cpu_set_t ours;
    if (::sched_getaffinity(0, sizeof ours, &ours) == 0 && CPU_COUNT(&ours) < 2)
        skip("this takes two processors, and there is one for us");
}

// How often the calling thread has given up its processor to wait for something.
inline long given_up_so_far() {
    rusage used{};
    return ::getrusage(RUSAGE_THREAD, &used) == 0 ? used.ru_nvcsw : 0;
}

inline void busy_for(std::chrono::nanoseconds time) {
    for (const auto end = std::chrono::steady_clock::now() + time; std::chrono::steady_clock::now() < end;) {
    }
}

// Two threads do side(0) and side(1), each `turns` times, and wait for each other in it. Do they give up their processors less
// than once in two turns of each? Asked again for a while: on a busy machine the two may have one processor between them.
template <typename Side>
bool mostly_awake(int turns, Side&& side) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    do {
        std::atomic<int> there{0};
        std::atomic<long> gave_up{0};
        const auto run = [&](int which) {
            for (++there; there < 2;) std::this_thread::yield();
            const long before = given_up_so_far();
            for (int i = 0; i < turns; ++i) side(which);
            gave_up += given_up_so_far() - before;
        };
        std::thread other(run, 1);
        run(0);
        other.join();
        if (gave_up < turns / 2) return true;
    } while (std::chrono::steady_clock::now() < end);
    return false;
}

}  // namespace muster::test
