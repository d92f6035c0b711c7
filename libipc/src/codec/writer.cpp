#include <muster/writer.hpp>

#include <algorithm>

namespace muster {

void Writer::grow(std::size_t size) {
    const std::size_t used = this->size();
    const std::size_t capacity = std::max(used + size, 2 * static_cast<std::size_t>(end_ - begin_));
    auto* bigger = new std::byte[capacity];
    std::memcpy(bigger, begin_, used);
    if (begin_ != inline_) delete[] begin_;
    begin_ = bigger;
    at_ = bigger + used;
    end_ = bigger + capacity;
}

void Writer::binary(std::span<const std::byte> data) {
    std::byte* at = room(5 + data.size());
    if (data.size() <= 0xff) {
        at = header<std::uint8_t>(at, detail::lead::bin8, data.size());
    } else if (data.size() <= 0xffff) {
        at = header<std::uint16_t>(at, detail::lead::bin16, data.size());
    } else {
        at = header<std::uint32_t>(at, detail::lead::bin32, checked_length(data.size()));
    }
    append(at, data.data(), data.size());
}

void Writer::extension(std::int8_t type, std::span<const std::byte> data) {
    std::byte* at = room(6 + data.size());
    if (std::has_single_bit(data.size()) && data.size() <= 16) {
        *at++ = static_cast<std::byte>(detail::lead::fixext1 +
                                       static_cast<unsigned>(std::countr_zero(data.size())));
    } else if (data.size() <= 0xff) {
        at = header<std::uint8_t>(at, detail::lead::ext8, data.size());
    } else if (data.size() <= 0xffff) {
        at = header<std::uint16_t>(at, detail::lead::ext16, data.size());
    } else {
        at = header<std::uint32_t>(at, detail::lead::ext32, checked_length(data.size()));
    }
    *at++ = static_cast<std::byte>(type);
    append(at, data.data(), data.size());
}

void Writer::long_header(unsigned first16, std::size_t count) {
    if (count <= 0xffff) return tagged(first16, static_cast<std::uint16_t>(count));
    tagged(first16 + 1, static_cast<std::uint32_t>(checked_length(count)));
}

}  // namespace muster
