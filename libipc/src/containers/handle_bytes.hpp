// Handles to objects among the bytes of a value, as whoever need not decode it finds them.
//
// A handle is 18 bytes that no other value has but by chance: the leading byte, the type, seven bytes that are random for
// each realm. Whoever finds one by looking for these bytes finds every handle of the realm, and in a string or a binary
// that happens to contain them one more, which keeps something alive for longer and does no harm.
#pragma once

#include <cstring>
#include <span>
#include <vector>

#include <muster/detail/msgpack.hpp>

#include "heap/heap.hpp"

namespace muster::containers {

// The first 56 bits of the realm's instance.
inline std::uint64_t realm_of(const segment::Segment& segment) noexcept {
    const auto& instance = segment.header().instance;
    static_assert(sizeof instance == 16);
    return muster::detail::load<std::uint64_t>(reinterpret_cast<const std::byte*>(&instance)) >> 8;
}

// Where the next handle may begin: its leading byte and its type, with room for the rest. Null: nowhere.
inline const std::byte* find_handle(const std::byte* at, const std::byte* end) noexcept {
    constexpr std::ptrdiff_t size = 2 + muster::detail::object_ref_size;
    while (end - at >= size) {
        at = static_cast<const std::byte*>(
            std::memchr(at, muster::detail::lead::fixext16, static_cast<std::size_t>(end - at - size + 1)));
        if (at == nullptr) return nullptr;
        if (static_cast<int>(at[1]) == muster::detail::object_ref_type) return at;
        ++at;
    }
    return nullptr;
}

// fn(ref) for each handle of the realm in `bytes`, of one value or of many.
template <typename Fn>
void for_each_handle(std::span<const std::byte> bytes, std::uint64_t realm, Fn&& fn) {
    const std::byte* const end = bytes.data() + bytes.size();
    for (const std::byte* at = bytes.data(); (at = find_handle(at, end)) != nullptr; ++at) {
        const muster::ObjectRef ref = muster::detail::load_ref(at + 2);
        if (ref.realm == realm) fn(ref);
    }
}

// Adds the handles, of whatever realm, that who decodes this one value finds in it. Of what is no value, as bytes of the
// user's own in a pipe may be, none: nobody reads a handle from them.
void read_handles(std::span<const std::byte> value, std::vector<muster::ObjectRef>& found);

}  // namespace muster::containers
