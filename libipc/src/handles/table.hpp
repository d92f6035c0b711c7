// The table behind the handle of a dict, or of what is made of one.
#pragma once

#include "handles/object_state.hpp"

namespace muster::detail {

inline containers::Table table_of(const ObjectState& state) { return {state.segment(), state.ref}; }

}  // namespace muster::detail
