#include <muster/value.hpp>

#include <muster/detail/origin.hpp>

namespace muster {
namespace {

std::span<const std::byte> as_bytes(const Value::binary_t& binary) {
    return std::as_bytes(std::span(binary));
}

void encode_binary(Writer& out, const Value::binary_t& binary) {
    if (!binary.has_subtype()) return out.binary(as_bytes(binary));
    if (binary.subtype() > 0xff)
        throw Error(Errc::value_error, "encode", "value", "a binary's subtype is beyond one byte");
    out.extension(static_cast<std::int8_t>(binary.subtype()), as_bytes(binary));
}

std::vector<std::uint8_t> copy(std::span<const std::byte> data) {
    const auto* first = reinterpret_cast<const std::uint8_t*>(data.data());
    return {first, first + data.size()};
}

Value decode_integer(Reader& in) {
    const Reader::AnyInteger found = in.any_integer();
    if (found.negative) return static_cast<std::int64_t>(found.bits);
    return found.bits;
}

Value decode_array(Reader& in) {
    std::size_t count = in.begin_array();
    Value array = Value::array();
    auto& items = array.get_ref<Value::array_t&>();
    items.reserve(count);
    for (; count > 0; --count) items.push_back(codec<Value>::decode(in));
    in.end();
    return array;
}

// The rest of a map with keys of any kind, after the entries that were read as an object's.
Value decode_pairs(Reader& in, Value::object_t&& before, std::size_t count) {
    Value array = Value::array();
    auto& pairs = array.get_ref<Value::array_t&>();
    for (auto& [key, mapped] : before) pairs.push_back(Value::array({key, std::move(mapped)}));
    for (; count > 0; --count) {
        Value key = codec<Value>::decode(in);
        Value mapped = codec<Value>::decode(in);
        Value pair = Value::array();
        pair.push_back(std::move(key));
        pair.push_back(std::move(mapped));
        pairs.push_back(std::move(pair));
    }
    in.end();
    return array;
}

Value decode_map(Reader& in) {
    Value object = Value::object();
    auto& entries = object.get_ref<Value::object_t&>();
    for (std::size_t count = in.begin_map(); count > 0; --count) {
        if (in.peek() != Kind::string) return decode_pairs(in, std::move(entries), count);
        std::string key(in.string());
        entries[std::move(key)] = codec<Value>::decode(in);
    }
    in.end();
    return object;
}

}  // namespace

void codec<Value>::encode(Writer& out, const Value& value) {
    using Type = Value::value_t;
    switch (value.type()) {
        case Type::null:
            return out.nil();
        case Type::boolean:
            return out.boolean(value.get_ref<const bool&>());
        case Type::number_integer:
            return out.integer(value.get_ref<const std::int64_t&>());
        case Type::number_unsigned:
            return out.integer(value.get_ref<const std::uint64_t&>());
        case Type::number_float:
            return out.number(value.get_ref<const double&>());
        case Type::string:
            return out.string(value.get_ref<const std::string&>());
        case Type::binary:
            return encode_binary(out, value.get_binary());
        case Type::array:
            out.begin_array(value.size());
            for (const Value& item : value) encode(out, item);
            return out.end();
        case Type::object:
            out.begin_map(value.size());
            for (const auto& [key, mapped] : value.get_ref<const Value::object_t&>()) {
                out.string(key);
                encode(out, mapped);
            }
            return out.end();
        case Type::discarded:
            break;
    }
    throw Error(Errc::value_error, "encode", "value", "a discarded value cannot be stored");
}

Value codec<Value>::decode(Reader& in) {
    switch (in.peek()) {
        case Kind::nil:
            in.nil();
            return nullptr;
        case Kind::boolean:
            return in.boolean();
        case Kind::integer:
            return decode_integer(in);
        case Kind::floating:
            return in.number();
        case Kind::string:
            return std::string(in.string());
        case Kind::binary:
            return Value::binary(copy(in.binary()));
        case Kind::extension: {
            const Reader::Extension found = in.extension();
            if (found.type == detail::object_ref_type && in.origin() != nullptr) in.origin()->linger();
            return Value::binary(copy(found.data), static_cast<std::uint8_t>(found.type));
        }
        case Kind::array:
            return decode_array(in);
        case Kind::map:
            return decode_map(in);
        case Kind::invalid:
            break;
    }
    detail::throw_damaged("undefined leading byte");
}

std::string to_json_text(const Value& value, int indent) {
    return value.dump(indent, ' ', false, Value::error_handler_t::replace);
}

Value from_json_text(std::string_view text) {
    // The depth comes before the element is counted in, so that 128 levels pass.
    const auto bounded = [](int depth, Value::parse_event_t event, Value&) {
        if ((event == Value::parse_event_t::array_start || event == Value::parse_event_t::object_start) &&
            depth >= static_cast<int>(max_depth))
            throw Error(Errc::limit_exceeded, "parse", "JSON text",
                        "nested deeper than " + std::to_string(max_depth));
        return true;
    };
    try {
        return Value::parse(text, bounded);
    } catch (const Value::exception& error) {
        throw Error(Errc::value_error, "parse", "JSON text", error.what());
    }
}

Value to_value(ObjectRef ref) {
    Writer out;
    out.object_ref(ref);
    return decode<Value>(out.bytes());
}

std::optional<ObjectRef> object_ref_of(const Value& value) {
    if (!value.is_binary()) return std::nullopt;
    const Value::binary_t& binary = value.get_binary();
    if (!binary.has_subtype() || binary.subtype() != detail::object_ref_type ||
        binary.size() != detail::object_ref_size)
        return std::nullopt;
    const auto* data = as_bytes(binary).data();
    return detail::load_ref(data);
}

}  // namespace muster
