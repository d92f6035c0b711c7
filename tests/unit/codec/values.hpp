// What the codec's tests share: hex, random values, and the seed they came from.
#pragma once

#include <catch2/catch.hpp>

#include <cmath>
#include <cstdlib>
#include <limits>
#include <random>

#include <muster/value.hpp>

namespace codec_test {

using Bytes = std::vector<std::byte>;

inline std::string hex(std::span<const std::byte> bytes) {
    std::string text;
    for (const std::byte byte : bytes) {
        if (!text.empty()) text += ' ';
        text += "0123456789abcdef"[static_cast<unsigned>(byte) >> 4];
        text += "0123456789abcdef"[static_cast<unsigned>(byte) & 15];
    }
    return text;
}

template <typename T>
std::string hex_of(const T& value) {
    return hex(muster::to_bytes(value));
}

inline Bytes bytes_of(std::initializer_list<unsigned> list) {
    Bytes bytes;
    for (const unsigned byte : list) bytes.push_back(static_cast<std::byte>(byte));
    return bytes;
}

inline Bytes by_nlohmann(const muster::Value& value) {
    const std::vector<std::uint8_t> packed = muster::Value::to_msgpack(value);
    const auto bytes = std::as_bytes(std::span(packed));
    return {bytes.begin(), bytes.end()};
}

// What a call threw, as its code; fails the test if nothing.
template <typename Call>
muster::Errc code_of(Call&& call) {
    try {
        call();
    } catch (const muster::Error& error) {
        return error.errc();
    }
    FAIL("nothing was thrown");
    return {};
}

template <typename Call>
std::string detail_of(Call&& call) {
    try {
        call();
    } catch (const muster::Error& error) {
        return error.detail();
    }
    return "(nothing was thrown)";
}

// From $MUSTER_SEED, to repeat a failure, or the machine's entropy. Print it with INFO("seed " << …).
inline std::uint32_t a_seed() {
    if (const char* given = std::getenv("MUSTER_SEED"))
        return static_cast<std::uint32_t>(std::strtoul(given, nullptr, 10));
    return std::random_device{}();
}

class RandomValues {
  public:
    explicit RandomValues(std::uint32_t seed) : random_(seed) {}

    std::uint64_t below(std::uint64_t limit) { return random_() % limit; }

    // Near the borders of the encodings as often as anywhere else.
    std::uint64_t bits() {
        const std::uint64_t border = std::uint64_t{1} << below(64);
        return below(2) ? random_() >> below(64) : border + below(3) - 1;
    }
    double floating() {
        static constexpr double special[] = {
            0.0,       -0.0,   0.25,   0.1,     1e300,  -1e-300, 1.0,
            -5.0,      0x1p53, 0x1p63, -0x1p63, 0x1p64, 3.5e38,  std::numeric_limits<double>::infinity(),
            16777217.0};
        if (below(2)) return special[below(std::size(special))];
        return std::ldexp(static_cast<double>(static_cast<std::int64_t>(random_())),
                          static_cast<int>(below(80)) - 64);
    }
    std::string string() {
        static constexpr std::uint64_t longest[] = {3, 40, 300, 70'000};
        const std::uint64_t choice = below(200);
        std::string text(below(longest[choice < 120 ? 0 : choice < 190 ? 1 : choice < 199 ? 2 : 3]), ' ');
        for (char& c : text) c = static_cast<char>('a' + below(26));
        return text;
    }
    muster::Value scalar() {
        switch (below(8)) {
            case 0:
                return nullptr;
            case 1:
                return below(2) == 0;
            case 2:
                return bits();
            case 3:
                return static_cast<std::int64_t>(bits());
            case 4:
                return -static_cast<std::int64_t>(bits() >> 1);
            case 5:
                return floating();
            case 6:
                return string();
            default:
                break;
        }
        const std::string data = string();
        std::vector<std::uint8_t> binary(data.begin(), data.end());
        if (below(3)) return muster::Value::binary(std::move(binary));
        if (below(2)) binary.resize(std::uint64_t{1} << below(5));
        return muster::Value::binary(std::move(binary), static_cast<std::uint8_t>(below(256)));
    }
    muster::Value value(int levels = 4) {
        if (levels == 0 || below(3) == 0) return scalar();
        const std::uint64_t count = below(20) ? below(6) : below(40);
        muster::Value made = below(2) ? muster::Value::array() : muster::Value::object();
        for (std::uint64_t i = 0; i < count; ++i) {
            if (made.is_array())
                made.push_back(value(levels - 1));
            else
                made[string()] = value(levels - 1);
        }
        return made;
    }

  private:
    std::mt19937_64 random_;
};

}  // namespace codec_test
