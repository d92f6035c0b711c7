// From what the service asks for to a plan that launch() can carry out: the candidates for argv[0], the groups of the
// user, the mark in the environment, the log pipes.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/unique_fd.hpp"
#include "keeper/launch.hpp"
#include "link/messages.hpp"

namespace muster::keeper {

// The paths at which execvp would look for `program` with this environment's PATH ("/usr/local/bin:/usr/bin:/bin"
// when it has none), in that order. One with a slash, or an empty one, is taken as it is.
std::vector<std::string> program_candidates(const std::string& program, const std::vector<std::string>& environment);

struct Prepared {
    LaunchPlan plan;
    base::UniqueFd out_log, err_log;      // read ends, non-blocking, for streams that go to the log
    base::UniqueFd out_write, err_write;  // the plan's; to be closed after the launch
};

// `mark` is NAME=VALUE and replaces what the environment has under that name.
std::variant<Prepared, LaunchFailure> prepare(const link::SpawnSpec& spec, const std::string& mark);

}  // namespace muster::keeper
