// Runs a program in the foreground, as a shell would: for `lock run`.
#pragma once

#include <string>
#include <vector>

namespace muster::ctl {

// Starts argv (found in our PATH), waits for it, and gives its exit code; 128 + N when signal N ended it, 127
// when there is no such program, 126 when it cannot be executed (both with a line on stderr), 125 when it
// could not be tried. SIGTERM and SIGHUP sent to us are passed on to it; SIGINT and SIGQUIT from the terminal
// are its own business. It gets SIGTERM when we die, for what we hold for it ends then. Call from a process
// of one thread.
int run_child(const std::vector<std::string>& argv);

}  // namespace muster::ctl
