// A cgroup for each child below our own, where the cgroup v2 tree lets us: the one thing that holds every descendant,
// whatever it does. Named muster-<keeper's pid>-<child's id>.
//
// Our own must be writable: the systemd unit says Delegate=yes, in a container or as root it usually is. No
// controllers are switched on, so processes may stay in the inner node. A failure here never fails a spawn.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/unique_fd.hpp"

namespace muster::keeper {

class Cgroups {
  public:
    Cgroups() = default;  // without cgroups: usable() is false
    // Finds our own cgroup, tries it, and clears away what keepers that are no more left behind.
    static Cgroups find();

    bool usable() const noexcept { return !prefix_.empty(); }
    // Makes the child's and opens its directory; empty when it cannot be had.
    base::UniqueFd create(std::uint64_t id) const;
    // The processes in it and below it, without zombies.
    std::vector<pid_t> members(std::uint64_t id) const;
    // SIGKILL to all of them, at once. False when the kernel (before 5.14) has no cgroup.kill.
    bool kill(std::uint64_t id) const;
    // True when it is gone; false while it has members.
    bool remove(std::uint64_t id) const;

  private:
    std::string path(std::uint64_t id) const { return prefix_ + std::to_string(id); }
    std::string prefix_;
};

}  // namespace muster::keeper
