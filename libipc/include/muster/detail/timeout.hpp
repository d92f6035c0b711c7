// Durations and points in time of any type as nanoseconds, cut off where those end: "for hours::max()" is a very long
// time, not a negative one. Internal.
#pragma once

#include <chrono>

namespace muster::detail {

// Rounded up: who waits so long has waited at least as long as was asked for. Not a number is zero.
template <typename Rep, typename Period>
constexpr std::chrono::nanoseconds saturated(std::chrono::duration<Rep, Period> given) {
    using std::chrono::nanoseconds;
    using Seconds = std::chrono::duration<double>;
    const Seconds seconds(given);
    if (seconds != seconds) return nanoseconds::zero();
    if (seconds >= Seconds(nanoseconds::max())) return nanoseconds::max();
    if (seconds <= Seconds(nanoseconds::min())) return nanoseconds::min();
    return std::chrono::ceil<nanoseconds>(given);
}

// From now to then; zero when it has passed.
template <typename Clock, typename Duration>
std::chrono::nanoseconds left_until(std::chrono::time_point<Clock, Duration> when) {
    using std::chrono::nanoseconds;
    using Seconds = std::chrono::duration<double>;
    constexpr Seconds century(100.0 * 365 * 86400);  // the difference of what is further away overflows
    const auto now = Clock::now();
    const Seconds roughly = Seconds(when.time_since_epoch()) - Seconds(now.time_since_epoch());
    if (roughly != roughly || roughly <= -century) return nanoseconds::zero();
    if (roughly >= century) return nanoseconds::max();
    return when <= now ? nanoseconds::zero() : saturated(when - now);
}

}  // namespace muster::detail
