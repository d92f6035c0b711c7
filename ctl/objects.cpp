#include "ctl/objects.hpp"

#include <unistd.h>

#include <algorithm>
#include <optional>

#include "ctl/exit_code.hpp"
#include "ctl/text.hpp"

namespace muster::ctl {

void throw_no_such_object(const std::string& kind, const std::string& name) {
    throw Error(Errc::no_such_object, "open", kind + " '" + name + "'", "see `musterctl objects`");
}

void print_value(Context& context, const Value& value) {
    if (context.json)
        context.out.json(readable(context, value));
    else
        context.out.line(value_text(readable(context, value)));
}

void print_values(Context& context, const std::vector<Value>& values) {
    if (context.json) {
        context.out.json(readable(context, Value(values)));
        return;
    }
    std::string lines;
    for (const auto& value : values) lines += line_text(readable(context, value)) + "\n";
    write_all(STDOUT_FILENO, lines);
}

Value readable(Context& context, const Value& value) {
    if (value.is_structured()) {
        Value all = value;
        for (Value& inner : all) inner = readable(context, inner);
        return all;
    }
    const auto ref = object_ref_of(value);
    if (!ref) return value;
    std::optional<Object> object;
    try {
        object = context.manager().open(value);
    } catch (const Error& error) {
        if (error.errc() != Errc::destroyed && error.errc() != Errc::invalid_argument) throw;
    }
    const bool named = object && !object->name().empty();
    if (context.json)
        return {{"handle", {{"id", ref->id}, {"kind", object ? Value(object->kind()) : Value()},
                            {"name", named ? Value(object->name()) : Value()}}}};
    const std::string id = "#" + std::to_string(ref->id);
    if (!object) return {{"handle", id + ", gone"}};
    return {{"handle", object->kind() + " " + (named ? "'" + object->name() + "'" : id)}};
}

int answer(Context& context, bool yes) {
    context.out.line(yes ? "true" : "false");
    return yes ? exit_done : exit_no;
}

std::string line_text(const Value& value) {
    if (!value.is_string()) return to_json_text(value);
    const auto& text = value.get_ref<const std::string&>();
    const auto steers = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
    return std::none_of(text.begin(), text.end(), steers) ? text : to_json_text(value);
}

Value json_of(const std::vector<std::pair<Value, Value>>& items) {
    Value object = Value::object();
    for (const auto& [key, value] : items)
        if (!object.emplace(value_text(key), value).second) {
            Value pairs = Value::array();
            for (const auto& item : items) pairs.push_back(Value::array({item.first, item.second}));
            return pairs;
        }
    return object;
}

}  // namespace muster::ctl
