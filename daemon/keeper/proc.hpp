// What /proc tells of processes. All of it may be outdated when it is read: whoever acts on it holds a pidfd opened
// before, and acts on that.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace muster::keeper {

struct ProcessStat {
    pid_t parent = 0, session = 0;
    char state = '?';
    std::uint64_t start = 0;  // clock ticks after boot; with the pid it is the process' identity
};

std::optional<ProcessStat> read_stat(pid_t pid);
// The children of all its threads, zombies too. One that is born or dies meanwhile may be missing.
std::vector<pid_t> children_of(pid_t pid);
// Whether the environment with which its program was started has this NAME=VALUE. False without the right to look.
bool started_with(pid_t pid, std::string_view entry);
// Now, as ProcessStat::start counts.
std::uint64_t boot_ticks();
// A small file as a whole; nothing when it cannot be read.
std::optional<std::string> read_small_file(const std::string& path);

}  // namespace muster::keeper
