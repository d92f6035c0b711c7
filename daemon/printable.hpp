// Bytes that others wrote, fit to stand in a line of ours: in the log, or in an error's reason.
#pragma once

#include <string>
#include <string_view>

namespace muster {

// Everything that is not printable UTF-8 (and no tab) as \xNN, a backslash stays as it is.
std::string printable(std::string_view bytes);

// A byte within a UTF-8 character, behind its first.
constexpr bool inside_character(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

}  // namespace muster
