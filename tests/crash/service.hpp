// The service's view of a segment under test, and those who sleep there.
#pragma once

#include <memory>

#include "crash/operations.hpp"
#include "session/realm.hpp"
#include "support/child.hpp"

namespace muster::test {

// Claims the two sessions that operations.hpp speaks of, each with one thread.
void settle(const segment::Segment& segment);

// The realm as the service has it: a mapping of its own, kept for the last few segments that were asked for. To be
// asked for before a child is traced that shall use it.
session::Realm& service_of(const segment::Segment& segment);

// A process asleep on a word, in one long sleep: nothing but a wake ends it.
class Sleeper {
  public:
    explicit Sleeper(std::uint32_t& word);  // returns when it is asleep
    bool proceeds(std::chrono::milliseconds patience);  // false: nobody woke it

  private:
    Shared<bool> going_;
    Child child_;
};

}  // namespace muster::test
