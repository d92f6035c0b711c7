// codec<T>: how a C++ type is stored, as MessagePack, without a detour through JSON.
//
// Built in:
//   bool; integral types (char is a small integer); float, double; enums (as their number)
//   std::string; to encode only: std::string_view, const char*, literals
//   vector and array of std::byte or std::uint8_t                      binary
//   vector, deque, list, set, unordered_set, array, pair, tuple        array
//   map, unordered_map: a map if the keys are strings, otherwise an array of [key, value] pairs; either form
//   is read optional (nil or the value), monostate and nullptr_t (nil), variant ([index, value]) chrono
//   durations and time points (their count) ObjectRef, Value (nlohmann::json; include <muster/value.hpp> to
//   use it) aggregates: structs without constructors, bases or C arrays, as the array of their fields, in
//   order. Adding, removing or moving a field makes another type: what was stored before no longer reads
//   (type_mismatch).
//   handles of shared objects (List, Dict, Lock …; include <muster/manager.hpp>): the object itself, not a copy of
//   what is in it; see <muster/detail/nested.hpp>
//
// A type of your own that is none of these:
//
//     template <>
//     struct muster::codec<Colour> {
//         static void encode(muster::Writer& out, const Colour& colour) { out.integer(colour.rgb()); }
//         static Colour decode(muster::Reader& in) { return Colour::from_rgb(in.integer<std::uint32_t>()); }
//         static constexpr bool canonical = true;  // optional; see detail/key.hpp
//     };
//
// encode writes exactly one value, decode takes exactly one. Thread safety: codecs have no state.
#pragma once

#include <chrono>
#include <string>
#include <variant>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include <muster/detail/buffer.hpp>
#include <muster/reader.hpp>
#include <muster/writer.hpp>

