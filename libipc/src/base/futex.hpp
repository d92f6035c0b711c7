// The futex system call, for words that processes share.
#pragma once

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdint>

#include "base/deadline.hpp"

namespace muster::base {

enum class Woken { yes, changed, timed_out };

// Sleeps while *word == expected, at most until the deadline. Spurious returns are `yes`.
inline Woken futex_wait(const std::uint32_t* word, std::uint32_t expected, Deadline deadline) noexcept {
    if (deadline.is_now()) return Woken::timed_out;
    timespec until{};
    if (!deadline.is_never()) until = deadline.as_timespec();
    if (::syscall(SYS_futex, word, FUTEX_WAIT_BITSET, expected, deadline.is_never() ? nullptr : &until, nullptr,
                  FUTEX_BITSET_MATCH_ANY) == 0)
        return Woken::yes;
    return errno == ETIMEDOUT ? Woken::timed_out : errno == EAGAIN ? Woken::changed : Woken::yes;
}

// Wakes at most `count`; returns how many.
inline int futex_wake(const std::uint32_t* word, int count = INT_MAX) noexcept {
    const long woken = ::syscall(SYS_futex, word, FUTEX_WAKE, count, nullptr, nullptr, 0);
    return woken < 0 ? 0 : static_cast<int>(woken);
}

}  // namespace muster::base
