// Waiting for what other processes and threads do, without guessing how long it takes.
#pragma once

#include <algorithm>
#include <chrono>
#include <thread>

namespace muster::test {

// Polls until `condition` holds; false when `patience` (a watchdog, not a measure) ran out first.
template <typename Condition>
bool eventually(Condition&& condition, std::chrono::milliseconds patience = std::chrono::seconds(20)) {
    using namespace std::chrono_literals;
    const auto end = std::chrono::steady_clock::now() + patience;
    for (std::chrono::microseconds pause = 200us;; pause = std::min<std::chrono::microseconds>(pause * 2, 20ms)) {
        if (condition()) return true;
        if (std::chrono::steady_clock::now() >= end) return condition();
        std::this_thread::sleep_for(pause);
    }
}

}  // namespace muster::test
