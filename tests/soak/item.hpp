// Values that tell what they are: a number that names each item, and a text that is made of it, short or
// long. A text that is not what its number says is torn.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace muster::soak {

// Where unique items are put and taken.
enum Store : unsigned { jobs, mail, tokens, log, tickets, badges, stack, ranks, loans, parcels, store_count };
const char* name_of(Store store) noexcept;

inline constexpr unsigned items_per_round = 1 << 14;  // of one worker in one store

// The maker's `number`th item for `store` in this round.
struct ItemId {
    std::uint32_t round;
    Store store;
    unsigned maker, number;

    std::uint64_t packed() const noexcept {
        return std::uint64_t{round} << 32 | std::uint64_t{store} << 28 | std::uint64_t{maker} << 20 | number;
    }
    static ItemId unpack(std::uint64_t packed) noexcept {
        return {static_cast<std::uint32_t>(packed >> 32), static_cast<Store>(packed >> 28 & 0xf),
                static_cast<unsigned>(packed >> 20 & 0xff), static_cast<unsigned>(packed & 0xfffff)};
    }
};

// The number of an entry of a worker's own object: no item has it.
constexpr std::uint64_t own_id(unsigned worker, unsigned object, std::uint32_t entry) noexcept {
    return std::uint64_t{1} << 63 | std::uint64_t{worker} << 40 | std::uint64_t{object} << 32 | entry;
}

// Mostly what fits a small block, sometimes up to 150,000 bytes.
std::string text_of(std::uint64_t id);
// None: no such text.
std::optional<std::uint64_t> id_of(const std::string& text);

}  // namespace muster::soak
