// Who waits for what, and whose waits close a circle.
//
// A thread that goes to sleep on an object says so in its slot, and takes it back when it goes on: three words, its own to
// write, in no domain. Whoever dies waiting leaves them to the slot's next thread, and until then everybody sees that its
// process is gone. Who holds a lock is in the lock's word. So the graph is in the segment, and any process can follow it.
//
// A circle is closed by somebody who goes to sleep. Each publishes its wait first and follows the chain afterwards, with a
// full fence in between: of several who close one at the same instant the last one to publish sees all of it. What was read
// is read again: locks carry turns and waits are numbered, so if nothing has changed there was an instant at which all of it
// was true. Of all who see the circle one gives up: who has begun to wait last. The others wake it, and sleep on.
//
// Kinds that have no single owner (semaphores, conditions, barriers) publish their waits as well: they are shown, and
// nothing follows from them.
// Thread safety: any thread of any process. Lock-free; what is found may be over when it is told.
#pragma once

#include <string>
#include <vector>

#include "heap/heap.hpp"
#include "sync/sessions.hpp"

namespace muster::sync {

// What a call that would close a circle does. by_realm: as the realm is set (deadlock_is_error).
enum class OnDeadlock : std::uint8_t { by_realm, error, report };

struct Wait {
    heap::ObjectRef object;
    heap::Kind kind = heap::Kind::none;
    bool tolerant = false;        // sleeps on in a circle
    std::uint64_t since = 0;      // CLOCK_MONOTONIC, ns
    std::uint32_t turn = 0;       // of a lock: of the hold that kept it waiting when it last looked, ...
    std::uint64_t turn_since = 0; // ... and since when it knows of that hold
    std::uint64_t number = 0;     // tells this wait from the thread's next one
};

// Publishes the caller's wait while it lives. One at a time for each thread.
class Waiting {
  public:
    Waiting(const Sessions& sessions, SlotId self, heap::ObjectRef object, heap::Kind kind, bool tolerant = false) noexcept;
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;
    ~Waiting();
    void kept_by(std::uint32_t turn) noexcept;

  private:
    std::uint64_t* words_;
    std::uint64_t since_;
    std::uint32_t turn_ = 0;
    bool looked_ = false;
};

// None: it does not wait, or is no longer there.
std::optional<Wait> wait_of(const Sessions& sessions, SlotId slot) noexcept;

// `waiter` waits for what `holder` holds.
struct WaitLink {
    SlotId waiter;
    Wait wait;
    SlotId holder;
};
// Each link's holder is the next one's waiter, the last one's holder the first one's waiter.
using WaitCycle = std::vector<WaitLink>;

// The circle that `start` is part of; it is the first waiter. A Lock that its own holder waits for is a circle of one;
// anybody may release it, so that is for the caller to judge.
std::optional<WaitCycle> find_cycle(const Segment& segment, const Sessions& sessions, SlotId start);
// All there are, each once.
std::vector<WaitCycle> all_cycles(const Segment& segment, const Sessions& sessions);
// Who is to give up; nobody when all are tolerant.
SlotId victim_of(const WaitCycle& cycle) noexcept;

// "PID 12 (worker) holds lock 'a' and has waited 1.5 s for lock 'b'; thread 4 of PID 3 (worker) holds lock 'b' ..."
std::string describe(const Segment& segment, const Sessions& sessions, const WaitCycle& cycle);

// The realm's policy, the daemon's to set.
bool deadlock_is_error(const Segment& segment) noexcept;
void set_deadlock_is_error(const Segment& segment, bool error) noexcept;

std::uint64_t monotonic_ns() noexcept;

// Thrown by an acquisition that gives up; the first waiter is its own.
struct Deadlock {
    WaitCycle cycle;
};

}  // namespace muster::sync
