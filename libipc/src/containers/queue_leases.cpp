// Items that a consumer has and that are the queue's still: until it says that it is done with them, or dies.
#include <algorithm>
#include <ctime>
#include <vector>

#include "containers/item.hpp"
#include "containers/queue.hpp"

namespace muster::containers {
namespace {

std::uint64_t realtime_ns() noexcept {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

}  // namespace

void Queue::link(Tx& tx, LeaseListRep& list, std::uint64_t before, std::uint64_t at) {
    const std::uint64_t prev = before == 0 ? list.tail.get() : lease_at(before).prev.get();
    tx.set(lease_at(at).next, before);
    tx.set(lease_at(at).prev, prev);
    tx.set(prev == 0 ? list.head : lease_at(prev).next, at);
    tx.set(before == 0 ? list.tail : lease_at(before).prev, at);
    tx.set(list.count, list.count + 1);
}

void Queue::unlink(Tx& tx, LeaseListRep& list, std::uint64_t at) {
    const std::uint64_t next = lease_at(at).next, prev = lease_at(at).prev;
    tx.set(prev == 0 ? list.head : lease_at(prev).next, next);
    tx.set(next == 0 ? list.tail : lease_at(next).prev, prev);
    tx.set(list.count, list.count - 1);
}

void Queue::free_lease(Tx& tx, heap::Heap& heap, std::uint64_t at) const {
    const LeaseRep& lease = lease_at(at);
    const std::uint64_t block = lease.block, block_size = lease.block_size, size = lease.size;
    heap.free(tx, at, sizeof(LeaseRep) + (block != 0 ? 0 : size));
    if (block != 0) heap.free(tx, block, block_size);
}

Queue::Lease Queue::take_lease(ObjectLock& lock, const Next& next, std::uint64_t owner) {
    QueueRep& root = rep();
    const std::uint64_t now = realtime_ns();
    const auto lend = [&](Tx& tx, std::uint64_t at) {
        LeaseRep& lease = lease_at(at);
        const std::uint64_t id = root.leases + 1;
        tx.set(root.leases, id);
        tx.set(lease.id, id);
        tx.set(lease.owner, owner);
        tx.set(lease.deliveries, lease.deliveries + 1);
        tx.set(lease.since_ns, now);
        link(tx, root.leased, 0, at);
        return Lease{at, id, lease.deliveries};
    };
    if (next.from == Next::From::returned)
        return heap::mutate(lock, [&](Tx& tx, heap::Heap&) {
            unlink(tx, root.returned, next.lease);
            return lend(tx, next.lease);
        });
    const bool in_chunk = next.from == Next::From::chunks;
    const std::uint64_t block = in_chunk ? next.record.block : item::is_inline(next.word) ? 0 : item::block_of(next.word);
    return heap::mutate(lock, [&](Tx& tx, heap::Heap& heap) {
        const std::uint64_t at = heap.allocate(tx, sizeof(LeaseRep) + (block != 0 ? 0 : next.size));
        LeaseRep& fresh = lease_at(at);  // I3: nobody's until it is linked
        Tx::init(fresh.deliveries, 0);
        Tx::init(fresh.number, root.fifo.gets);
        Tx::init(fresh.size, next.size);
        Tx::init(fresh.block, block);
        Tx::init(fresh.block_size, block == 0 ? 0 : in_chunk ? next.size : item::block_size(segment_, next.word));
        Tx::init(fresh.bytes, block == 0 ? at + sizeof(LeaseRep) : in_chunk ? block : item::locate(segment_, next.word).offset);
        if (block == 0) copy(next, segment_.bytes(fresh.bytes, next.size));
        const Lease lease = lend(tx, at);
        if (in_chunk) {
            const std::uint64_t emptied = fifo().drop_front(tx, next.record);
            if (emptied != 0) fifo().free_chunk(tx, heap, emptied);
        } else {
            drop_last(tx, heap, false);
        }
        return lease;
    });
}

// The record may have been freed and its memory be something else by now, or still look like the lease it was: one that
// was settled has lost its number, one that was cleared is known by it, and a list must lead there.
bool Queue::is_leased(std::uint64_t owner, const Lease& lease) const noexcept {
    try {
        if (lease.at % 16 != 0 || lease.id <= rep().cleared) return false;
        const LeaseRep& found = lease_at(lease.at);
        if (found.id != lease.id || found.owner != owner) return false;
        const std::uint64_t prev = found.prev;
        return (prev == 0 ? rep().leased.head : lease_at(prev).next) == lease.at;
    } catch (const segment::Damage&) {
        return false;
    }
}

Queue::Settled Queue::acknowledge(std::uint64_t owner, const Lease& lease) {
    ObjectLock lock(segment_, ref_);
    QueueRep& root = rep();
    if (!is_leased(owner, lease)) return Settled::not_leased;
    heap::mutate(lock, [&](Tx& tx, heap::Heap& heap) {
        unlink(tx, root.leased, lease.at);
        tx.set(lease_at(lease.at).id, 0);
        if (root.done != root.fifo.puts) tx.set(root.done, root.done + 1);
        free_lease(tx, heap, lease.at);
    });
    return root.done == root.fifo.puts ? Settled::last : Settled::ok;
}

void Queue::give_back_one(ObjectLock& lock, std::uint64_t at) {
    QueueRep& root = rep();
    const bool dies = root.max_deliveries != 0 && lease_at(at).deliveries >= root.max_deliveries;
    const std::uint64_t before = dies ? 0 : place_among_returned(at);
    heap::mutate(lock, [&](Tx& tx, heap::Heap&) {
        unlink(tx, root.leased, at);
        tx.set(lease_at(at).id, 0);
        tx.set(lease_at(at).owner, 0);
        link(tx, dies ? root.dead : root.returned, before, at);
        if (dies && root.done != root.fifo.puts) tx.set(root.done, root.done + 1);
    });
}

Queue::Settled Queue::give_back(std::uint64_t owner, const Lease& lease) {
    ObjectLock lock(segment_, ref_);
    if (!is_leased(owner, lease)) return Settled::not_leased;
    give_back_one(lock, lease.at);
    return rep().done == rep().fifo.puts ? Settled::last : Settled::ok;
}

std::uint64_t Queue::return_leases(const std::function<bool(std::uint64_t)>& dead, base::Deadline deadline) {
    std::vector<std::uint64_t> owners;
    {
        ObjectLock lock(segment_, ref_, deadline);
        for_each_lease(rep().leased, [&](std::uint64_t at) {
            const std::uint64_t owner = lease_at(at).owner;
            if (std::find(owners.begin(), owners.end(), owner) == owners.end()) owners.push_back(owner);
        });
    }
    std::erase_if(owners, [&](std::uint64_t owner) { return !dead(owner); });  // without our lock: it takes others
    if (owners.empty()) return 0;
    ObjectLock lock(segment_, ref_, deadline);
    std::uint64_t count = 0, left = count_of(rep().leased);
    for (std::uint64_t at = rep().leased.tail, prev = 0; at != 0 && left != 0; at = prev, --left) {
        prev = lease_at(at).prev;
        if (std::find(owners.begin(), owners.end(), lease_at(at).owner) == owners.end()) continue;
        give_back_one(lock, at);
        ++count;
    }
    return count;
}

bool Queue::lent_to_others(std::uint64_t owner) const {
    ObjectLock lock(segment_, ref_);
    bool found = false;
    for_each_lease(rep().leased, [&](std::uint64_t at) { found = found || lease_at(at).owner != owner; });
    return found;
}

void Queue::for_each_dead(const std::function<void(std::uint64_t)>& begin,
                          const std::function<void(Bytes, std::uint64_t)>& each) const {
    ObjectLock lock(segment_, ref_);
    begin(rep().dead.count);
    for_each_lease(rep().dead, [&](std::uint64_t at) { each(bytes_of(lease_at(at)), lease_at(at).deliveries); });
}

void Queue::for_each_anywhere(const std::function<void(Bytes)>& each, base::Deadline deadline) const {
    ObjectLock lock(segment_, ref_, deadline);
    for (const LeaseListRep* list : {&rep().leased, &rep().returned, &rep().dead})
        for_each_lease(*list, [&](std::uint64_t at) { each(bytes_of(lease_at(at))); });
    const std::uint64_t count = in_base();
    if (order() != Order::fifo) {
        muster::detail::Buffer item;
        for (std::uint64_t i = 0; i < count; ++i) {
            item::read(segment_, tree_word(i), item);
            each(item.bytes());
        }
        return;
    }
    Fifo::Position position = fifo().begin();
    Fifo::Bound bound(segment_);
    for (std::uint64_t left = count; left != 0; --left) {
        const Fifo::Record record = fifo().next(position);
        bound.add(record);
        each({segment_.bytes(record.bytes, record.size), static_cast<std::size_t>(record.size)});
    }
}

std::uint64_t Queue::retry_dead() {
    ObjectLock lock(segment_, ref_);
    QueueRep& root = rep();
    std::uint64_t count = 0;
    for (; root.dead.tail != 0; ++count) {
        const std::uint64_t at = root.dead.tail, before = place_among_returned(at);
        heap::mutate(lock, [&](Tx& tx, heap::Heap&) {
            unlink(tx, root.dead, at);
            tx.set(lease_at(at).deliveries, 0);
            link(tx, root.returned, before, at);
            if (root.done != 0) tx.set(root.done, root.done - 1);
        });
    }
    return count;
}

std::uint64_t Queue::drop_dead() {
    ObjectLock lock(segment_, ref_);
    QueueRep& root = rep();
    std::uint64_t count = 0;
    for (; root.dead.head != 0; ++count)
        heap::mutate(lock, [&](Tx& tx, heap::Heap& heap) {
            const std::uint64_t at = root.dead.head;
            unlink(tx, root.dead, at);
            free_lease(tx, heap, at);
        });
    return count;
}

}  // namespace muster::containers
