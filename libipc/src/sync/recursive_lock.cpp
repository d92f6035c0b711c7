#include "sync/recursive_lock.hpp"

namespace muster::sync {

// Swapped, not stored: had the object gone meanwhile, the word would carry another hold's turn, and stay.
bool RecursiveLock::set_levels(std::uint64_t now, std::uint64_t levels) noexcept {
    if (levels > max_levels) return false;
    const std::uint64_t wanted = std::uint64_t{turn_in(now)} << 32 | levels;
    std::uint64_t seen = __atomic_load_n(&rep_.levels, __ATOMIC_ACQUIRE);  // before the word
    while (turn_in(load()) == turn_in(now) &&
           !__atomic_compare_exchange_n(&rep_.levels, &seen, wanted, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
    }
    return true;
}

std::uint32_t RecursiveLock::release_all(SlotId self) noexcept {
    const std::uint64_t now = load();
    if (!owned(now, self)) return 0;
    const auto levels = static_cast<std::uint32_t>(levels_of(now));
    return LockWord::release(self, [] { return false; }) == Released::yes ? levels : 0;
}

}  // namespace muster::sync
