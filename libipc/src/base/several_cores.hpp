// Whether to spin before going to sleep.
#pragma once

#include <thread>

namespace muster::base {

// Another core could be at work on what is waited for. Found out by the first who asks.
inline bool several_cores() noexcept {
    static const bool several = std::thread::hardware_concurrency() > 1;
    return several;
}

}  // namespace muster::base
