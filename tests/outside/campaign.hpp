// Kills the child that runs a row's operation, at one instruction after the other, and looks at what is left. Half of
// the children are known to the service by a session of theirs, and half have none.
#pragma once

#include <string>
#include <vector>

#include "outside/rows.hpp"
#include "outside/service.hpp"
#include "support/stepper.hpp"

namespace outside {

// What the daemon's service does meanwhile: its work; nothing, being stopped; or it is killed and replaced again and
// again.
enum class Mode { alive, stopped, killed };
const char* text(Mode mode);

struct Result {
    std::size_t instructions = 0, kills = 0, reached = 0, with_waiter = 0;
    double longest_wait = 0;  // seconds, from a death to the waiter's return
    std::vector<std::string> findings;
};

class Campaign {
  public:
    // `most`: kills of one operation; 0: all its instructions, loops thinned out from their 20th time on.
    Campaign(const muster::Manager& manager, const Service& service, Mode mode, std::size_t most)
        : known_(manager.lock("outside-known")), service_(service), mode_(mode), most_(most) {}
    Result run(const Row& row);
    // With the service at work again, after all rows: what it finds. Empty: nothing.
    std::string finish() const;

  private:
    struct Kill;
    std::vector<std::size_t> choose(const muster::test::Path& path) const;
    bool clean_up_now_and_then();
    muster::Lock known_;
    const Service& service_;
    Mode mode_;
    std::size_t most_, kills_ = 0;
};

// Where the program is, for whoever finds it hanging.
extern std::string at_work_on;

}  // namespace outside
