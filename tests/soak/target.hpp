// The daemon under test: its keeper lives through the soak, its service is killed and stopped.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/base.hpp"

namespace muster::soak {

// The children of a process, from /proc.
std::vector<pid_t> children_of(pid_t parent);
// 0: there is no such process, or nothing can be told of it.
std::size_t descriptors_of(pid_t pid);
std::size_t resident_kib_of(pid_t pid);

class Target {
  public:
    // A daemon of its own, from the folder of this program, with its socket and log in a new directory.
    Target();
    // One that runs already.
    explicit Target(const std::string& address);
    ~Target();
    Target(const Target&) = delete;
    Target& operator=(const Target&) = delete;

    const std::string& address() const noexcept { return address_; }
    bool is_own() const noexcept { return !directory_.empty(); }
    pid_t keeper() const noexcept { return keeper_; }
    pid_t service() const;              // 0 while there is none
    std::string service_state() const;  // "PID S", for a person to read
    // False: there is none.
    bool kill_service();
    // Stopped until go_on(), or until it is killed. False: there is none, or it is stopped already.
    bool stop_service();
    void go_on() noexcept;
    bool stopped() const noexcept { return static_cast<bool>(stopped_); }
    std::string log() const;  // the end of what it wrote; empty when it is not our own

    // Ends our own; what is wrong about its end, empty when nothing is.
    std::string end();

  private:
    base::UniqueFd open_service() const;
    std::string directory_, address_;
    pid_t keeper_ = 0;
    base::UniqueFd stopped_;  // the service's pidfd while it is
};

}  // namespace muster::soak
