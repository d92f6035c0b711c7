#include <muster/detail/key.hpp>

#include <cmath>

namespace muster::detail {
namespace {

// The names of Error(unhashable) for what cannot be a key.
[[noreturn]] void throw_unhashable(Kind kind) {
    throw Error(Errc::unhashable, "encode", "key",
                "a key cannot be or contain a value of kind " + std::string(to_string(kind)));
}

void canonicalize_next(Reader& in, Writer& out) {
    switch (const Kind kind = in.peek()) {
        case Kind::nil:
            in.nil();
            return out.nil();
        case Kind::boolean:
            return out.integer(static_cast<unsigned>(in.boolean()));
        case Kind::integer: {
            const Reader::AnyInteger found = in.any_integer();
            if (found.negative) return out.integer(static_cast<std::int64_t>(found.bits));
            return out.integer(found.bits);
        }
        case Kind::floating:
            return write_canonical_number(out, in.number());
        case Kind::string:
            return out.string(in.string());
        case Kind::binary:
            return out.binary(in.binary());
        case Kind::array: {
            std::size_t count = in.begin_array();
            out.begin_array(count);
            for (; count > 0; --count) canonicalize_next(in, out);
            in.end();
            return out.end();
        }
        case Kind::map:
        case Kind::extension:
        case Kind::invalid:
            throw_unhashable(kind);
    }
}

}  // namespace

void write_canonical_number(Writer& out, double value) {
    constexpr double two_to_63 = 0x1p63, two_to_64 = 0x1p64;
    // The range first: a NaN is in none, and the conversions below are defined.
    if (value >= -two_to_63 && value < two_to_64 && std::trunc(value) == value) {
        if (value < 0) return out.integer(static_cast<std::int64_t>(value));
        return out.integer(static_cast<std::uint64_t>(value));
    }
    out.wide_number(value);
}

void canonicalize(std::span<const std::byte> encoded, Writer& out) {
    Reader in(encoded);
    canonicalize_next(in, out);
    in.finish();
}

}  // namespace muster::detail
