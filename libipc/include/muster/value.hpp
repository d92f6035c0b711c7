// Value: the dynamic type. null, booleans, numbers, strings, binary, arrays and objects, mixed as one likes;
// the default of every shared container. It is nlohmann::json, with all of its interface.
//
// Thread safety: values; as the standard's containers.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include <muster/codec.hpp>

namespace muster {

// JSON text on one line, or indented by `indent` spaces. Never fails on what was stored: bytes that are not
// UTF-8 become U+FFFD, binary becomes {"bytes":[…],"subtype":…}, NaN and the infinities become null.
std::string to_json_text(const Value& value, int indent = -1);

// The other way. Throws Error(value_error), which says where, and Error(limit_exceeded) if nested deeper than
// 128.
Value from_json_text(std::string_view text);

// A handle to a shared object as it looks inside a Value (a binary of subtype 1), and back. object_ref_of: nullopt
// for any other Value. Such a Value names the object and does not keep it: what a call has read or taken out is kept
// for the calling thread until its next call that brings Values with handles. Manager::open makes a handle of it.
Value to_value(ObjectRef ref);
std::optional<ObjectRef> object_ref_of(const Value& value);
inline bool is_handle(const Value& value) { return object_ref_of(value).has_value(); }

}  // namespace muster
