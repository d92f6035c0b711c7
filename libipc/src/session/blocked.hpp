// Who has been inside one place of a realm for too long: stopped, as a rule, by a signal or a debugger.
//
// A mutex names its owner but not since when; nobody on the hot path writes that down. So the daemon looks once a second:
// the same owner at the same turn (sequence number, or a lock's token) as at an earlier look has been there since then.
// Thread safety: one thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <vector>

#include "containers/containers.hpp"
#include "session/realm.hpp"
#include "sync/sync.hpp"

namespace muster::session {

class BlockedWatch {
  public:
    static constexpr std::chrono::seconds worth_telling{1};

    std::vector<Blocked> look(const segment::Segment& segment, const containers::Directory& directory,
                              const sync::Sessions& sessions);

  private:
    using Clock = std::chrono::steady_clock;
    struct Turn {
        std::uint64_t owner = 0, turn = 0;
        Clock::time_point since;
    };
    // Since when, as far as the looks tell.
    Clock::duration age(std::uint64_t place, std::uint64_t owner, std::uint64_t turn);

    std::map<std::uint64_t, Turn> before_, now_;  // by offset
    Clock::time_point moment_;
};

}  // namespace muster::session
