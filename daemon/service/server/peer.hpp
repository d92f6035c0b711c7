// Who is at the other end of a connection, as the kernel says.
#pragma once

#include <sys/types.h>

#include "base/base.hpp"

namespace muster::service {

struct Peer {
    pid_t pid = 0;  // in our PID namespace, 0 when it is outside of it
    uid_t uid = 0;
    gid_t gid = 0;
    // Opened when the connection was accepted. SO_PEERCRED is what connect() recorded; a peer that died and whose
    // pid was reused before we got here is told apart by its socket being closed. Empty when it is gone already.
    base::UniqueFd pidfd;

    static Peer of(int socket);  // throws Error(system)
};

// pidfd_open with close-on-exec; empty when there is no such process. Throws Error(system) on anything else.
base::UniqueFd open_pidfd(pid_t pid);

}  // namespace muster::service
