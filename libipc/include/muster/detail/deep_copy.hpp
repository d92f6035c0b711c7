// deep_copy for those who show a beginning of it. Internal.
#pragma once

#include <cstddef>
#include <map>
#include <string>

#include <muster/detail/nested.hpp>
#include <muster/value.hpp>

namespace muster::detail {

struct FirstEntries {
    std::size_t most = 0;                     // of each object
    std::map<std::string, std::size_t> more;  // how many were left away, by the JSON pointer to where they would stand
};

// As muster::deep_copy, but of each object the first entries only; what the others name is not looked at.
Value deep_copy(const Handle& handle, FirstEntries& first);

}  // namespace muster::detail
