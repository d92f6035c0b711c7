// One mutation of several objects: all of them or none.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "heap/object_lock.hpp"

namespace muster::heap {

// Runs apply(i, Tx&, Heap&) for each of the objects, whose locks the caller took in ascending id (I11), and commits all at
// once; of one object alone, without any mark. As mutate(): where one of them needs memory all are undone, that one's heap
// is grown, and it runs again; so `apply` must not change anything but through its Tx. `slot`: the calling thread's.
//
// `at` tells which object it was about when it throws: OutOfMemory, tx::LogFull (too many changes of one object), Damage,
// what `apply` throws. Nothing has changed then.
template <typename Apply>
void mutate_together(std::span<ObjectLock* const> locks, std::uint32_t slot, std::size_t& at, Apply&& apply) {
    const std::size_t count = locks.size();
    MUSTER_CHECK(count != 0 && count <= tx::Joint::most);
    const Segment& segment = locks[0]->segment();
    const auto domain = [&](std::size_t i) -> tx::DomainRep& { return locks[i]->object().domain; };
    const auto collect = [&] {
        for (ObjectLock* lock : locks)
            if (Heap heap = lock->heap(); heap.has_garbage()) heap.collect();
    };
    collect();
    std::vector<tx::FreedLater> later(count);
    std::uint32_t trimmed = 0;  // each only once, as in mutate()
    for (;;) {
        std::uint64_t missing = 0;
        try {
            tx::Joint joint(segment, slot);  // outlives the transactions: their roll-back looks at the marks
            std::array<std::optional<Tx>, tx::Joint::most> all;
            if (count > 1)
                for (std::size_t i = 0; i < count; ++i) joint.mark(domain(i));
            for (at = 0; at < count; ++at) {
                later[at].count = 0;
                later[at].at_the_end = false;
                Tx& tx = all[at].emplace(segment, domain(at), later[at]);
                Heap heap = locks[at]->heap();
                apply(at, tx, heap);
                heap.free_later(tx);
            }
            if (count > 1) joint.decide();
            for (std::size_t i = 0; i < count; ++i) {
                all[i]->commit();
                if (count > 1) tx::Joint::unmark(domain(i));
            }
            break;
        } catch (const NeedMemory& need) {
            missing = need.bytes;
        }
        Heap heap = locks[at]->heap();
        try {
            heap.grow(missing);
        } catch (const OutOfMemory&) {
            if ((trimmed >> at & 1) != 0 || !heap.has_spare()) {
                for (ObjectLock* lock : locks) lock->heap().shrink();
                throw;
            }
            heap.trim();
            trimmed |= std::uint32_t{1} << at;
        }
    }
    collect();
}

}  // namespace muster::heap
