// A bare Varlink client for tests that need to misbehave, or to see every byte.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "base/base.hpp"

namespace muster::test {

class VarlinkSocket {
  public:
    explicit VarlinkSocket(const std::string& path);  // connects; waits while nobody listens

    void send(const std::string& bytes);  // all of it; false success is none: throws when the other end is gone
    bool try_send(const std::string& bytes) noexcept;
    void send_call(const std::string& method, const nlohmann::json& parameters = nlohmann::json::object(),
                   const nlohmann::json& flags = nlohmann::json::object());
    // The next reply; nothing when the connection ended first. Descriptors that come along are in fd.
    std::optional<nlohmann::json> receive(std::chrono::milliseconds patience = std::chrono::seconds(30));
    // send_call and receive; fails the test when the connection ends, or the reply does not fit the interface files.
    nlohmann::json call(const std::string& method, const nlohmann::json& parameters = nlohmann::json::object());

    int get() const noexcept { return socket_.get(); }
    base::UniqueFd fd;

  private:
    base::UniqueFd socket_;
    std::string buffer_;
};

}  // namespace muster::test
