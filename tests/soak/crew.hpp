// The workers as processes: how each comes to be, is killed, and is found to have ended.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <muster/process.hpp>
#include <muster/spawn.hpp>

#include "base/base.hpp"
#include "soak/world.hpp"

namespace muster::soak {

// How a worker is started: by muster::Process, by a bare fork(), or by the daemon as a program.
enum class Way { process, fork, spawn };
const char* name_of(Way way) noexcept;

class Member {
  public:
    struct Job {
        std::function<int()> run;       // in a forked child
        std::vector<std::string> argv;  // for the daemon
    };
    Member(std::string name, Way way) : name_(std::move(name)), way_(way) {}

    // Throws what the way throws; then it has not been started.
    void start(const Manager& manager, const Job& job);
    bool running() const noexcept { return static_cast<bool>(pidfd_); }
    // SIGKILL. It is reaped by ended().
    void kill() noexcept;
    bool killed() const noexcept { return killed_; }
    // Has it ended since it was started? Its exit code, or minus its signal; told once.
    std::optional<int> ended();

    const std::string& name() const noexcept { return name_; }
    Way way() const noexcept { return way_; }
    pid_t pid() const noexcept { return pid_; }
    // Does the daemon know of it?
    bool announced() const noexcept { return way_ != Way::fork; }

  private:
    std::string name_;
    Way way_;
    pid_t pid_ = 0;
    base::UniqueFd pidfd_;
    bool killed_ = false;
    std::optional<Process> process_;
    std::optional<SpawnedProcess> spawned_;
};

}  // namespace muster::soak
