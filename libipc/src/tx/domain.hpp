// A domain: one robust mutex, one sequence number, one bounded undo log. Every mutable structure of the segment
// belongs to exactly one. The only code that reasons about memory order is in this layer.
//
// Invariants kept here: I1 (only Tx writes), I2 (entry, then count, then data; log emptied before unlock),
// I5 (the log is bounded), I8 (the sequence number is odd while words change).
//
// The sequence number: even = at rest. A Tx makes it odd before its first word changes and even after its log is
// emptied. Readers copy out between two equal even values (see read_validated) and lock nothing.
// A crash leaves the number odd, or the log non-empty, or both; recover() mends either.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/spin.hpp"
#include "segment/bytes.hpp"
#include "segment/segment.hpp"
#include "tx/cell.hpp"
#include "tx/robust_mutex.hpp"

namespace muster::tx {

struct LogEntry {
    std::uint64_t offset;  // of the word, 8-byte aligned
    std::uint64_t old;     // what stood there
};
static_assert(sizeof(LogEntry) == segment::log_entry_size);

struct alignas(64) DomainRep {
    RobustMutex mutex;
    std::uint64_t sequence;
    std::uint64_t log_count;   // entries in force; 0 = nothing to undo
    std::uint64_t log_offset;  // LogEntry[log_capacity]; constant while the domain lives
    std::uint64_t log_capacity;
    std::uint64_t recoveries;  // how often an owner died here (statistics)
    std::uint64_t unreconciled;  // an owner died here and what hangs on the domain (I6) has not been mended yet
    std::uint64_t joint_number;  // of the joint transaction that its owner is at (tx/joint.hpp)
    std::uint64_t joint_slot;    // the owner's slot + 1; 0 = none
    std::uint64_t reserved[2];
};
static_assert(sizeof(DomainRep) == segment::domain_size);

// The domain's log, wherever it says; Damage unless that is in extents or in the fixed domains' own region, with room
// for `capacity` entries.
inline LogEntry* log_of(const segment::Segment& segment, const DomainRep& domain, std::uint64_t capacity) {
    const std::uint64_t offset = domain.log_offset, fixed = segment.regions().domain_logs;
    if (__builtin_expect(offset >= fixed && offset < segment.regions().extent_roots, false)) {
        constexpr std::uint64_t size = 3 * segment::fixed_log_capacity;
        if (capacity > size || (offset - fixed) / sizeof(LogEntry) > size - capacity)
            throw segment::Damage{"undo log outside its region"};
        return segment.at<LogEntry>(offset, capacity);
    }
    return segment.block<LogEntry>(offset, capacity);
}

// On memory that nobody uses: makes an unlocked domain with an empty log.
void format(DomainRep& domain, std::uint64_t log_offset, std::uint64_t log_capacity) noexcept;

enum class Entered { yes, recovered, timed_out, damaged };

// Locks the domain. `recovered`: the last owner died inside; its half-done mutation was undone.
// `damaged`: the mutex or the log is not ours any more; nothing is held. `seen` is filled with `timed_out`.
[[nodiscard]] Entered enter(const segment::Segment& segment, DomainRep& domain, base::Deadline deadline,
                            Seen* seen = nullptr) noexcept;
inline void leave(DomainRep& domain) noexcept { domain.mutex.unlock(); }

// The owner of the lock mended what a dead predecessor may have left between this domain and another one (I6).
// Until then `unreconciled` stays set: whoever dies while mending leaves the duty to the next.
void reconciled(DomainRep& domain) noexcept;

// What hangs on the domain could not be finished (tx::Busy elsewhere): left to the next one who enters, as after a death.
void unreconciled(DomainRep& domain) noexcept;

// Undoes what the log holds, or discards it where the joint transaction that the domain takes part in has been decided.
// Idempotent: a crash inside is mended by the next call. False when the log or the mark is damaged.
[[nodiscard]] bool recover(const segment::Segment& segment, DomainRep& domain) noexcept;

// What remains of enter() when the mutex was not simply free.
[[nodiscard]] Entered enter_after(Acquired acquired, const segment::Segment& segment, DomainRep& domain,
                                  base::Deadline deadline) noexcept;
inline Entered enter(const segment::Segment& segment, DomainRep& domain, base::Deadline deadline,
                     Seen* seen) noexcept {
    if (!domain.mutex.sound()) return Entered::damaged;
    const Acquired acquired = domain.mutex.lock_until(deadline, seen, &domain.sequence);
    if (__builtin_expect(acquired == Acquired::yes, true)) return Entered::yes;
    return enter_after(acquired, segment, domain, deadline);
}

// RAII over enter/leave for code that has nothing to say about failure: throws segment::Damage when damaged or Busy.
struct Busy {
    const DomainRep* domain;
    Seen seen;
};
class DomainLock {
  public:
    DomainLock(const segment::Segment& segment, DomainRep& domain, base::Deadline deadline) : domain_(domain) {
        Seen seen;
        switch (enter(segment, domain, deadline, &seen)) {
            case Entered::yes: break;
            case Entered::recovered: recovered_ = true; break;
            case Entered::timed_out: throw Busy{&domain, seen};
            case Entered::damaged: throw segment::Damage{"mutex or undo log damaged"};
        }
    }
    DomainLock(const DomainLock&) = delete;
    DomainLock& operator=(const DomainLock&) = delete;
    ~DomainLock() { leave(domain_); }
    bool recovered() const noexcept { return recovered_; }

  private:
    DomainRep& domain_;
    bool recovered_ = false;
};

inline std::uint64_t sequence_of(const DomainRep& domain) noexcept {
    return __atomic_load_n(&domain.sequence, __ATOMIC_ACQUIRE);
}
inline bool unchanged_since(const DomainRep& domain, std::uint64_t sequence) noexcept {
    std::atomic_thread_fence(std::memory_order_acquire);
    return __atomic_load_n(&domain.sequence, __ATOMIC_RELAXED) == sequence;
}

// Runs `copy_out` (which reads, copies, and changes nothing but its own outputs) without a lock until no writer
// overlapped with it. False after `tries` overlaps: take the lock then. A Damage that no writer explains is passed on.
template <typename CopyOut>
[[nodiscard]] bool read_validated(const DomainRep& domain, CopyOut&& copy_out, int tries = 16) {
    for (int i = 0; i < tries; ++i) {
        const std::uint64_t before = sequence_of(domain);
        if (before % 2 != 0) {
            base::relax();
            continue;
        }
        try {
            copy_out();
        } catch (const segment::Damage&) {
            if (unchanged_since(domain, before)) throw;
            continue;
        }
        if (unchanged_since(domain, before)) return true;
    }
    return false;
}

}  // namespace muster::tx
