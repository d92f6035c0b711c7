// What the daemon's error replies mean: Varlink error names to muster::Error.
#pragma once

#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include <muster/error.hpp>

namespace muster::session {

// `error` is the qualified name ("io.muster.processes.NoSuchProcess"), `parameters` what came with it,
// `method` the method called. The result is one line: control characters from the other side are replaced.
Error reply_error(std::string_view error, const nlohmann::json& parameters, std::string_view method);

// Text from elsewhere on one line: control characters become spaces; cut at 512 bytes.
std::string one_line(std::string_view text);

}  // namespace muster::session
