// The clock by which keys expire, moved by hand while this stands.
#pragma once

#include "containers/expiry.hpp"

namespace muster::test {

class FakeClock {
  public:
    FakeClock() : before_(containers::expiry_clock) {
        now = 1'000'000;
        containers::expiry_clock = []() noexcept { return now; };
    }
    FakeClock(const FakeClock&) = delete;
    FakeClock& operator=(const FakeClock&) = delete;
    ~FakeClock() { containers::expiry_clock = before_; }

    inline static std::uint64_t now = 0;

  private:
    containers::ExpiryClock before_;
};

}  // namespace muster::test
