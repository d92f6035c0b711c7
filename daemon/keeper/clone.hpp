// A child that runs one function on a stack of its own while we wait, as vfork does: no copied page tables, and a
// shared memory in which it can say what went wrong. Held by a pidfd from birth.
//
// Thread safety: one thread of one process; there is one stack.
#pragma once

#include <sys/types.h>

#include "base/unique_fd.hpp"

namespace muster::keeper {

enum class CloneMethod {
    clone3,  // with placement into a cgroup
    clone,   // for a kernel or a sandbox without clone3: no placement
};

struct Cloned {
    int error = 0;  // errno value; then the rest is empty
    pid_t pid = -1;
    base::UniqueFd pidfd;
};

// Runs function(argument) in the child and returns once it has exec'ed or exited; what it returns is its exit code.
// It runs with all signals blocked and must be async-signal-safe, with no libc call that writes to shared state:
// raw system calls. `cgroup` (clone3 only): the directory of the cgroup to be born in, or -1.
Cloned clone_vfork(CloneMethod method, int (*function)(void*), void* argument, int cgroup);

}  // namespace muster::keeper
