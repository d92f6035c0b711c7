// Holds a JSON value against a type of an interface definition: what a client sends is refused by name before a
// handler sees it, so that handlers may take the shape of their parameters for granted.
// Thread safety: pure functions.
#pragma once

#include <optional>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "service/server/interface.hpp"

namespace muster::service {

struct Mismatch {
    std::string path;    // "spec.argv[1]", empty for the value itself
    std::string reason;  // "a string expected, not a number"
};

// The first place where `value` does not fit `type`. An absent member of an optional type fits, as null does; a
// member that the type does not have never fits. `int` takes JSON integers that fit 64 bits signed, `float` any
// number. Recursion is bounded by the depth limit of the parser that made `value`.
std::optional<Mismatch> mismatch(const nlohmann::json& value, const Type& type, const Interface& interface);

}  // namespace muster::service
