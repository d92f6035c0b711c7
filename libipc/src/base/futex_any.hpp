// Sleeping on several futex words at once.
#pragma once

#include "base/futex.hpp"

namespace muster::base {

// <linux/futex.h> of kernels before 5.16 lacks it; the numbers are the kernel's ABI.
struct FutexWaiter {
    std::uint64_t value = 0, address = 0;
    std::uint32_t flags = 0, reserved = 0;
};
inline constexpr std::size_t most_futexes = 128;

enum class WaitedAny { yes, unavailable };

// Sleeps while all words hold their values, at most until the deadline. Spurious returns are `yes`. `unavailable`: the
// system has no such call, or forbids it.
inline WaitedAny futex_wait_any(const FutexWaiter* waiters, std::size_t count, Deadline deadline) noexcept {
    constexpr long futex_waitv = 449;  // on every machine
    if (deadline.is_now()) return WaitedAny::yes;
    timespec until{};
    if (!deadline.is_never()) until = deadline.as_timespec();
    if (::syscall(futex_waitv, waiters, static_cast<unsigned>(count), 0u, deadline.is_never() ? nullptr : &until,
                  CLOCK_MONOTONIC) >= 0)
        return WaitedAny::yes;
    return errno == EAGAIN || errno == EINTR || errno == ETIMEDOUT ? WaitedAny::yes : WaitedAny::unavailable;
}
inline FutexWaiter shared_futex(const std::uint32_t* word, std::uint32_t value) noexcept {
    constexpr std::uint32_t size_u32 = 2;
    return {value, reinterpret_cast<std::uintptr_t>(word), size_u32, 0};
}

}  // namespace muster::base
