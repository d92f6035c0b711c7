#include "service/server/peer.hpp"

#include <sys/socket.h>
#include <sys/syscall.h>

namespace muster::service {

base::UniqueFd open_pidfd(pid_t pid) {
    base::UniqueFd result(
        static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));  // close-on-exec by definition
    if (!result && errno != ESRCH && errno != EINVAL)          // EINVAL: no pid, or a thread's
        base::throw_errno(errno, "open pidfd", "pid " + std::to_string(pid), "pidfd_open");
    return result;
}

Peer Peer::of(int socket) {
    ucred credentials{};
    socklen_t size = sizeof credentials;
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0)
        base::throw_errno(errno, "identify", "connection", "getsockopt(SO_PEERCRED)");
    return {credentials.pid, credentials.uid, credentials.gid};
}

}  // namespace muster::service
