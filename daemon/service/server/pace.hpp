// How fast something may go on: so much a second, and a burst of it at once. It delays, it never refuses; and it delays
// nobody for longer than `longest`, so that one who goes slowly because of others still goes on.
//
// Thread safety: none.
#pragma once

#include <algorithm>
#include <chrono>

namespace muster::service {

class Pace {
  public:
    using Clock = std::chrono::steady_clock;

    Pace(double per_second, double burst, Clock::duration longest) noexcept
        : each_(1 / per_second), burst_(of(burst / per_second)), longest_(longest) {}

    // So much more has been done. When to go on: at once if that is not after `now`.
    Clock::time_point after(double amount, Clock::time_point now) noexcept {
        due_ = std::min(std::max(due_, now) + of(amount * each_), now + burst_ + longest_);
        return due_ - burst_;
    }
    bool idle(Clock::time_point now) const noexcept { return due_ <= now; }

  private:
    static Clock::duration of(double seconds) noexcept {
        return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
    }

    double each_;  // seconds
    Clock::duration burst_, longest_;
    Clock::time_point due_{};
};

}  // namespace muster::service
