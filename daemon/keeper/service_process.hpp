// The service as the keeper sees it: one process and the link to it. Started again whenever it dies: at once the
// first time, then after 50 ms doubling up to a second while it lives for less than ten.
#pragma once

#include <sys/types.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "link/channel.hpp"

namespace muster::keeper {

// The delay before the next start. Pure: the policy alone.
class Backoff {
  public:
    using Duration = std::chrono::milliseconds;
    static constexpr Duration first{50}, longest{1'000}, stable{10'000};

    Duration after_life_of(Duration lived) noexcept {
        if (lived >= stable) deaths_ = 0;
        const Duration delay = deaths_ == 0 ? Duration::zero() : std::min(longest, first * (1 << (deaths_ - 1)));
        if (deaths_ < 8) ++deaths_;
        return delay;
    }

  private:
    int deaths_ = 0;
};

class ServiceProcess {
  public:
    using Clock = std::chrono::steady_clock;

    ServiceProcess(std::string program, std::vector<std::string> arguments);

    // Starts it, with a new link. Failing counts as a death: why is returned as text, and the next start is set.
    std::optional<std::string> start();
    // It was reaped: sets the next start, and returns in how long. The link stays, to be read to its end.
    std::chrono::milliseconds died();
    void close_link() noexcept { link_.reset(); }
    void kill(int signal) noexcept;

    bool alive() const noexcept { return pid_ > 0; }
    pid_t pid() const noexcept { return pid_; }
    std::optional<pid_t> pid_if_alive() const noexcept { return alive() ? std::optional(pid_) : std::nullopt; }
    int pidfd() const noexcept { return pidfd_.get(); }
    std::uint32_t starts() const noexcept { return starts_; }
    Clock::time_point next_start() const noexcept { return next_start_; }  // of interest when it is not alive
    link::KeeperEnd* link() noexcept { return link_ ? &*link_ : nullptr; }

  private:
    std::chrono::milliseconds schedule() noexcept;
    std::string program_;
    std::vector<std::string> arguments_;
    std::optional<link::KeeperEnd> link_;
    base::UniqueFd pidfd_;
    pid_t pid_ = -1;
    std::uint32_t starts_ = 0;
    Backoff backoff_;
    Clock::time_point started_{}, next_start_{};
};

}  // namespace muster::keeper
