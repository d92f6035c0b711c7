// A lock that its holder may take again, and what a condition needs of the lock it belongs to.
//
// The holder is a thread: its slot, which a forked child does not have. The first level is the lock's word alone; further
// ones are one word that carries the hold's turn, so that a hold that ends takes its levels with it, however it ends: a
// dead holder lets go of all of them by one store. Changed by the holder alone.
// An object of kind `lock` may be used through this class as well: it has one level.
#pragma once

#include "sync/lock.hpp"

namespace muster::sync {

class RecursiveLock : public LockWord {
  public:
    using LockWord::LockWord;
    static constexpr std::uint32_t max_levels = ~std::uint32_t{0};

    template <typename Destroyed>
    Outcome acquire(SlotId self, base::Deadline deadline, Destroyed&& destroyed, OnDeadlock policy = OnDeadlock::by_realm) {
        if (const std::uint64_t now = load(); owned(now, self)) {
            if (destroyed()) return Outcome::destroyed;
            return set_levels(now, levels_of(now) + 1) ? Outcome::acquired : Outcome::too_many_levels;
        }
        return LockWord::acquire(self, deadline, destroyed, policy);
    }
    // One level. broken: as LockWord's.
    enum class Left { yes, not_owner, broken, destroyed };
    template <typename Destroyed>
    Left release(SlotId self, Destroyed&& destroyed) {
        const std::uint64_t now = load();
        if (destroyed()) return Left::destroyed;
        if (owned(now, self)) {
            if (const std::uint64_t levels = levels_of(now); levels > 1) return set_levels(now, levels - 1), Left::yes;
        } else if (!broken_for(self)) {
            return Left::not_owner;
        }
        switch (LockWord::release(self, destroyed)) {
            case Released::yes: return Left::yes;
            case Released::broken: return Left::broken;
            case Released::destroyed: return Left::destroyed;
            case Released::not_locked: break;
        }
        return Left::not_owner;
    }

    // For a condition's wait. All levels of the caller's hold at once: how many there were. 0: it holds nothing.
    std::uint32_t release_all(SlotId self) noexcept;
    // Acquires it, with so many levels (as release_all told). A hold of the caller's own is not there. Never a Deadlock:
    // who has waited for a condition must have the lock again.
    template <typename Destroyed>
    Outcome acquire_restoring(SlotId self, std::uint32_t levels, base::Deadline deadline, Destroyed&& destroyed) {
        const Outcome outcome = LockWord::acquire(self, deadline, destroyed, OnDeadlock::report);
        if (outcome == Outcome::acquired && levels > 1) set_levels(load(), levels);
        return outcome;
    }

    // 0: the thread does not hold it.
    std::uint32_t levels(SlotId self) const noexcept {
        const std::uint64_t now = load();
        return owned(now, self) ? static_cast<std::uint32_t>(levels_of(now)) : 0;
    }
    // Of whoever holds it.
    std::uint32_t levels() const noexcept {
        const std::uint64_t now = load();
        return holder_in(now) ? static_cast<std::uint32_t>(levels_of(now)) : 0;
    }

  private:
    static bool owned(std::uint64_t now, SlotId self) noexcept { return self && holder_in(now) == self; }
    std::uint64_t levels_of(std::uint64_t now) const noexcept {
        const std::uint64_t word = __atomic_load_n(&rep_.levels, __ATOMIC_RELAXED);
        const auto count = static_cast<std::uint32_t>(word);
        return word >> 32 == turn_in(now) && count != 0 ? count : 1;
    }
    bool set_levels(std::uint64_t now, std::uint64_t levels) noexcept;
};

}  // namespace muster::sync
