// Copies between private memory and the segment. The segment's side may be read by others while it is written:
// small copies go word by word with relaxed atomics, so that a race is a torn value (which the sequence number
// tells), never undefined. The segment's side is 8-byte aligned and padded to whole words.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/base.hpp"

#if defined(__SANITIZE_THREAD__)
#define MUSTER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define MUSTER_TSAN 1
#endif
#endif
#ifndef MUSTER_TSAN
#define MUSTER_TSAN 0
#endif

namespace muster::segment {

inline constexpr std::size_t copy_by_words = MUSTER_TSAN ? ~std::size_t{0} : 256;

inline std::uint64_t load_word(const void* word) noexcept {
    return __atomic_load_n(static_cast<const std::uint64_t*>(word), __ATOMIC_RELAXED);
}
inline void store_word(void* word, std::uint64_t value) noexcept {
    __atomic_store_n(static_cast<std::uint64_t*>(word), value, __ATOMIC_RELAXED);
}

// The last 1 to 7 bytes of a copy, as the word that they begin: the rest is zero. In pieces whose sizes are powers of
// two, since a word read back from single bytes just written has to wait for them.
inline std::uint64_t load_tail(const std::byte* at, std::size_t size) noexcept {
    std::uint64_t word = 0;
    if constexpr (std::endian::native != std::endian::little) {
        std::memcpy(&word, at, size);
        return word;
    }
    unsigned bits = 0;
    const auto piece = [&](auto part) {
        std::memcpy(&part, at, sizeof part);
        word |= std::uint64_t{part} << bits;
        bits += 8 * sizeof part;
        at += sizeof part;
    };
    if (size & 4) piece(std::uint32_t{});
    if (size & 2) piece(std::uint16_t{});
    if (size & 1) piece(std::uint8_t{});
    return word;
}
inline void store_tail(std::byte* to, std::uint64_t word, std::size_t size) noexcept {
    if constexpr (std::endian::native != std::endian::little) {
        std::memcpy(to, &word, size);
        return;
    }
    const auto piece = [&](auto part) {
        part = static_cast<decltype(part)>(word);
        std::memcpy(to, &part, sizeof part);
        word >>= 8 * sizeof part;
        to += sizeof part;
    };
    if (size & 4) piece(std::uint32_t{});
    if (size & 2) piece(std::uint16_t{});
    if (size & 1) piece(std::uint8_t{});
}

inline void copy_out(void* to, const void* from, std::size_t size) noexcept {
    if (size > copy_by_words) {
        std::memcpy(to, from, size);
        return;
    }
    auto* target = static_cast<std::byte*>(to);
    const auto* source = static_cast<const std::uint64_t*>(from);
    for (; size >= 8; size -= 8, target += 8, ++source) {
        const std::uint64_t word = load_word(source);
        std::memcpy(target, &word, 8);
    }
    if (size != 0) store_tail(target, load_word(source), size);
}

inline void copy_in(void* to, const void* from, std::size_t size) noexcept {
    auto* target = static_cast<std::uint64_t*>(to);
    const auto* source = static_cast<const std::byte*>(from);
    if (size > copy_by_words) {
        const std::size_t whole = size / 8 * 8;
        std::memcpy(target, source, whole);
        target += whole / 8;
        source += whole;
        size -= whole;
    }
    for (; size >= 8; size -= 8, source += 8, ++target) {
        std::uint64_t word;
        std::memcpy(&word, source, 8);
        store_word(target, word);
    }
    if (size != 0) store_word(target, load_tail(source, size));
}

// Are the `size` bytes at `in_segment` those at `bytes`?
inline bool same_bytes(const void* in_segment, const void* bytes, std::size_t size) noexcept {
    if (size > copy_by_words) return std::memcmp(in_segment, bytes, size) == 0;
    const auto* left = static_cast<const std::uint64_t*>(in_segment);
    const auto* right = static_cast<const std::byte*>(bytes);
    for (; size >= 8; size -= 8, ++left, right += 8) {
        std::uint64_t word;
        std::memcpy(&word, right, 8);
        if (load_word(left) != word) return false;
    }
    return size == 0 || load_word(left) == load_tail(right, size);  // what pads a last word is zero
}

}  // namespace muster::segment
