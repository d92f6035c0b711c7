#include "service/server/validator.hpp"

#include <algorithm>
#include <limits>

#include <nlohmann/json.hpp>

namespace muster::service {
namespace {

using nlohmann::json;

std::string with_article(const json& value) {
    switch (value.type()) {
        case json::value_t::null: return "null";
        case json::value_t::object: return "an object";
        case json::value_t::array: return "an array";
        case json::value_t::string: return "a string";
        case json::value_t::boolean: return "a boolean";
        case json::value_t::number_integer:
        case json::value_t::number_unsigned: return "an integer";
        case json::value_t::number_float: return "a fraction";
        default: return "something else";
    }
}

// Builds the path from the inside out, and only when something is wrong.
class Matcher {
  public:
    explicit Matcher(const Interface& interface) : interface_(interface) {}

    std::optional<Mismatch> match(const json& value, const Type& type) const {
        switch (type.kind) {
            case Type::Kind::boolean: return value.is_boolean() ? fits() : wrong("a boolean", value);
            case Type::Kind::integer: return integer(value);
            case Type::Kind::floating: return value.is_number() ? fits() : wrong("a number", value);
            case Type::Kind::string: return value.is_string() ? fits() : wrong("a string", value);
            case Type::Kind::object: return value.is_object() ? fits() : wrong("an object", value);
            case Type::Kind::named: return match(value, interface_.types.find(type.name)->second);
            case Type::Kind::optional: return value.is_null() ? fits() : match(value, *type.element);
            case Type::Kind::enumeration: return enumeration(value, type);
            case Type::Kind::array: return array(value, type);
            case Type::Kind::map: return map(value, type);
            case Type::Kind::structure: return structure(value, type);
        }
        return fits();
    }

  private:
    static std::optional<Mismatch> fits() { return std::nullopt; }
    static std::optional<Mismatch> wrong(const std::string& wanted, const json& value) {
        return Mismatch{"", wanted + " expected, not " + with_article(value)};
    }
    static std::optional<Mismatch> at_member(const std::string& name, Mismatch inner) {
        const bool nested = !inner.path.empty() && inner.path[0] != '[';
        inner.path = name + (nested ? "." : "") + inner.path;
        return inner;
    }

    static std::optional<Mismatch> integer(const json& value) {
        if (!value.is_number_integer()) return wrong("an integer", value);
        if (value.is_number_unsigned() &&
            value.get<std::uint64_t>() > std::uint64_t(std::numeric_limits<std::int64_t>::max()))
            return Mismatch{"", "does not fit 64 bits"};
        return fits();
    }
    static std::optional<Mismatch> enumeration(const json& value, const Type& type) {
        if (!value.is_string()) return wrong("a string", value);
        const auto& text = value.get_ref<const std::string&>();
        if (std::find(type.values.begin(), type.values.end(), text) != type.values.end()) return fits();
        std::string known;
        for (const std::string& name : type.values) known += (known.empty() ? "" : ", ") + name;
        return Mismatch{"", "one of " + known + " expected"};
    }
    std::optional<Mismatch> array(const json& value, const Type& type) const {
        if (!value.is_array()) return wrong("an array", value);
        std::size_t index = 0;
        for (const json& element : value) {
            if (auto inner = match(element, *type.element))
                return at_member("[" + std::to_string(index) + "]", std::move(*inner));
            ++index;
        }
        return fits();
    }
    std::optional<Mismatch> map(const json& value, const Type& type) const {
        if (!value.is_object()) return wrong("an object", value);
        for (const auto& [key, element] : value.items())
            if (auto inner = match(element, *type.element)) return at_member(key, std::move(*inner));
        return fits();
    }
    std::optional<Mismatch> structure(const json& value, const Type& type) const {
        if (!value.is_object()) return wrong("an object", value);
        for (const auto& [key, element] : value.items()) {
            const auto known = [&key = key](const Field& field) { return field.name == key; };
            if (std::none_of(type.fields.begin(), type.fields.end(), known)) return Mismatch{key, "unknown"};
        }
        for (const Field& field : type.fields) {
            const auto found = value.find(field.name);
            if (found == value.end()) {
                if (field.type.kind != Type::Kind::optional) return Mismatch{field.name, "missing"};
            } else if (auto inner = match(*found, field.type)) {
                return at_member(field.name, std::move(*inner));
            }
        }
        return fits();
    }

    const Interface& interface_;
};

}  // namespace

std::optional<Mismatch> mismatch(const json& value, const Type& type, const Interface& interface) {
    return Matcher(interface).match(value, type);
}

}  // namespace muster::service
