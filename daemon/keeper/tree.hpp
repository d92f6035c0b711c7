// One signal to every process of a tree. Every process is signalled through a pidfd which was opened before it was
// looked at: no signal can reach a process that merely got the number of one that ended.
//
// With a cgroup the tree is what is in it. Without, it is: the main process and its descendants; and of those that
// were re-parented to us, the ones in the main process' session or started with the child's mark in the environment,
// with their descendants. What escapes that (a daemon with a session of its own and a cleared environment) ends with
// the keeper at the latest: it is its descendant.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "keeper/cgroup.hpp"

namespace muster::keeper {

// pidfd_send_signal: 0 or an errno value.
int send_signal(int pidfd, int signal) noexcept;

struct Tree {
    std::uint64_t id = 0;
    pid_t pid = 0;                             // of the main process, and so the session
    int pidfd = -1;                            // of the main process; -1 once it was reaped
    bool has_cgroup = false;
    std::optional<std::uint64_t> ended_ticks;  // when it was reaped; its number may be another's from then on
    std::string mark;                          // NAME=VALUE
};

// SIGKILL is repeated until no new process appears. `known` says of a child of ours that it is no stray: another
// tree's main process, or the service. Returns 0 when somebody was reached, ESRCH when nobody was there, or why the
// main process could not be signalled.
int signal_tree(const Tree& tree, int signal, const Cgroups& cgroups, const std::function<bool(pid_t)>& known);

// To all descendants of this process, but not to `except` and what is below it.
void signal_descendants(int signal, std::optional<pid_t> except);

}  // namespace muster::keeper
