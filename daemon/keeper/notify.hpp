// What systemd wants to be told, as sd_notify(3) and sd_watchdog_enabled(3) say: one datagram to $NOTIFY_SOCKET.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "base/unique_fd.hpp"

namespace muster::keeper {

class Notifier {
  public:
    // From the environment of this process. Without NOTIFY_SOCKET every call does nothing.
    static Notifier from_environment();

    // "READY=1", "STATUS=text", several of them with newlines between. Never blocks, never fails.
    void send(std::string_view state) const noexcept;
    // How often WATCHDOG=1 is due: half of what was asked; nothing when it was not asked of this process.
    std::optional<std::chrono::microseconds> watchdog_interval() const noexcept { return watchdog_; }

  private:
    base::UniqueFd socket_;
    std::string path_;  // with '@' for an abstract one
    std::optional<std::chrono::microseconds> watchdog_;
};

}  // namespace muster::keeper
