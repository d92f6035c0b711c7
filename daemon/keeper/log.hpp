// The keeper's few lines to stderr: "musterd: TEXT", each with one write, so that they never mix with others'.
#pragma once

#include <string>
#include <string_view>

#include "link/messages.hpp"

namespace muster::keeper {

void log_line(std::string_view text) noexcept;
// "exited with 3", "killed by signal 9 (SIGKILL), core dumped".
std::string to_text(const link::Ending& ending);

}  // namespace muster::keeper
