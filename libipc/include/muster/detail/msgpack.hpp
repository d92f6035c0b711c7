// The MessagePack format as bytes: leading bytes, kinds, big-endian loads and stores, and the one place where
// a decoding failure becomes a muster::Error. Internal to the codec; Writer and Reader are what to use.
//
// Thread safety: free functions without state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include <muster/error.hpp>

namespace muster {

// What the next value is, as its leading byte tells.
enum class Kind : std::uint8_t {
    nil,
    boolean,
    integer,
    floating,
    string,
    binary,
    array,
    map,
    extension,
    invalid
};

// "string", "integer"…; for messages.
const char* to_string(Kind kind) noexcept;

// A handle to a shared object, stored inside another one: MessagePack extension type 1 in its 16-byte form
// (fixext 16): the realm, seven bytes; the object's kind, one; its id and its generation, four each; all
// big-endian. What it refers to and whether that still exists is the business of the realm, not of the codec.
struct ObjectRef {
    std::uint32_t id = 0, generation = 0;
    std::uint8_t kind = 0;    // as heap::Kind, whose numbers are stored
    std::uint64_t realm = 0;  // the first 56 bits of its instance
    friend bool operator==(const ObjectRef&, const ObjectRef&) = default;
};

// Arrays and maps within each other: more is refused when writing (limit_exceeded) and when reading
// (damaged).
inline constexpr unsigned max_depth = 128;

namespace detail {

inline constexpr std::int8_t object_ref_type = 1;
inline constexpr std::size_t object_ref_size = 16;

namespace lead {
inline constexpr unsigned fixmap = 0x80, fixarray = 0x90, fixstr = 0xa0, nil = 0xc0, no = 0xc2, yes = 0xc3;
inline constexpr unsigned bin8 = 0xc4, bin16 = 0xc5, bin32 = 0xc6, ext8 = 0xc7, ext16 = 0xc8, ext32 = 0xc9;
inline constexpr unsigned float32 = 0xca, float64 = 0xcb;
inline constexpr unsigned uint8 = 0xcc, uint16 = 0xcd, uint32 = 0xce, uint64 = 0xcf;
inline constexpr unsigned int8 = 0xd0, int16 = 0xd1, int32 = 0xd2, int64 = 0xd3;
inline constexpr unsigned fixext1 = 0xd4, fixext16 = 0xd8, str8 = 0xd9, str16 = 0xda, str32 = 0xdb;
inline constexpr unsigned array16 = 0xdc, array32 = 0xdd, map16 = 0xde, map32 = 0xdf, negative_fixint = 0xe0;
}  // namespace lead

constexpr Kind kind_of(unsigned first) noexcept {
    if (first < lead::fixmap || first >= lead::negative_fixint) return Kind::integer;
    if (first < lead::fixarray) return Kind::map;
    if (first < lead::fixstr) return Kind::array;
    if (first < lead::nil) return Kind::string;
    if (first == lead::nil) return Kind::nil;
    if (first < lead::no) return Kind::invalid;
    if (first <= lead::yes) return Kind::boolean;
    if (first <= lead::bin32) return Kind::binary;
    if (first <= lead::ext32) return Kind::extension;
    if (first <= lead::float64) return Kind::floating;
    if (first <= lead::int64) return Kind::integer;
    if (first <= lead::fixext16) return Kind::extension;
    if (first <= lead::str32) return Kind::string;
    return first <= lead::array32 ? Kind::array : Kind::map;
}

inline std::uint8_t big_endian(std::uint8_t value) noexcept { return value; }
inline std::uint16_t big_endian(std::uint16_t value) noexcept { return __builtin_bswap16(value); }
inline std::uint32_t big_endian(std::uint32_t value) noexcept { return __builtin_bswap32(value); }
inline std::uint64_t big_endian(std::uint64_t value) noexcept { return __builtin_bswap64(value); }
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
              "the byte swaps above assume a little-endian machine");

template <typename Unsigned>
Unsigned load(const std::byte* at) noexcept {
    Unsigned value;
    std::memcpy(&value, at, sizeof value);
    return big_endian(value);
}

template <typename Unsigned>
void store(std::byte* at, Unsigned value) noexcept {
    value = big_endian(value);
    std::memcpy(at, &value, sizeof value);
}

// The sixteen bytes of a handle.
inline ObjectRef load_ref(const std::byte* at) noexcept {
    const auto first = load<std::uint64_t>(at);
    return {load<std::uint32_t>(at + 8), load<std::uint32_t>(at + 12), static_cast<std::uint8_t>(first & 0xff), first >> 8};
}

// Error(type_mismatch): "expected integer, found string".
[[noreturn]] void throw_mismatch(const char* expected, Kind found);
[[noreturn]] void throw_wrong_length(std::size_t expected, std::size_t found);
// Error(value_error): a number that the type asked for cannot hold.
[[noreturn]] void throw_out_of_range();
// Error(damaged).
[[noreturn]] void throw_damaged(const char* why);
[[noreturn]] void throw_truncated();
// Error(limit_exceeded), when encoding.
[[noreturn]] void throw_too_deep();
[[noreturn]] void throw_too_long();

}  // namespace detail
}  // namespace muster
