// A keyed 64-bit hash of bytes for the tables in the segment: multiply-fold over 16-byte steps (the construction
// published as "mum" and wyhash). Not cryptographic; the random seed of the segment keeps crafted keys from piling
// up in one place. Stored tables depend on it: changing it changes the layout version.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace muster::segment {

inline std::uint64_t fold_multiply(std::uint64_t a, std::uint64_t b) noexcept {
    const auto product = static_cast<unsigned __int128>(a) * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

inline std::uint64_t hash_bytes(const void* bytes, std::size_t size, std::uint64_t seed) noexcept {
    constexpr std::uint64_t k0 = 0x9e3779b97f4a7c15, k1 = 0xd6e8feb86659fd93, k2 = 0xa0761d6478bd642f;
    const auto* at = static_cast<const unsigned char*>(bytes);
    const auto read8 = [](const unsigned char* p) noexcept {
        std::uint64_t word;
        std::memcpy(&word, p, 8);
        return word;
    };
    const auto read4 = [](const unsigned char* p) noexcept {
        std::uint32_t word;
        std::memcpy(&word, p, 4);
        return std::uint64_t{word};
    };
    std::uint64_t state = seed ^ k0, a = 0, b = 0;
    std::size_t left = size;
    for (; left > 16; left -= 16, at += 16) state = fold_multiply(read8(at) ^ k1, read8(at + 8) ^ state);
    if (left >= 8) {
        a = read8(at);
        b = read8(at + left - 8);
    } else if (left >= 4) {
        a = read4(at);
        b = read4(at + left - 4);
    } else if (left > 0) {
        a = std::uint64_t{at[0]} << 16 | std::uint64_t{at[left / 2]} << 8 | at[left - 1];
    }
    return fold_multiply(k2 ^ size, fold_multiply(a ^ k1, b ^ state));
}

}  // namespace muster::segment
