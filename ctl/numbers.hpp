// Numbers of the types that shared values and arrays hold, for verbs that learn the type only from the object.
// Thread safety: none needed.
#pragma once

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include <muster/array.hpp>
#include <muster/value.hpp>

#include "ctl/context.hpp"
#include "ctl/text.hpp"

namespace muster::ctl {

// fn(T{}) for the C++ type that `type` names.
template <typename Fn>
auto visit(ScalarType type, Fn&& fn) {
    switch (type) {
        case ScalarType::boolean: return fn(bool{});
        case ScalarType::int8: return fn(std::int8_t{});
        case ScalarType::int16: return fn(std::int16_t{});
        case ScalarType::int32: return fn(std::int32_t{});
        case ScalarType::int64: return fn(std::int64_t{});
        case ScalarType::uint8: return fn(std::uint8_t{});
        case ScalarType::uint16: return fn(std::uint16_t{});
        case ScalarType::uint32: return fn(std::uint32_t{});
        case ScalarType::uint64: return fn(std::uint64_t{});
        case ScalarType::float32: return fn(float{});
        case ScalarType::float64: break;
    }
    return fn(double{});
}

// "int32"; nothing for a name that is no type.
std::optional<ScalarType> scalar_type_from(std::string_view name);

// A word of the command line as a T. Throws value_error when it is no number, or does not fit: nothing is cut off.
template <Scalar T>
T number_from(const std::string& text, const char* operation, const std::string& subject) {
    const Value value = parse_value(text, false);
    bool fits = false;
    if constexpr (std::same_as<T, bool>) {
        fits = value.is_boolean();
    } else if constexpr (std::floating_point<T>) {
        fits = value.is_number() && std::abs(value.get<double>()) <= static_cast<double>(std::numeric_limits<T>::max());
    } else if (value.is_number_unsigned()) {
        fits = std::in_range<T>(value.get<std::uint64_t>());
    } else if (value.is_number_integer()) {
        fits = std::in_range<T>(value.get<std::int64_t>());
    }
    if (!fits)
        throw Error(Errc::value_error, operation, subject,
                    text + " is no " + std::string(to_string(scalar_type_of<T>())));
    return value.get<T>();
}

// Of a value or an array, as they are now.
std::vector<Value> numbers_of(Context& context, const std::string& name);

}  // namespace muster::ctl
