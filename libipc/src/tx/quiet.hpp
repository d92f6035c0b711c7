// A look at a domain while nobody is inside: stronger than read_validated(), which only sees that no word of the domain
// itself changed meanwhile.
//
// Whoever holds a domain's lock may already have changed what belongs to another domain (an extent that is tagged and not
// linked yet, an object that is live and not listed): I6 holds when the lock is free. So after the copy the lock is seen
// free, and after that the number unchanged: who was inside during the copy has left without a change, or has died, and
// then the lock does not look free.
// Thread safety: any thread of any process; locks nothing, waits for nobody.
#pragma once

#include "tx/domain.hpp"

namespace muster::tx {

inline bool seen_free(const DomainRep& domain) noexcept {
    constexpr int looks = 2000;  // longer than most changes take
    std::atomic_thread_fence(std::memory_order_acquire);
    for (int look = 0; look < looks; ++look) {
        if (domain.mutex.owner() == 0) return !domain.mutex.owner_died();
        base::relax();
    }
    return false;
}

// Runs `copy_out`, as read_validated() does. False after `tries` times: somebody always was inside, or died
// there. A Damage that nobody explains is passed on.
template <typename CopyOut>
[[nodiscard]] bool read_quiet(const DomainRep& domain, CopyOut&& copy_out, int tries = 16) {
    for (int i = 0; i < tries; ++i) {
        const std::uint64_t before = sequence_of(domain);
        if (before % 2 != 0 || domain.mutex.owner_died()) {
            base::relax();
            continue;
        }
        try {
            copy_out();
        } catch (const segment::Damage&) {
            if (seen_free(domain) && unchanged_since(domain, before)) throw;
            continue;
        }
        if (seen_free(domain) && unchanged_since(domain, before)) return true;
    }
    return false;
}

}  // namespace muster::tx
