// Bytes that others wrote, fit to stand in a line of ours: in the log, or in an error's reason. What is not printable UTF-8
// (and no tab) becomes \xNN; a backslash stays as it is.
#pragma once

#include <string>
#include <string_view>

namespace muster {

// A byte within a UTF-8 character, behind its first.
constexpr bool inside_character(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

// How many bytes at the front may stay as they are.
std::size_t printable_front(std::string_view bytes) noexcept;

// To whatever has append(first, last). Needs no memory but for `to` to grow.
template <typename Buffer>
void append_printable(Buffer& to, std::string_view bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    for (;;) {
        const std::size_t size = printable_front(bytes);
        to.append(bytes.data(), bytes.data() + size);
        bytes.remove_prefix(size);
        if (bytes.empty()) return;
        const auto byte = static_cast<unsigned char>(bytes[0]);
        const char escaped[] = {'\\', 'x', digits[byte >> 4], digits[byte & 15]};
        to.append(escaped, escaped + sizeof escaped);
        bytes.remove_prefix(1);
    }
}

inline std::string printable(std::string_view bytes) {
    std::string result;
    result.reserve(bytes.size());
    append_printable(result, bytes);
    return result;
}

}  // namespace muster
