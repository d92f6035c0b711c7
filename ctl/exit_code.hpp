// What musterctl's exit codes mean.
#pragma once

#include <muster/error.hpp>

namespace muster::ctl {

inline constexpr int exit_done = 0;
inline constexpr int exit_no = 1;  // the answer is no: absent key, empty or full queue, still running
inline constexpr int exit_usage = 2;
inline constexpr int exit_unreachable = 3;  // no daemon answers
inline constexpr int exit_failed = 4;       // refused or failed, with the named error
// Of commands that pass a program's own code on (128 + N when signal N ended it):
inline constexpr int exit_timeout = 124;
inline constexpr int exit_own_failure = 125;
inline constexpr int exit_not_executable = 126;
inline constexpr int exit_not_found = 127;

int exit_code(Errc code) noexcept;

}  // namespace muster::ctl
