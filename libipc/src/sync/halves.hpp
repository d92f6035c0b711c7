// Words of two halves: the high one tells whose life it is, the low one what is said of it.
#pragma once

#include <cstdint>

namespace muster::sync {

constexpr std::uint32_t low(std::uint64_t word) noexcept { return static_cast<std::uint32_t>(word); }
constexpr std::uint32_t high(std::uint64_t word) noexcept { return static_cast<std::uint32_t>(word >> 32); }
constexpr std::uint64_t pack(std::uint32_t high, std::uint64_t low) noexcept { return std::uint64_t{high} << 32 | low; }

}  // namespace muster::sync
