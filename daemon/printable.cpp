#include "printable.hpp"

#include <array>
#include <cstdint>

namespace muster {
namespace {

// Bytes of the valid UTF-8 character at the front, 0 when there is none.
std::size_t character(std::string_view bytes) noexcept {
    const auto lead = static_cast<unsigned char>(bytes[0]);
    if (lead < 0x80) return 1;
    const std::size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || bytes.size() < size) return 0;
    std::uint32_t code = lead & (0x7fu >> size);
    for (std::size_t i = 1; i < size; ++i) {
        if (!inside_character(bytes[i])) return 0;
        code = code << 6 | (static_cast<unsigned char>(bytes[i]) & 0x3f);
    }
    constexpr std::array<std::uint32_t, 5> smallest{0, 0, 0x80, 0x800, 0x10000};
    const bool surrogate = code >= 0xd800 && code < 0xe000;
    return code < smallest[size] || surrogate || code > 0x10ffff ? 0 : size;
}

}  // namespace

std::size_t printable_front(std::string_view bytes) noexcept {
    std::size_t front = 0;
    while (front < bytes.size()) {
        const std::string_view rest = bytes.substr(front);
        const auto first = static_cast<unsigned char>(rest[0]);
        const bool control = (first < 0x20 && first != '\t') || first == 0x7f;
        const std::size_t size = control ? 0 : character(rest);
        // C1 controls (U+0080..U+009F) steer terminals, too.
        const bool c1 = size == 2 && first == 0xc2 && static_cast<unsigned char>(rest[1]) < 0xa0;
        if (size == 0 || c1) break;
        front += size;
    }
    return front;
}

}  // namespace muster
