// The daemon's side of one realm: its segment, who is attached, and cleaning up after the dead.
//
// Thread safety: one thread at a time (the service's). Other processes work on the segment all the while.
// Everything read from the segment is checked before use; what does not hold is a Violation or an
// Error(damaged), never a crash. No call here waits for a client for more than `lock_patience`: what could
// not be done because a live client is inside a transaction is reported as `deferred` and is to be tried again.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/base.hpp"

namespace muster::session {

inline constexpr std::chrono::milliseconds lock_patience{50};

struct MemoryUse {
    std::uint64_t capacity = 0;  // bytes of the segment
    std::uint64_t used = 0;      // bytes of extents and objects handed out
    std::uint64_t reserved = 0;  // bytes of pages backed by memory, as the kernel counts them
};

struct SessionInfo {
    std::uint32_t index = 0, generation = 0;
    pid_t pid = 0;               // as the client sees itself
    std::uint64_t start_time = 0;  // clock ticks since boot, /proc/PID/stat field 22
    double started = 0;          // seconds since the epoch: when the session was claimed
};

struct ObjectInfo {
    std::uint32_t id = 0, generation = 0;
    std::string name;            // empty for an anonymous object
    std::string kind;            // "dict", "list", "queue", "lock", ...
    std::uint64_t size = 0;      // elements; for a lock 1 when held
    std::uint64_t bytes = 0;     // memory owned
    std::uint32_t holders = 0;   // sessions that hold a handle (counted for anonymous objects only)
    bool stored = false;         // a handle to it was stored as a value: it may live without holders
};

// The invariant of a structure that could not be looked at, because somebody was inside for too long.
inline constexpr std::string_view somebody_inside = "I9";

struct Violation {
    std::string invariant;       // "I6", or "layout"
    std::string object;          // name or "#id", empty for the segment itself
    std::string text;
};

// Somebody who has been inside an object, or one of the realm's own structures, for longer than any change takes; or who
// holds a lock that others wait for, and is stopped.
struct Blocked {
    std::string object;          // "dict 'totals'", "the realm's directory"
    pid_t pid = 0, tid = 0;      // pid 0: ended since, or of another PID namespace
    std::string program;
    bool stopped = false;        // by a signal or a debugger
    double seconds = 0;          // at least
};

struct ThreadInfo {
    pid_t pid = 0, tid = 0;      // as the client sees itself; 0: it has ended
    std::string program;         // empty: not known here
    bool stopped = false;
};
struct WaiterInfo {
    ThreadInfo thread;
    double seconds = 0;
};
// A lock, or another object that somebody waits for.
struct LockInfo {
    std::uint32_t id = 0;
    std::string name, kind;
    std::optional<ThreadInfo> holder;
    std::uint32_t levels = 0;    // of a lock that is held; of an rlock how often
    std::uint64_t token = 0;
    std::optional<double> held_seconds;  // at least; none: nobody has looked long enough
    std::vector<WaiterInfo> waiters;     // the longest first
};
// Threads that each hold what the next one waits for.
struct DeadlockInfo {
    std::string text;
    std::vector<ThreadInfo> threads;
    std::string key;             // the same for the same circle at another look
};

struct InvariantReport {
    std::string invariant;       // as a Violation's
    std::string what;            // what it says, in a few words
    std::uint64_t checked = 0;   // objects, extents, domains, sessions
    std::uint64_t violations = 0;
};

struct CheckReport {
    std::vector<Violation> violations;  // the first 1000
    std::uint64_t objects = 0, extents = 0;
    std::vector<InvariantReport> invariants;
    // How it was done: structures copied and verified, structures looked at in pieces, and the most words of the segment
    // that were looked at under one lock.
    std::uint64_t copied = 0, in_pieces = 0, visits = 0, most_words_locked = 0;
};

struct ReclaimReport {
    std::uint32_t locks_released = 0, leases_returned = 0, objects_freed = 0, transactions_rolled_back = 0, waiters_woken = 0;
    std::uint64_t permits_returned = 0;  // of semaphores
    bool deferred = false;       // something was busy: call again
};

struct CollectReport {
    bool done = true;      // no search is going on
    bool held_up = false;  // somebody was in the way: nothing was freed
    std::uint32_t freed = 0;
};

class Realm {
  public:
    // Makes, sizes, seals and formats a memfd. Throws out_of_memory, invalid_argument (capacity below 4 MiB).
    static Realm create(std::string name, std::uint64_t capacity);
    // Takes over a segment made earlier. Throws damaged when its header is not one of ours.
    static Realm adopt(base::UniqueFd memfd, std::string name);

    Realm(Realm&&) noexcept;
    Realm& operator=(Realm&&) noexcept;
    ~Realm();

    int memfd() const noexcept;
    const std::string& name() const noexcept;
    std::string instance() const;  // 32 hex digits
    MemoryUse memory() const;

    std::vector<SessionInfo> sessions() const;
    std::uint32_t session_count() const;
    // Does the slot hold this generation, claimed by this pid? `peer` is SO_PEERCRED's.
    bool session_is(std::uint32_t index, std::uint32_t generation, pid_t peer) const;
    // After its process died: rolls back, releases its locks, gives back what it leased and its permits, takes it out of lines, drops its holds, wakes whom it might have failed to
    // wake, frees the slot. Idempotent; a generation that is gone already is a no-op.
    ReclaimReport reclaim(std::uint32_t index, std::uint32_t generation);
    // Reclaims every session whose process, by pid and start time in our PID namespace, is gone: for a service that
    // has just started, and as a slow sweep for clients that never registered. `spare` are slots known to be alive.
    ReclaimReport reclaim_dead(const std::vector<std::uint32_t>& spare);

    // The daemon ends: all objects are erased for everybody, who finds the realm closed, and none can be made any more.
    void shut();

    // Removes keys that have expired, looking at no more than `most` entries of all objects together; of each at so many at
    // a time that others wait a fraction of a millisecond. What is locked is left to the next call. Returns how many.
    std::uint64_t sweep_expired(std::uint64_t most = 1u << 16);

    std::vector<ObjectInfo> objects() const;
    std::uint32_t object_count() const;
    void erase(std::string_view object_name);  // throws no_such_object
    // Looks at everything while others work on: no lock is held for longer than an ordinary change takes (check.hpp).
    CheckReport check() const;
    // Frees objects that nobody reaches any more (DESIGN.md, "Nesting"), in steps: about `work` handles and objects more.
    // `begin`: a new search if none is going on. Waits for nobody.
    CollectReport collect(bool begin, std::uint64_t work);
    bool collecting() const noexcept;
    // Is there anything that it could free?
    bool has_candidates() const;
    // Looks who is inside what, and tells of those whom an earlier look, a second ago or more, found in the same place.
    // Waits for nobody.
    std::vector<Blocked> blocked() const;

    // Waiting for nobody: what somebody holds or waits for, and circles of those who wait.
    std::vector<LockInfo> locks() const;
    std::vector<DeadlockInfo> deadlocks() const;
    // To be called once a second, for locks() to tell since when they are held.
    void watch_locks();
    // Is a wait that would close a circle an error, or only reported? Of calls that do not say it themselves.
    void set_deadlock_is_error(bool error);

  private:
    struct Impl;
    explicit Realm(std::unique_ptr<Impl> impl) noexcept;
    std::unique_ptr<Impl> impl_;
};

// Start time of a process (field 22 of /proc/PID/stat), 0 when there is none.
std::uint64_t process_start_time(pid_t pid) noexcept;

}  // namespace muster::session
