// Shared objects by name, for the verbs that read and change them.
// Thread safety: none needed.
#pragma once

#include <string>
#include <vector>

#include <muster/manager.hpp>

#include "ctl/context.hpp"

namespace muster::ctl {

[[noreturn]] void throw_no_such_object(const std::string& kind, const std::string& name);

// The object, which must be there: reading creates nothing.
template <typename Handle>
Handle existing(Context& context, const std::string& kind, const std::string& name) {
    auto found = context.manager().find<Handle>(name);
    if (!found) throw_no_such_object(kind, name);
    return std::move(*found);
}

// One value: on a line as text, strings bare; with --json as JSON.
void print_value(Context& context, const Value& value);
// Several: one a line, each as JSON where a bare text would not be one line; with --json an array.
void print_values(Context& context, const std::vector<Value>& values);
// Handles in a value as they read: {"handle":"list #12"}, {"handle":"dict 'totals'"}, {"handle":"#12, gone"}; with --json
// {"handle":{"id":12,"kind":"list","name":null}}, `kind` null when it is gone.
Value readable(Context& context, const Value& value);
// The answer to a question: "true" or "false", exit code 0 or 1.
int answer(Context& context, bool yes);

// A string as one line: bare, or as JSON where it holds control characters; other values as JSON.
std::string line_text(const Value& value);

// {KEY: VALUE} as JSON objects have it: keys that are no strings become their JSON text. Where two keys would
// become one (1 and "1"), an array of [KEY, VALUE].
Value json_of(const std::vector<std::pair<Value, Value>>& items);

}  // namespace muster::ctl