namespace muster {

using Value = nlohmann::json;

template <typename T>
struct codec;

template <typename T>
concept Encodable = requires(Writer& out, const T& value) {
    codec<T>::encode(out, value);
};

// May be the element of a shared object. Elements of containers are checked, too; the fields of an aggregate
// only when it is first encoded or decoded (a static_assert then names the trouble).
template <typename T>
concept Storable = Encodable<T> && requires(Reader& in) {
    requires std::same_as<decltype(codec<T>::decode(in)), T>;
};

namespace detail {
// Decoding it, and destroying it, runs no code but the library's and the standard's (take.hpp). A codec says so with
// `of_library`; Outer are the structs around it, which may be in themselves, in a vector.
template <typename T, typename... Outer>
inline constexpr bool decoded_by_library = [] {
    if constexpr (requires { codec<T>::template of_library<Outer...>; })
        return codec<T>::template of_library<Outer...>;
    else
        return false;
}();
template <typename T>
concept DecodedByLibrary = decoded_by_library<T>;
}  // namespace detail

template <typename T>
void Writer::write(const T& value) {
    static_assert(Encodable<T>, "this type has no muster::codec");
    codec<T>::encode(*this, value);
}

template <typename T>
T Reader::read() {
    static_assert(Storable<T>, "this type has no muster::codec that decodes");
    return codec<T>::decode(*this);
}

template <Encodable T>
void encode(Writer& out, const T& value) {
    codec<T>::encode(out, value);
}

// The value that `bytes` hold: exactly one, whole. Throws type_mismatch, value_error, damaged (see Reader).
template <Storable T>
T decode(std::span<const std::byte> bytes) {
    Reader in(bytes);
    T value = codec<T>::decode(in);
    in.finish();
    return value;
}

// Bytes as they came out of a shared object: the handles in them are opened there.
template <Storable T>
T decode(const detail::Encoded& bytes) {
    Reader in(bytes, Reader::Of::value, bytes.origin);
    T value = codec<T>::decode(in);
    in.finish();
    return value;
}

// The same for the canonical bytes of a dict's key.
template <Storable T>
T decode_key(std::span<const std::byte> bytes) {
    Reader in(bytes, Reader::Of::key);
    T value = codec<T>::decode(in);
    in.finish();
    return value;
}

// The encoding as a container of its own, for tests and cold paths.
template <Encodable T>
std::vector<std::byte> to_bytes(const T& value) {
    Writer out;
    codec<T>::encode(out, value);
    return {out.bytes().begin(), out.bytes().end()};
}

template <>
struct codec<bool> {
    template <typename...>
    static constexpr bool of_library = true;
    static void encode(Writer& out, bool value) { out.boolean(value); }
    static bool decode(Reader& in) { return in.boolean(); }
};

template <std::integral T>
struct codec<T> {
    template <typename...>
    static constexpr bool of_library = true;
    static void encode(Writer& out, T value) { out.integer(value); }
    static T decode(Reader& in) { return in.integer<T>(); }
};

template <>
struct codec<double> {
    template <typename...>
    static constexpr bool of_library = true;
    static void encode(Writer& out, double value) { out.number(value); }
    static double decode(Reader& in) { return in.number(); }
};

// Read from a double it is rounded; one beyond the range of float is a value_error.
template <>
struct codec<float> {
    template <typename...>
    static constexpr bool of_library = true;
    static void encode(Writer& out, float value) { out.number(static_cast<double>(value)); }
    static float decode(Reader& in) {
        const double wide = in.number();
        constexpr auto most = static_cast<double>(std::numeric_limits<float>::max());
        constexpr double infinity = std::numeric_limits<double>::infinity();
        if ((wide > most && wide != infinity) || (wide < -most && wide != -infinity))
            detail::throw_out_of_range();
        return static_cast<float>(wide);
    }
};

// The number is checked against the underlying type, not against the enumerators.
template <typename T>
requires std::is_enum_v<T>
struct codec<T> {
    using Number = std::underlying_type_t<T>;
    template <typename...>
    static constexpr bool of_library = true;
    static void encode(Writer& out, T value) { codec<Number>::encode(out, static_cast<Number>(value)); }
    static T decode(Reader& in) { return static_cast<T>(codec<Number>::decode(in)); }
};

template <>
struct codec<std::string> {
    template <typename...>
    static constexpr bool of_library = true;
    static void encode(Writer& out, const std::string& text) { out.string(text); }
    static std::string decode(Reader& in) { return std::string(in.string()); }
};

template <>
struct codec<std::string_view> {
    static void encode(Writer& out, std::string_view text) { out.string(text); }
};
template <>
struct codec<const char*> {
    static void encode(Writer& out, const char* text) { out.string(text); }
};
template <>
struct codec<char*> : codec<const char*> {};
template <std::size_t size>
struct codec<char[size]> : codec<const char*> {};

namespace detail {
template <typename T>
struct NilCodec {
    template <typename...>
    static constexpr bool of_library = true;
    static void encode(Writer& out, const T&) { out.nil(); }
    static T decode(Reader& in) {
        in.nil();
        return T{};
    }
};
}  // namespace detail
template <>
struct codec<std::monostate> : detail::NilCodec<std::monostate> {};
template <>
struct codec<std::nullptr_t> : detail::NilCodec<std::nullptr_t> {};

template <typename Rep, typename Period>
requires Storable<Rep>
struct codec<std::chrono::duration<Rep, Period>> {
    using Duration = std::chrono::duration<Rep, Period>;
    template <typename... Outer>
    static constexpr bool of_library = detail::decoded_by_library<Rep, Outer...>;
    static void encode(Writer& out, Duration value) { codec<Rep>::encode(out, value.count()); }
    static Duration decode(Reader& in) { return Duration(codec<Rep>::decode(in)); }
};

template <typename Clock, typename Duration>
requires Storable<Duration>
struct codec<std::chrono::time_point<Clock, Duration>> {
    using Point = std::chrono::time_point<Clock, Duration>;
    template <typename... Outer>
    static constexpr bool of_library = detail::decoded_by_library<Duration, Outer...>;
    static void encode(Writer& out, Point value) { codec<Duration>::encode(out, value.time_since_epoch()); }
    static Point decode(Reader& in) { return Point(codec<Duration>::decode(in)); }
};

template <>
struct codec<ObjectRef> {
    template <typename...>
    static constexpr bool of_library = true;
    static void encode(Writer& out, ObjectRef ref) { out.object_ref(ref); }
    static ObjectRef decode(Reader& in) { return in.object_ref(); }
};

// The bytes are those of nlohmann::json::to_msgpack. A binary with a subtype is an extension of that type (a
// handle: subtype 1, see <muster/value.hpp>). Maps with keys that are no strings, which JSON does not know, read as an array of
// [key, value] pairs.
template <>
struct codec<Value> {
    template <typename...>
    static constexpr bool of_library = true;
    static void encode(Writer& out, const Value& value);
    static Value decode(Reader& in);
};

}  // namespace muster

#include <muster/detail/aggregate.hpp>  // IWYU pragma: export
#include <muster/detail/standard.hpp>   // IWYU pragma: export
