// Where a daemon is: the path of a Unix socket, written "unix:/PATH" or just "/PATH".
// Thread safety: values. resolve() reads the environment.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <string>
#include <string_view>

namespace muster::session {

class Address {
  public:
    // What the kernel takes, without the final NUL: 107 bytes on Linux.
    static constexpr std::size_t path_limit = sizeof(sockaddr_un::sun_path) - 1;

    // Throws invalid_argument for an empty one, another scheme than "unix:", a NUL inside, and limit_exceeded
    // for a path over path_limit. A relative path is taken as it is: relative to the working directory at
    // each use.
    static Address parse(std::string_view text);

    const std::string& path() const noexcept { return path_; }
    std::string text() const { return "unix:" + path_; }
    sockaddr_un socket_address() const noexcept;

  private:
    explicit Address(std::string path) : path_(std::move(path)) {}
    std::string path_;
};

// `given` unless empty, else $MUSTER_ADDRESS, else the first that exists of
// $XDG_RUNTIME_DIR/muster/muster.sock and /run/muster/muster.sock. Throws as parse does, and unreachable when
// none of the last two is there.
Address resolve(std::string_view given = {});

}  // namespace muster::session
