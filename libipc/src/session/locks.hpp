// Who holds and who waits for the realm's locks and their like, for people and programs.
//
// Locks say who holds them, not since when: nobody on the hot path writes that down. A waiter knows since when the hold has
// kept it waiting; and the daemon looks once a second (HoldWatch): the same hold as at an earlier look began before that.
// Thread safety: one thread. What is read is checked; nobody is waited for.
#pragma once

#include <map>

#include "containers/containers.hpp"
#include "session/realm.hpp"
#include "sync/sync.hpp"

namespace muster::session {

class HoldWatch {
  public:
    // Once a second.
    void look(const segment::Segment& segment, const containers::Directory& directory, const sync::Sessions& sessions);
    // When the hold of that turn was first seen; 0: never.
    std::uint64_t seen(heap::ObjectRef ref, std::uint64_t token) const noexcept;

  private:
    struct Hold {
        std::uint64_t token = 0, since = 0;
    };
    std::map<std::pair<std::uint32_t, std::uint32_t>, Hold> holds_;
};

// Of the objects that somebody holds or waits for.
std::vector<LockInfo> survey_locks(const segment::Segment& segment, const containers::Directory& directory,
                                   const sync::Sessions& sessions, const HoldWatch& watch);
std::vector<DeadlockInfo> survey_deadlocks(const segment::Segment& segment, const sync::Sessions& sessions);

}  // namespace muster::session
