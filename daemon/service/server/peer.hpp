// Who is at the other end of a connection, as the kernel says.
#pragma once

#include <sys/types.h>

#include "base/base.hpp"

namespace muster::service {

struct Peer {
    // What connect() recorded; in our PID namespace, 0 when it is outside of it. The process may have ended, and its
    // number be another's: whoever acts on it takes a pidfd and then looks whether it is still the one (Store::bind).
    pid_t pid = 0;
    uid_t uid = 0;
    gid_t gid = 0;

    static Peer of(int socket);  // throws Error(system)
};

// pidfd_open with close-on-exec; empty when there is no such process. Throws Error(system) on anything else.
base::UniqueFd open_pidfd(pid_t pid);

}  // namespace muster::service
