// The clock of this program's processes, which stands still for a child while it is moved on step by step.
//
// Who goes to sleep looks at the clock, and goes another way once a slice of the sleep is over; step by step that is so
// before it sleeps for the first time. So does who looks now and then whether the others live. clock_gettime() of this
// program is ours, therefore.
#pragma once

#include "support/stepper.hpp"

namespace muster::test {

// Of one child at a time.
class ChildClock : public Stepped::Clock {
  public:
    ChildClock();
    ~ChildClock() override;
    ChildClock(const ChildClock&) = delete;
    ChildClock& operator=(const ChildClock&) = delete;

    void set();  // as the kernel's is; before each child
    void stand_still() override;
    void go_on() override;
    std::chrono::nanoseconds behind() const override;
    // In the child: from now on this is its clock.
    void wear();

    struct Shared;

  private:
    Shared* const shared_;
};

}  // namespace muster::test
