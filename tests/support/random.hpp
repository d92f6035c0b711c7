// Reproducible randomness for model tests: MUSTER_SEED in the environment, else a fixed seed.
#pragma once

#include <cstdlib>
#include <random>
#include <string>

#include "support/bytes.hpp"

namespace muster::test {

inline std::uint64_t test_seed() {
    const char* text = std::getenv("MUSTER_SEED");
    return text != nullptr ? std::strtoull(text, nullptr, 10) : 20240607;
}

class Random {
  public:
    explicit Random(std::uint64_t seed) : engine_(seed) {}
    std::uint64_t below(std::uint64_t bound) { return engine_() % bound; }
    // Mostly what fits a word or a small block, sometimes a long one.
    std::string value(std::uint64_t longest = 70'000) {
        const std::uint64_t kind = below(100);
        std::uint64_t size = kind < 30 ? below(8) : kind < 90 ? below(200) : kind < 98 ? below(3000) : below(longest);
        if (size > longest) size = longest;
        std::string text(size, '\0');
        for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>('a' + (size + i) % 26);
        if (!text.empty()) text[0] = static_cast<char>(below(256));
        return text;
    }
    std::mt19937_64& engine() noexcept { return engine_; }

  private:
    std::mt19937_64 engine_;
};

}  // namespace muster::test
