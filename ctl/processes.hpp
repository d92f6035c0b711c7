// Process records of the daemon (io.muster.processes, type Process), shown and judged.
// Thread safety: functions of their arguments.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "ctl/context.hpp"

namespace muster::ctl {

// The records with every field there, absent ones null.
nlohmann::json complete(const nlohmann::json& processes);

// ID NAME PID PPID STATE EXIT STARTED TIME COMMAND
Table process_table(const nlohmann::json& processes);
// Prints them: a table, or JSON with --json.
void print_processes(Context& context, const nlohmann::json& processes);

// How it ended, in a word: "0", "3", "SIGKILL", "SIGSEGV (core)", "failed", "-" when it has not.
std::string ending(const nlohmann::json& process);
// As a shell would have it: the code, 128 + N after signal N, 125 for one that never ran.
int shell_code(const nlohmann::json& process);

// Calls `method` ("processes.Stop") with `parameters` and a "select" for each selector, up to 32 at once, and
// prints the processes of the replies. Each error is a line; the exit code is that of the first. `deadline`
// bounds it all; with `told` the daemon watches it, too: what is left goes with each call as its "timeout".
enum class Timeout { ours, told };
int for_each_selected(Context& context, const std::vector<std::string>& selectors, std::string_view method,
                      const nlohmann::json& parameters, base::Deadline deadline,
                      Timeout timeout = Timeout::ours);

// One call whose "timeout" is what is left until `deadline`; the daemon's answer is given a little longer.
nlohmann::json call_until(Context& context, std::string_view method, nlohmann::json parameters,
                          base::Deadline deadline);

}  // namespace muster::ctl
