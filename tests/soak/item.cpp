#include "soak/item.hpp"

#include <charconv>

namespace muster::soak {
namespace {

std::uint64_t mixed(std::uint64_t x) noexcept {
    x ^= x >> 31;
    x *= 0x9e3779b97f4a7c15u;
    x ^= x >> 29;
    x *= 0xbf58476d1ce4e5b9u;
    return x ^ x >> 32;
}

std::size_t tail_of(std::uint64_t id) noexcept {
    const std::uint64_t hash = mixed(id), kind = hash % 1000, size = hash >> 20;
    if (kind < 500) return size % 8;
    if (kind < 850) return size % 200;
    if (kind < 985) return size % 3000;
    if (kind < 998) return size % 20'000;
    return size % 150'000;
}

}  // namespace

const char* name_of(Store store) noexcept {
    constexpr const char* names[] = {"jobs", "mail", "tokens", "log", "tickets", "badges", "stack", "ranks", "loans", "parcels"};
    return store < store_count ? names[store] : "?";
}

std::string text_of(std::uint64_t id) {
    std::string text = std::to_string(id) + ":";
    const std::size_t begin = text.size(), tail = tail_of(id);
    text.resize(begin + tail);
    for (std::size_t i = 0; i < tail; ++i) text[begin + i] = static_cast<char>('a' + (id + i) % 23);
    return text;
}

std::optional<std::uint64_t> id_of(const std::string& text) {
    std::uint64_t id = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
    if (error != std::errc{} || end == text.data() + text.size() || *end != ':') return {};
    if (text != text_of(id)) return {};
    return id;
}

}  // namespace muster::soak
