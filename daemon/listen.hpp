// The daemon's socket: made so that no running daemon is disturbed, no foreign file is replaced, and a socket
// left by a killed daemon is no obstacle. Throws StartError.
//
// Two daemons that start at one path at the same time are told apart by a lock on PATH.lock, held while the
// daemon runs.
#pragma once

#include <optional>
#include <string>

#include "base/base.hpp"
#include "service/config.hpp"

namespace muster {

struct Listening {
    base::UniqueFd socket;                   // listening, non-blocking, close-on-exec
    std::string address;                     // "unix:PATH", absolute
    std::optional<std::string> unlink_path;  // ours to remove at the end
    base::UniqueFd lock;                     // keep it open; close-on-exec
    std::optional<std::string> lock_path;    // remove it at the end, before the lock is closed
};

// "unix:$XDG_RUNTIME_DIR/muster/muster.sock" or "unix:/run/muster/muster.sock"; a private daemon has none.
std::string default_address(service::Mode mode);

// `is_default`: the directory may be made. The socket is for its owner only (0600), in system mode for
// everybody.
Listening listen_at(const std::string& address, service::Mode mode, bool is_default);

// The socket that systemd (or who started us) passed as LISTEN_FDS, if any. Takes the variables out of the
// environment.
std::optional<Listening> listening_from_activation();

}  // namespace muster
