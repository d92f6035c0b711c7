// When keys expire: points on one clock that all processes of the machine share, in nanoseconds.
//
// CLOCK_BOOTTIME: it goes on while the machine sleeps, nobody sets it, and it begins anew only when the segment, too, is
// gone. It is the same in every PID namespace. In a *time* namespace that shifts it, points are shifted by as much: a
// process there sees keys expire earlier or later than others do.
// Thread safety: tests put another clock in place while nobody else uses tables.
#pragma once

#include <chrono>
#include <cstdint>

namespace muster::containers {

inline constexpr std::uint64_t never = ~std::uint64_t{0};

std::uint64_t boot_time() noexcept;

using ExpiryClock = std::uint64_t (*)() noexcept;
inline ExpiryClock expiry_clock = boot_time;

// From now on; zero and less: it has passed. Saturates below `never`.
inline std::uint64_t expires_after(std::chrono::nanoseconds ttl) noexcept {
    const std::uint64_t now = expiry_clock();
    if (ttl.count() <= 0) return now;
    const auto more = static_cast<std::uint64_t>(ttl.count());
    return more < never - 1 - now ? now + more : never - 1;
}

}  // namespace muster::containers
