// What the copies of a Manager share: this process's session in the realm, and the private daemon if it launched one.
#pragma once

#include <memory>

#include "handles/launch.hpp"
#include "process/process.hpp"
#include "session/session.hpp"

namespace muster::detail {

class Realm {
  public:
    explicit Realm(std::shared_ptr<session::Session> attached, std::unique_ptr<PrivateDaemon> daemon = {})
        : daemon_(std::move(daemon)), session_(std::move(attached)) {
        if (session_->has_daemon()) process::announce_to(session_->address());  // of what muster::Process forks
    }
    const std::shared_ptr<session::Session>& session() const noexcept { return session_; }

  private:
    std::unique_ptr<PrivateDaemon> daemon_;  // ends after the session
    std::shared_ptr<session::Session> session_;
};

}  // namespace muster::detail
