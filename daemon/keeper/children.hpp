// The records of the children: from their start until the service says Forget, so that no exit status is lost.
// A record costs a few hundred bytes and the service's note, a pidfd, and a descriptor for each log pipe.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "base/unique_fd.hpp"
#include "keeper/cgroup.hpp"
#include "link/messages.hpp"

namespace muster::keeper {

struct ChildRecord {
    pid_t pid = -1;
    base::UniqueFd pidfd;  // empty once reaped
    bool has_cgroup = false;
    double started = 0;
    std::optional<link::Ending> ending;
    std::uint64_t ended_ticks = 0;
    base::UniqueFd out_log, err_log;  // read ends; closed when the child has ended and all was read, or at Forget
    std::string note;
};

class Children {
  public:
    // `instance` tells this keeper's children from any other's in their environment: MUSTER_PROCESS_ID=instance-id.
    // `descriptors`: the soft limit that children get.
    Children(Cgroups cgroups, std::string instance, std::uint64_t descriptors);

    // Throws std::bad_alloc: then nothing was started.
    std::variant<const ChildRecord*, link::StartFailed> spawn(link::Spawn&& request);
    // The process ended: reaps it when it is a child of the records and returns its id and ending, which its record
    // has from then on. Throws std::bad_alloc: then it was not reaped.
    std::optional<link::Exited> reap(pid_t pid);
    // 0, or why not as an errno value; ESRCH: no such child, or nothing of it is left.
    int signal(const link::Signal& request, std::optional<pid_t> service);
    void set_note(std::uint64_t id, std::string note);
    void forget(std::uint64_t id);  // nothing on one that has not ended
    // Cgroups whose members outlived the main process; called when a stray was reaped, and at the end.
    void remove_empty_cgroups();

    const std::map<std::uint64_t, ChildRecord>& records() const noexcept { return records_; }
    std::uint64_t next_id() const noexcept { return next_id_; }

  private:
    std::string mark(std::uint64_t id) const;
    bool removed_cgroup(std::uint64_t id) const noexcept;
    void close_drained_logs() noexcept;
    Cgroups cgroups_;
    std::string instance_;
    std::uint64_t descriptors_;
    std::map<std::uint64_t, ChildRecord> records_;
    std::map<pid_t, std::uint64_t> running_;            // by pid; not one that was reaped: numbers are used again
    std::set<std::uint64_t> lingering_;                 // cgroups of ended children that could not be removed yet
    std::list<std::uint64_t> ended_with_logs_;          // some of them are looked at now and then
    std::uint64_t next_id_ = 1;
};

// Reaps `pid`, a zombie of ours, through its pidfd where there is one. Nothing when it is none.
std::optional<link::Ending> reap_process(pid_t pid, int pidfd = -1);
// The pid of some zombie child of ours, left as it is; 0 when there is none, -1 when we have no children at all.
pid_t next_zombie();
// Seconds since the epoch.
double wall_clock();

}  // namespace muster::keeper
