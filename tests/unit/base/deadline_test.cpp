#include "base/deadline.hpp"

#include <catch2/catch.hpp>

using muster::base::Deadline;
using namespace std::chrono_literals;

TEST_CASE("never and now are what they say") {
    CHECK(Deadline::never().is_never());
    CHECK_FALSE(Deadline::never().passed());
    CHECK(Deadline::now().is_now());
    CHECK(Deadline::now().passed());
    CHECK_FALSE(Deadline::now().is_never());
}

TEST_CASE("a deadline in the future passes then, not before") {
    const Deadline hour = Deadline::after(1h);
    CHECK_FALSE(hour.passed());
    CHECK(hour.left(2h) > 59min);
    CHECK(hour.left(2h) <= 1h);
    CHECK(hour.left(1s) == 1s);
    const Deadline past = Deadline::at(Deadline::Clock::now() - 1ms);
    CHECK(past.passed());
    CHECK(past.left(1h) == 0ns);
}

TEST_CASE("no time and less is now, no limit is never") {
    CHECK(Deadline::after(0ns).is_now());
    CHECK(Deadline::after(-5s).is_now());
    CHECK(Deadline::after(std::chrono::nanoseconds::max()).is_never());
    CHECK(Deadline::after(std::optional<std::chrono::nanoseconds>{}).is_never());
    CHECK(Deadline::after(std::optional<std::chrono::nanoseconds>{0ns}).is_now());
    CHECK(Deadline::never().left(7ms) == 7ms);
    CHECK(Deadline::now().left(7ms) == 0ns);
}

TEST_CASE("the earlier of two deadlines is found") {
    const Deadline soon = Deadline::after(1s), late = Deadline::after(1h);
    CHECK(soon.earlier(late).when() == soon.when());
    CHECK(late.earlier(soon).when() == soon.when());
    CHECK(Deadline::never().earlier(soon).when() == soon.when());
    CHECK(Deadline::now().earlier(soon).is_now());
}

TEST_CASE("a deadline is told to the system calls on the monotonic clock") {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    const timespec then = Deadline::after(100s).as_timespec();
    CHECK(then.tv_sec >= now.tv_sec + 99);
    CHECK(then.tv_sec <= now.tv_sec + 101);
    CHECK(then.tv_nsec >= 0);
    CHECK(then.tv_nsec < 1'000'000'000);
    CHECK(Deadline::now().as_timespec().tv_sec == 0);
}

TEST_CASE("the longest time of any unit is never, the shortest is now") {
    CHECK(Deadline::after(std::chrono::hours::max()).is_never());
    CHECK(Deadline::after(std::chrono::milliseconds::max()).is_never());
    CHECK(Deadline::after(std::chrono::duration<double>(1e300)).is_never());
    CHECK(Deadline::after(std::chrono::hours::min()).is_now());
    CHECK_FALSE(Deadline::after(std::chrono::duration<double>(1e-9)).is_now());
}
