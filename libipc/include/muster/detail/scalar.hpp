// The types of number that SharedValue and Array hold.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>

namespace muster {

// Stored; never renumbered.
enum class ScalarType : std::uint8_t {
    boolean = 1, int8 = 2, int16 = 3, int32 = 4, int64 = 5, uint8 = 6, uint16 = 7, uint32 = 8, uint64 = 9,
    float32 = 10, float64 = 11
};

// "int32"
std::string_view to_string(ScalarType type) noexcept;

// 0: there is no such type.
constexpr std::size_t size_of(ScalarType type) noexcept {
    switch (type) {
        case ScalarType::boolean:
        case ScalarType::int8:
        case ScalarType::uint8: return 1;
        case ScalarType::int16:
        case ScalarType::uint16: return 2;
        case ScalarType::int32:
        case ScalarType::uint32:
        case ScalarType::float32: return 4;
        case ScalarType::int64:
        case ScalarType::uint64:
        case ScalarType::float64: return 8;
    }
    return 0;
}

template <typename T>
concept Scalar = (std::integral<T> || std::same_as<T, float> || std::same_as<T, double>) && sizeof(T) <= 8 &&
                 std::same_as<T, std::remove_cv_t<T>>;

template <Scalar T>
constexpr ScalarType scalar_type_of() noexcept {
    if constexpr (std::same_as<T, bool>) {
        return ScalarType::boolean;
    } else if constexpr (std::floating_point<T>) {
        return sizeof(T) == 4 ? ScalarType::float32 : ScalarType::float64;
    } else {
        constexpr int base = std::is_signed_v<T> ? 2 : 6;
        return static_cast<ScalarType>(base + (sizeof(T) == 1 ? 0 : sizeof(T) == 2 ? 1 : sizeof(T) == 4 ? 2 : 3));
    }
}

namespace detail {

// A scalar as the low bits of a word, and back.
template <Scalar T>
std::uint64_t to_bits(T value) noexcept {
    std::uint64_t bits = 0;
    if constexpr (std::same_as<T, float>) {
        std::uint32_t narrow;
        std::memcpy(&narrow, &value, sizeof narrow);
        bits = narrow;
    } else if constexpr (std::same_as<T, double>) {
        std::memcpy(&bits, &value, sizeof bits);
    } else if constexpr (std::same_as<T, bool>) {
        bits = value ? 1 : 0;
    } else {
        bits = static_cast<std::make_unsigned_t<T>>(value);
    }
    return bits;
}
template <Scalar T>
T from_bits(std::uint64_t bits) noexcept {
    if constexpr (std::same_as<T, float>) {
        const auto narrow = static_cast<std::uint32_t>(bits);
        float value;
        std::memcpy(&value, &narrow, sizeof value);
        return value;
    } else if constexpr (std::same_as<T, double>) {
        double value;
        std::memcpy(&value, &bits, sizeof value);
        return value;
    } else if constexpr (std::same_as<T, bool>) {
        return bits != 0;
    } else {
        return static_cast<T>(bits);
    }
}

}  // namespace detail

}  // namespace muster
