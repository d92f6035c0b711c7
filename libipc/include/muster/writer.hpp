// Writer: appends MessagePack to a buffer of its own.
//
// Whoever writes a codec<T> gets one. Each call appends one value in its smallest encoding; begin_array(n)
// and begin_map(n) are followed by n values (2n: key, value, …) and end(). The first 256 bytes live inside
// the Writer, so that a scalar or a short string costs no allocation. Failures (Errc::limit_exceeded: longer
// than 2^32-1, nested deeper than 128) leave the Writer fit only for clear() or the destructor.
//
// Thread safety: one thread at a time.
#pragma once

#include <bit>
#include <concepts>
#include <limits>
#include <span>
#include <string_view>
#include <type_traits>

#include <muster/detail/msgpack.hpp>

namespace muster {

class Writer {
  public:
    static constexpr std::size_t inline_capacity = 256;

    Writer() noexcept : begin_(inline_), at_(inline_), end_(inline_ + inline_capacity) {}
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;
    ~Writer() {
        if (begin_ != inline_) delete[] begin_;
    }

    // What was written so far; valid until the next write.
    std::span<const std::byte> bytes() const noexcept { return {begin_, at_}; }
    std::size_t size() const noexcept { return static_cast<std::size_t>(at_ - begin_); }
    void clear() noexcept { at_ = begin_, depth_ = 0; }

    void nil() { put(detail::lead::nil); }
    void boolean(bool value) { put(value ? detail::lead::yes : detail::lead::no); }

    template <std::integral Integer>
    void integer(Integer value) {
        if constexpr (std::signed_integral<Integer>)
            if (value < 0) return negative(static_cast<std::int64_t>(value));
        non_negative(static_cast<std::uint64_t>(value));
    }

    // Four bytes when a float holds the very same value, eight otherwise (as nlohmann::json does).
    void number(double value) {
        using Float = std::numeric_limits<float>;
        if (value >= static_cast<double>(Float::lowest()) && value <= static_cast<double>(Float::max())) {
            const auto narrow = static_cast<float>(value);
            if (std::bit_cast<std::uint64_t>(static_cast<double>(narrow)) ==
                std::bit_cast<std::uint64_t>(value))
                return tagged(detail::lead::float32, std::bit_cast<std::uint32_t>(narrow));
        }
        wide_number(value);
    }
    // Eight bytes always.
    void wide_number(double value) { tagged(detail::lead::float64, std::bit_cast<std::uint64_t>(value)); }

    void string(std::string_view text) {
        std::byte* at = room(5 + text.size());
        if (text.size() < 32) {
            *at++ = static_cast<std::byte>(detail::lead::fixstr | text.size());
        } else if (text.size() <= 0xff) {
            at = header<std::uint8_t>(at, detail::lead::str8, text.size());
        } else if (text.size() <= 0xffff) {
            at = header<std::uint16_t>(at, detail::lead::str16, text.size());
        } else {
            at = header<std::uint32_t>(at, detail::lead::str32, checked_length(text.size()));
        }
        append(at, text.data(), text.size());
    }

    void binary(std::span<const std::byte> data);
    // `type` below 0 is reserved by MessagePack, 1 is ours (ObjectRef).
    void extension(std::int8_t type, std::span<const std::byte> data);
    void object_ref(ObjectRef ref) {
        std::byte* at = room(2 + detail::object_ref_size);
        at[0] = static_cast<std::byte>(detail::lead::fixext16);
        at[1] = static_cast<std::byte>(detail::object_ref_type);
        detail::store(at + 2, ref.realm << 8 | ref.kind);
        detail::store(at + 10, ref.id);
        detail::store(at + 14, ref.generation);
        at_ = at + 2 + detail::object_ref_size;
    }

    void begin_array(std::size_t count) {
        enter();
        if (count < 16) return put(detail::lead::fixarray | static_cast<unsigned>(count));
        long_header(detail::lead::array16, count);
    }
    void begin_map(std::size_t count) {
        enter();
        if (count < 16) return put(detail::lead::fixmap | static_cast<unsigned>(count));
        long_header(detail::lead::map16, count);
    }
    void end() noexcept { --depth_; }

    // One whole value that is encoded already.
    void raw(std::span<const std::byte> encoded) {
        append(room(encoded.size()), encoded.data(), encoded.size());
    }

    // Anything that has a codec; defined in <muster/codec.hpp>.
    template <typename T>
    void write(const T& value);

  private:
    std::byte* room(std::size_t size) {
        if (static_cast<std::size_t>(end_ - at_) < size) [[unlikely]]
            grow(size);
        return at_;
    }
    void grow(std::size_t size);
    void put(unsigned byte) {
        *room(1) = static_cast<std::byte>(byte);
        ++at_;
    }
    void append(std::byte* at, const void* data, std::size_t size) noexcept {
        if (size != 0) std::memcpy(at, data, size);
        at_ = at + size;
    }
    template <typename Unsigned>
    void tagged(unsigned first, Unsigned value) {
        std::byte* at = room(1 + sizeof value);
        *at = static_cast<std::byte>(first);
        detail::store(at + 1, value);
        at_ = at + 1 + sizeof value;
    }
    template <typename Unsigned>
    static std::byte* header(std::byte* at, unsigned first, std::size_t length) noexcept {
        *at = static_cast<std::byte>(first);
        detail::store(at + 1, static_cast<Unsigned>(length));
        return at + 1 + sizeof(Unsigned);
    }
    static std::size_t checked_length(std::size_t length) {
        if (length > std::numeric_limits<std::uint32_t>::max()) detail::throw_too_long();
        return length;
    }
    void non_negative(std::uint64_t value) {
        if (value < 0x80) return put(static_cast<unsigned>(value));
        if (value <= 0xff) return tagged(detail::lead::uint8, static_cast<std::uint8_t>(value));
        if (value <= 0xffff) return tagged(detail::lead::uint16, static_cast<std::uint16_t>(value));
        if (value <= 0xffff'ffff) return tagged(detail::lead::uint32, static_cast<std::uint32_t>(value));
        tagged(detail::lead::uint64, value);
    }
    void negative(std::int64_t value) {
        if (value >= -32) return put(static_cast<std::uint8_t>(value));
        if (value >= -0x80) return tagged(detail::lead::int8, static_cast<std::uint8_t>(value));
        if (value >= -0x8000) return tagged(detail::lead::int16, static_cast<std::uint16_t>(value));
        if (value >= -0x8000'0000LL) return tagged(detail::lead::int32, static_cast<std::uint32_t>(value));
        tagged(detail::lead::int64, static_cast<std::uint64_t>(value));
    }
    void long_header(unsigned first16, std::size_t count);
    void enter() {
        if (depth_ == max_depth) [[unlikely]]
            detail::throw_too_deep();
        ++depth_;
    }

    std::byte *begin_, *at_, *end_;
    unsigned depth_ = 0;
    std::byte inline_[inline_capacity];
};

}  // namespace muster
