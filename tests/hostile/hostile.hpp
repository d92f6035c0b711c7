// A daemon under attack, and what must not change meanwhile.
#pragma once

#include <catch2/catch.hpp>
#include <functional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "integration/varlink_socket.hpp"
#include "support/child.hpp"
#include "support/daemon_fixture.hpp"

namespace muster::test {

using nlohmann::json;

// A private daemon, or one with `settings` as its configuration file. It must not lose its service: checked at the end.
class Target {
  public:
    explicit Target(const std::string& settings = "", const std::vector<std::string>& arguments = {});
    ~Target();

    Daemon& daemon() noexcept { return *daemon_; }
    std::string path() const { return daemon_->socket_path(); }
    VarlinkSocket& witness() noexcept { return *witness_; }  // connected before all others

    // Old and new clients are served.
    void check_served();
    std::size_t descriptors() const;  // open ones of the service
    // Bytes of private memory: now, and the most ever. Shared memory is its clients'.
    long private_kib() const;

  private:
    TempDirectory directory_;
    std::unique_ptr<Daemon> daemon_;
    std::unique_ptr<VarlinkSocket> witness_;
    pid_t service_ = 0;
};

// A message of a call, with its NUL.
std::string message(const std::string& method, const json& parameters = json::object(),
                    const json& flags = json::object());

// Connects; -1 with errno when it cannot. The descriptor is close-on-exec and non-blocking if asked.
int connect_to(const std::string& path, bool blocking = true) noexcept;
bool send_all(int fd, const std::string& bytes) noexcept;
// As send_all, with `count` copies of a descriptor in the first packet.
bool send_with_descriptors(int fd, const std::string& bytes, int sent, int count) noexcept;
// Everything up to the end of the connection, or of `patience`.
std::string read_to_end(int fd, int patience_ms = 30'000) noexcept;

// Runs as user 65534 in a child; false when it could not be or `work` said so.
bool as_another_user(const std::function<bool()>& work);

}  // namespace muster::test
