// A place in the segment, valid in every mapping of it. 0 is null.
#pragma once

#include <cstdint>

namespace muster::segment {

template <typename T>
class Offset {
  public:
    constexpr Offset() noexcept = default;
    constexpr explicit Offset(std::uint64_t value) noexcept : value_(value) {}
    constexpr std::uint64_t value() const noexcept { return value_; }
    constexpr explicit operator bool() const noexcept { return value_ != 0; }
    friend constexpr bool operator==(Offset, Offset) noexcept = default;

  private:
    std::uint64_t value_ = 0;
};

}  // namespace muster::segment
