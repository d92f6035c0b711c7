#include "keeper/log.hpp"

#include <sys/uio.h>
#include <unistd.h>

#include <cstring>

namespace muster::keeper {

void log_line(std::string_view text) noexcept {
    constexpr std::string_view start = "musterd: ", end = "\n";
    iovec parts[3] = {{const_cast<char*>(start.data()), start.size()},
                      {const_cast<char*>(text.data()), text.size()},
                      {const_cast<char*>(end.data()), end.size()}};
    // A stderr that is gone is no reason to do anything else.
    [[maybe_unused]] const auto written = ::writev(STDERR_FILENO, parts, 3);
}

std::string to_text(const link::Ending& ending) {
    if (ending.signal == 0) return "exited with " + std::to_string(ending.exit_code);
    std::string text = "killed by signal " + std::to_string(ending.signal);
    if (const char* name = ::sigabbrev_np(ending.signal)) text += std::string(" (SIG") + name + ')';
    if (ending.core_dumped) text += ", core dumped";
    return text;
}

}  // namespace muster::keeper
