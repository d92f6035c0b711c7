// Natural equality and order of two encoded values, as Python compares them, without decoding them.
//
// Each span holds exactly one value; where the answer needs the damaged part of one that is not whole,
// Error(damaged). Numbers compare by value, whatever their encoding: integers, floating-point numbers and
// booleans (true is 1), exactly, without rounding; a NaN equals nothing. Strings and binary compare bytewise,
// arrays element by element.
//
// Thread safety: free functions without state. They allocate only to compare maps.
#pragma once

#include <compare>
#include <cstddef>
#include <span>

namespace muster {

// 1 == 1.0 == true, also inside arrays and maps; maps regardless of the order of their entries. Never throws
// for values of different kinds: they differ.
bool equal(std::span<const std::byte> a, std::span<const std::byte> b);

// The order for sort() and priority queues; `unordered` for what does not compare: values of different kinds
// (a string and a number), nil, maps, extensions, a NaN. Arrays: the first elements that are not equal
// decide, and may be unordered; if there are none the shorter array comes first.
std::partial_ordering compare(std::span<const std::byte> a, std::span<const std::byte> b);

}  // namespace muster
