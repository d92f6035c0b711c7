// What /proc says about processes that are not our children.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <vector>

namespace muster::service {

struct ProcStat {
    pid_t ppid = 0;
    char state = '?';               // 'Z' for a zombie
    std::uint64_t start_time = 0;   // clock ticks since boot
    int wait_status = 0;            // of a zombie, as waitpid() would give it; 0 when we may not know
};

// Nothing when there is no such process.
std::optional<ProcStat> read_stat(pid_t pid);

// All descendants, parents first, at one look: what forks meanwhile is found by the next look.
std::vector<pid_t> descendants(pid_t ancestor);

// May a process of this uid signal `pid`, by the kernel's rule (its real or saved uid)?
bool uid_may_signal(uid_t uid, pid_t pid);

}  // namespace muster::service
