// A point on the monotonic clock up to which something may block, or never.
#pragma once

#include <chrono>
#include <ctime>
#include <optional>

#include <muster/detail/timeout.hpp>

namespace muster::base {

class Deadline {
  public:
    using Clock = std::chrono::steady_clock;  // CLOCK_MONOTONIC on Linux

    static Deadline never() noexcept { return Deadline{Clock::time_point::max()}; }
    static Deadline now() noexcept { return Deadline{Clock::time_point::min()}; }  // "do not block"
    static Deadline at(Clock::time_point when) noexcept { return Deadline{when}; }
    // Saturates; zero and less is now().
    static Deadline after(std::chrono::nanoseconds from_now) noexcept {
        if (from_now <= from_now.zero()) return now();
        const auto current = Clock::now();
        if (from_now > Clock::time_point::max() - current) return never();
        return Deadline{current + std::chrono::duration_cast<Clock::duration>(from_now)};
    }
    template <typename Rep, typename Period>  // after(30ms), which would fit both of the others
    static Deadline after(std::chrono::duration<Rep, Period> from_now) noexcept {
        return after(muster::detail::saturated(from_now));
    }
    static Deadline after(std::optional<std::chrono::nanoseconds> from_now) noexcept {
        return from_now ? after(*from_now) : never();
    }

    bool is_never() const noexcept { return when_ == Clock::time_point::max(); }
    bool is_now() const noexcept { return when_ == Clock::time_point::min(); }
    bool passed() const noexcept { return is_now() || (!is_never() && Clock::now() >= when_); }
    Clock::time_point when() const noexcept { return when_; }
    // What is left, zero when passed, at most `limit`: the length of one slice of a wait.
    std::chrono::nanoseconds left(std::chrono::nanoseconds limit) const noexcept {
        if (is_now()) return limit.zero();
        if (is_never()) return limit;
        const auto rest = when_ - Clock::now();
        return rest <= rest.zero() ? limit.zero() : rest < limit ? std::chrono::nanoseconds(rest) : limit;
    }
    Deadline earlier(Deadline other) const noexcept { return other.when_ < when_ ? other : *this; }
    // As the system calls take it, absolute on CLOCK_MONOTONIC.
    timespec as_timespec() const noexcept {
        if (is_now()) return {0, 0};
        const auto since = std::chrono::duration_cast<std::chrono::nanoseconds>(when_.time_since_epoch()).count();
        return {static_cast<time_t>(since / 1'000'000'000), static_cast<long>(since % 1'000'000'000)};
    }

  private:
    explicit Deadline(Clock::time_point when) noexcept : when_(when) {}
    Clock::time_point when_;
};

}  // namespace muster::base
