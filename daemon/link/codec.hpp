// The bytes of a message: its place in the variant (one byte), then its fields in the order of declaration. Integers
// are little-endian at their full width, strings and lists have a 32-bit length in front, an optional has a flag.
//
// Private to the two halves of one program: no version, no compatibility. Every length is checked all the same.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "link/messages.hpp"

namespace muster::link {

inline constexpr std::size_t max_message_bytes = 32u << 20;

// Throws Errc::limit_exceeded above max_message_bytes.
std::string encode(const ToKeeper& message);
std::string encode(const ToService& message);

// Throws Errc::protocol when the bytes are not exactly one message.
ToKeeper decode_to_keeper(std::span<const std::byte> bytes);
ToService decode_to_service(std::span<const std::byte> bytes);

}  // namespace muster::link
