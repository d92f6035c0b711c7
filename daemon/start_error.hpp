// Why the daemon does not start: one line "WHAT: WHY: WHAT TO DO", and the exit code.
#pragma once

#include <stdexcept>
#include <string>

namespace muster {

// Documented in `musterd --help`; never renumber.
enum class ExitCode { done = 0, failed = 1, usage = 2, configuration = 3, already_running = 4, address = 5 };

class StartError : public std::runtime_error {
  public:
    StartError(ExitCode code, const std::string& line) : std::runtime_error(line), code_(code) {}
    ExitCode code() const noexcept { return code_; }

  private:
    ExitCode code_;
};

}  // namespace muster
