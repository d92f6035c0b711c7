// Strings as the layers below the codec take and give them: bytes.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace muster::test {

inline std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }
inline std::string text(std::span<const std::byte> from) {
    return {reinterpret_cast<const char*>(from.data()), from.size()};
}

// Where an operation puts what it gives.
struct Out {
    std::string value;
    std::byte* resize(std::size_t size) {
        value.resize(size);
        return reinterpret_cast<std::byte*>(value.data());
    }
};

}  // namespace muster::test
