// Reader: takes MessagePack values from a span, one after the other, every byte checked before it is used.
//
// Whoever writes a codec<T> gets one. The calls mirror Writer's. Failures are muster::Error and say what was
// found:
//   type_mismatch  a value of another kind ("expected integer, found string") or an array of another length
//   value_error    a number that the type asked for cannot hold
//   damaged        truncated, an undefined leading byte, nested deeper than 128
// After one the Reader is of no more use. Views that it returns point into the span.
//
// Which kinds read as which: an integer reads as any integral type that holds it, and as a floating-point
// number (rounded as a conversion rounds); a floating-point number does not read as an integer, even 1.0; a
// boolean is not a number and a number not a boolean (keys excepted: there 1, 1.0 and true are one, see
// Reader::Of); a string is not binary.
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

namespace detail {
class Origin;  // <muster/detail/nested.hpp>
}

class Reader {
  public:
    // Of::key reads what a dict's canonical key can look like: 0 and 1 read as booleans, 0.5 as always.
    enum class Of : std::uint8_t { value, key };

    // An extension as found; ObjectRef has its own call.
    struct Extension {
        std::int8_t type;
        std::span<const std::byte> data;
    };

    // `origin`: of bytes that came out of a shared object, whose handles are opened through it.
    explicit Reader(std::span<const std::byte> bytes, Of of = Of::value, const detail::Origin* origin = nullptr) noexcept
        : at_(bytes.data()), end_(bytes.data() + bytes.size()), of_(of), origin_(origin) {}

    const detail::Origin* origin() const noexcept { return origin_; }

    // The kind of the next value; damaged at the end and for the one undefined byte.
    Kind peek() const {
        if (at_ == end_) detail::throw_truncated();
        const Kind kind = detail::kind_of(static_cast<unsigned>(*at_));
        if (kind == Kind::invalid) detail::throw_damaged("undefined leading byte");
        return kind;
    }
    std::size_t remaining() const noexcept { return static_cast<std::size_t>(end_ - at_); }
    // To be called after the last value: what is left over is an error.
    void finish() const {
        if (at_ != end_) detail::throw_damaged("bytes after the end of the value");
    }

    void nil();
    bool boolean();

    template <std::integral Integer>
    Integer integer() {
        const AnyInteger found = any_integer();
        if constexpr (std::signed_integral<Integer>) {
            const auto value = static_cast<std::int64_t>(found.bits);
            if ((value < 0) != found.negative || value < std::numeric_limits<Integer>::min() ||
                value > std::numeric_limits<Integer>::max())
                detail::throw_out_of_range();
            return static_cast<Integer>(value);
        } else {
            if (found.negative ||
                found.bits > static_cast<std::uint64_t>(std::numeric_limits<Integer>::max()))
                detail::throw_out_of_range();
            return static_cast<Integer>(found.bits);
        }
    }

    // A floating-point number or an integer.
    double number();
    std::string_view string() {
        const unsigned first = lead();
        if ((first & 0xe0) == detail::lead::fixstr) [[likely]] {
            const std::byte* data = body(first & 0x1f);
            return {reinterpret_cast<const char*>(data), first & 0x1f};
        }
        return long_string(first);
    }
    std::span<const std::byte> binary();
    Extension extension();
    ObjectRef object_ref();

    // The number of elements (entries); they follow, then end(). Never more than the bytes that are left.
    std::size_t begin_array();
    std::size_t begin_map();
    void end() noexcept { --depth_; }
    // begin_array that insists on a length.
    void begin_array_of(std::size_t expected) {
        if (const std::size_t found = begin_array(); found != expected)
            detail::throw_wrong_length(expected, found);
    }

    // Passes over the next value, whole, having checked all of it.
    void skip();
    // The bytes of the next value, whole, as they are.
    std::span<const std::byte> raw() {
        const std::byte* begin = at_;
        skip();
        return {begin, at_};
    }

    // An integer as it is: two's complement, so that both int64 and uint64 fit.
    struct AnyInteger {
        std::uint64_t bits;
        bool negative;
    };
    AnyInteger any_integer() {
        const unsigned first = lead();
        if (first < 0x80) [[likely]]
            return {first, false};
        return long_integer(first);
    }

    // Anything that has a codec; defined in <muster/codec.hpp>.
    template <typename T>
    T read();

  private:
    unsigned lead() {
        if (at_ == end_) [[unlikely]]
            detail::throw_truncated();
        return static_cast<unsigned>(*at_++);
    }
    const std::byte* body(std::size_t size) {
        if (remaining() < size) [[unlikely]]
            detail::throw_truncated();
        const std::byte* begin = at_;
        at_ += size;
        return begin;
    }
    template <typename Unsigned>
    Unsigned fixed() {
        return detail::load<Unsigned>(body(sizeof(Unsigned)));
    }
    [[noreturn]] void mismatch(const char* expected, unsigned first) const;
    AnyInteger long_integer(unsigned first);
    std::string_view long_string(unsigned first);
    std::size_t length(unsigned width);
    void enter();

    const std::byte *at_, *end_;
    unsigned depth_ = 0;
    Of of_;
    const detail::Origin* origin_;
};

}  // namespace muster
