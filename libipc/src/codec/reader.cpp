#include <muster/reader.hpp>

namespace muster {

const char* to_string(Kind kind) noexcept {
    switch (kind) {
        case Kind::nil:
            return "nil";
        case Kind::boolean:
            return "boolean";
        case Kind::integer:
            return "integer";
        case Kind::floating:
            return "floating-point number";
        case Kind::string:
            return "string";
        case Kind::binary:
            return "binary";
        case Kind::array:
            return "array";
        case Kind::map:
            return "map";
        case Kind::extension:
            return "extension";
        case Kind::invalid:
            break;
    }
    return "nothing valid";
}

namespace detail {

void throw_mismatch(const char* expected, Kind found) {
    throw Error(Errc::type_mismatch, "decode", "value",
                "expected " + std::string(expected) + ", found " + to_string(found));
}
void throw_wrong_length(std::size_t expected, std::size_t found) {
    throw Error(
        Errc::type_mismatch, "decode", "value",
        "expected array of " + std::to_string(expected) + ", found array of " + std::to_string(found));
}
void throw_out_of_range() {
    throw Error(Errc::value_error, "decode", "value", "out of range for the type asked for");
}
void throw_damaged(const char* why) { throw Error(Errc::damaged, "decode", "value", why); }
void throw_truncated() { throw_damaged("truncated"); }
void throw_too_deep() {
    throw Error(Errc::limit_exceeded, "encode", "value", "nested deeper than " + std::to_string(max_depth));
}
void throw_too_long() { throw Error(Errc::limit_exceeded, "encode", "value", "longer than 4 GiB"); }

}  // namespace detail

using namespace detail;

void Reader::mismatch(const char* expected, unsigned first) const {
    const Kind found = kind_of(first);
    if (found == Kind::invalid) throw_damaged("undefined leading byte");
    throw_mismatch(expected, found);
}

void Reader::nil() {
    if (const unsigned first = lead(); first != lead::nil) mismatch("nil", first);
}

bool Reader::boolean() {
    const unsigned first = lead();
    if (first == lead::yes || first == lead::no) return first == lead::yes;
    if (of_ == Of::key && first <= 1) return first == 1;
    mismatch("boolean", first);
}

Reader::AnyInteger Reader::long_integer(unsigned first) {
    const auto widen = [](std::int64_t value) {
        return AnyInteger{static_cast<std::uint64_t>(value), value < 0};
    };
    switch (first) {
        case lead::uint8:
            return {fixed<std::uint8_t>(), false};
        case lead::uint16:
            return {fixed<std::uint16_t>(), false};
        case lead::uint32:
            return {fixed<std::uint32_t>(), false};
        case lead::uint64:
            return {fixed<std::uint64_t>(), false};
        case lead::int8:
            return widen(static_cast<std::int8_t>(fixed<std::uint8_t>()));
        case lead::int16:
            return widen(static_cast<std::int16_t>(fixed<std::uint16_t>()));
        case lead::int32:
            return widen(static_cast<std::int32_t>(fixed<std::uint32_t>()));
        case lead::int64:
            return widen(static_cast<std::int64_t>(fixed<std::uint64_t>()));
        default:
            break;
    }
    if (first < lead::negative_fixint) mismatch("integer", first);
    return widen(static_cast<std::int8_t>(first));
}

double Reader::number() {
    if (at_ != end_) {
        const auto first = static_cast<unsigned>(*at_);
        if (first == lead::float32) {
            ++at_;
            return static_cast<double>(std::bit_cast<float>(fixed<std::uint32_t>()));
        }
        if (first == lead::float64) {
            ++at_;
            return std::bit_cast<double>(fixed<std::uint64_t>());
        }
        if (kind_of(first) != Kind::integer) mismatch("number", first);
    }
    const AnyInteger found = any_integer();
    return found.negative ? static_cast<double>(static_cast<std::int64_t>(found.bits))
                          : static_cast<double>(found.bits);
}

// The length that follows a leading byte whose variants take 1, 2 and 4 bytes, numbered 0, 1, 2.
std::size_t Reader::length(unsigned width) {
    if (width == 0) return fixed<std::uint8_t>();
    if (width == 1) return fixed<std::uint16_t>();
    return fixed<std::uint32_t>();
}

std::string_view Reader::long_string(unsigned first) {
    if (first < lead::str8 || first > lead::str32) mismatch("string", first);
    const std::size_t size = length(first - lead::str8);
    return {reinterpret_cast<const char*>(body(size)), size};
}

std::span<const std::byte> Reader::binary() {
    const unsigned first = lead();
    if (first < lead::bin8 || first > lead::bin32) mismatch("binary", first);
    const std::size_t size = length(first - lead::bin8);
    return {body(size), size};
}

Reader::Extension Reader::extension() {
    const unsigned first = lead();
    std::size_t size = 0;
    if (first >= lead::fixext1 && first <= lead::fixext16) {
        size = std::size_t{1} << (first - lead::fixext1);
    } else if (first >= lead::ext8 && first <= lead::ext32) {
        size = length(first - lead::ext8);
    } else {
        mismatch("extension", first);
    }
    const auto type = static_cast<std::int8_t>(fixed<std::uint8_t>());
    return {type, {body(size), size}};
}

ObjectRef Reader::object_ref() {
    if (const Kind kind = peek(); kind != Kind::extension) throw_mismatch("handle", kind);
    const bool right_form = static_cast<unsigned>(*at_) == lead::fixext16;
    const Extension found = extension();
    if (found.type != object_ref_type) throw_mismatch("handle", Kind::extension);
    if (!right_form) throw_damaged("handle of the wrong size");
    return load_ref(found.data.data());
}

void Reader::enter() {
    if (depth_ == max_depth) throw_damaged("nested too deep");
    ++depth_;
}

// Each element takes a byte at least, so a count beyond the bytes left is known to be false before anyone
// reserves for it.
std::size_t Reader::begin_array() {
    const unsigned first = lead();
    std::size_t count = first & 0x0f;
    if (first == lead::array16 || first == lead::array32) {
        count = length(first - lead::array16 + 1);
    } else if ((first & 0xf0) != lead::fixarray) {
        mismatch("array", first);
    }
    if (count > remaining()) throw_truncated();
    enter();
    return count;
}

std::size_t Reader::begin_map() {
    const unsigned first = lead();
    std::size_t count = first & 0x0f;
    if (first == lead::map16 || first == lead::map32) {
        count = length(first - lead::map16 + 1);
    } else if ((first & 0xf0) != lead::fixmap) {
        mismatch("map", first);
    }
    if (count > remaining() / 2) throw_truncated();
    enter();
    return count;
}

// Without recursion: what is left to pass over at each level.
void Reader::skip() {
    std::size_t left[max_depth + 1];
    const unsigned outside = depth_;
    left[0] = 1;
    while (true) {
        while (left[depth_ - outside] == 0) {
            if (depth_ == outside) return;
            end();
        }
        --left[depth_ - outside];
        switch (peek()) {
            case Kind::array: {
                const std::size_t count = begin_array();  // goes one level down
                left[depth_ - outside] = count;
                break;
            }
            case Kind::map: {
                const std::size_t count = begin_map();
                left[depth_ - outside] = 2 * count;
                break;
            }
            case Kind::integer:
                any_integer();
                break;
            case Kind::floating:
                number();
                break;
            case Kind::string:
                string();
                break;
            case Kind::binary:
                binary();
                break;
            case Kind::extension:
                extension();
                break;
            case Kind::nil:
            case Kind::boolean:
                lead();
                break;
            case Kind::invalid:
                break;  // peek() has thrown
        }
    }
}

}  // namespace muster
