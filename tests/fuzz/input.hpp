// The bytes of one fuzz input, taken from the front; zero when there are no more. Thread safety: one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace muster::fuzz {

class Input {
  public:
    Input(const std::uint8_t* data, std::size_t size) noexcept : data_(data), left_(size) {}

    bool empty() const noexcept { return left_ == 0; }
    template <typename Number>
    Number take() noexcept {
        Number value{};
        const std::size_t size = left_ < sizeof value ? left_ : sizeof value;
        if (size != 0) std::memcpy(&value, data_, size);
        data_ += size;
        left_ -= size;
        return value;
    }
    std::uint8_t byte() noexcept { return take<std::uint8_t>(); }
    // 0 .. below - 1
    std::size_t index(std::size_t below) noexcept { return below == 0 ? 0 : take<std::uint16_t>() % below; }
    // The rest, at most `size` of it.
    std::string_view text(std::size_t size = ~std::size_t{0}) noexcept {
        if (size > left_) size = left_;
        const std::string_view result(reinterpret_cast<const char*>(data_), size);
        data_ += size;
        left_ -= size;
        return result;
    }

  private:
    const std::uint8_t* data_;
    std::size_t left_;
};

}  // namespace muster::fuzz
