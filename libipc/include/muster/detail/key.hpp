// Keys of dicts: from a value's encoding to the canonical bytes that are hashed, compared and stored.
//
// Two keys are one key exactly when their canonical bytes are the same. As in Python, 1, 1.0 and true are one
// key:
//   numbers  an integer, or a floating-point number with an integral value in the range of int64 or uint64:
//   the smallest
//            integer encoding (-0.0 is 0); any other: eight bytes of floating point, a NaN as its bits are;
//            true 1, false 0
//   strings, binary, nil   their smallest encoding; a string and a binary of the same bytes are two keys
//   arrays   element by element
// Maps, object references and other extensions cannot be keys: Error(unhashable). Read back with
// muster::decode_key<K>.
//
// Thread safety: values.
#pragma once

#include <optional>

#include <muster/codec.hpp>

namespace muster {

namespace detail {

template <typename T>
concept DeclaresCanonical = requires {
    requires codec<T>::canonical;
};

}  // namespace detail

// Whether every encoding of T is canonical already, so that nothing is to be looked at at run time. A user's
// codec says so with `static constexpr bool canonical = true`. Aggregates always are looked at (they may be
// recursive).
template <typename T>
inline constexpr bool is_canonical_by_type =
    (std::integral<T> && !std::same_as<T, bool>) || detail::DeclaresCanonical<T>;
template <typename T>
requires std::is_enum_v<T>
inline constexpr bool is_canonical_by_type<T> =
    is_canonical_by_type<std::underlying_type_t<T>> || detail::DeclaresCanonical<T>;
template <>
inline constexpr bool is_canonical_by_type<std::string> = true;
template <>
inline constexpr bool is_canonical_by_type<std::string_view> = true;
template <>
inline constexpr bool is_canonical_by_type<const char*> = true;
template <>
inline constexpr bool is_canonical_by_type<char*> = true;
template <std::size_t size>
inline constexpr bool is_canonical_by_type<char[size]> = true;
template <>
inline constexpr bool is_canonical_by_type<std::monostate> = true;
template <>
inline constexpr bool is_canonical_by_type<std::nullptr_t> = true;
template <typename Rep, typename Period>
inline constexpr bool is_canonical_by_type<std::chrono::duration<Rep, Period>> = is_canonical_by_type<Rep>;
template <typename Clock, typename Duration>
inline constexpr bool is_canonical_by_type<std::chrono::time_point<Clock, Duration>> =
    is_canonical_by_type<Duration>;
template <typename T, typename Allocator>
inline constexpr bool is_canonical_by_type<std::vector<T, Allocator>> =
    is_canonical_by_type<T> || detail::ByteLike<T>;
template <typename T, std::size_t size>
inline constexpr bool is_canonical_by_type<std::array<T, size>> =
    is_canonical_by_type<T> || detail::ByteLike<T>;
template <typename First, typename Second>
inline constexpr bool is_canonical_by_type<std::pair<First, Second>> =
    is_canonical_by_type<First>&& is_canonical_by_type<Second>;
template <typename... T>
inline constexpr bool is_canonical_by_type<std::tuple<T...>> = (is_canonical_by_type<T> && ...);
template <typename T>
inline constexpr bool is_canonical_by_type<std::optional<T>> = is_canonical_by_type<T>;

namespace detail {

// Appends the canonical form of the number.
void write_canonical_number(Writer& out, double value);
// Appends the canonical form of the one value that `encoded` is. Throws unhashable, damaged.
void canonicalize(std::span<const std::byte> encoded, Writer& out);

}  // namespace detail

// The canonical form of one encoded value. `encoded` must outlive it: what is canonical already is not
// copied.
class CanonicalKey {
  public:
    explicit CanonicalKey(std::span<const std::byte> encoded) : bytes_(encoded) {
        if (is_plain(encoded)) return;
        detail::canonicalize(encoded, copy_);
        bytes_ = copy_.bytes();
    }
    CanonicalKey(const CanonicalKey&) = delete;
    CanonicalKey& operator=(const CanonicalKey&) = delete;

    std::span<const std::byte> bytes() const noexcept { return bytes_; }

  private:
    // One-byte integers, nil and short strings, which can be told at a glance.
    static bool is_plain(std::span<const std::byte> encoded) noexcept {
        if (encoded.empty()) return false;
        const auto first = static_cast<unsigned>(encoded[0]);
        if (first < detail::lead::fixmap || first == detail::lead::nil ||
            first >= detail::lead::negative_fixint)
            return encoded.size() == 1;
        return (first & 0xe0) == detail::lead::fixstr && encoded.size() == 1 + (first & 0x1f);
    }

    std::span<const std::byte> bytes_;
    Writer copy_;
};

// A key of type K, encoded and made canonical: what a dict's handle hands down.
template <Encodable K>
class KeyBytes {
  public:
    explicit KeyBytes(const K& key) {
        if constexpr (is_canonical_by_type<K>) {
            codec<K>::encode(encoded_, key);
        } else if constexpr (std::same_as<K, bool>) {
            encoded_.integer(static_cast<unsigned>(key));
        } else if constexpr (std::floating_point<K>) {
            detail::write_canonical_number(encoded_, static_cast<double>(key));
        } else {
            codec<K>::encode(encoded_, key);
            canonical_.emplace(encoded_.bytes());
        }
    }
    KeyBytes(const KeyBytes&) = delete;
    KeyBytes& operator=(const KeyBytes&) = delete;

    std::span<const std::byte> bytes() const noexcept {
        if constexpr (examined) return canonical_->bytes();
        return encoded_.bytes();
    }

  private:
    static constexpr bool examined =
        !is_canonical_by_type<K> && !std::same_as<K, bool> && !std::floating_point<K>;
    struct Nothing {};

    Writer encoded_;
    [[no_unique_address]] std::conditional_t<examined, std::optional<CanonicalKey>, Nothing> canonical_;
};

}  // namespace muster
