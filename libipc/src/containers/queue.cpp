#include "containers/queue.hpp"

#include <algorithm>
#include <vector>

#include <muster/detail/order.hpp>

#include "containers/sequence.hpp"

namespace muster::containers {

Queue::Result Queue::try_put(Bytes item) {
    ObjectLock lock(segment_, ref_);
    if (closed_flag()) return Result::closed;
    if (looks_full()) return Result::full;
    if (order() != Order::fifo) {
        put_in_tree(lock, item);
        return Result::ok;
    }
    heap::mutate(lock, [&](Tx& tx, heap::Heap& heap) { put_within(tx, heap, item); });
    return Result::ok;
}

void Queue::put_within(Tx& tx, heap::Heap& heap, Bytes item) {
    fifo().append(tx, heap, item);
    tx.set(rep().fifo.puts, rep().fifo.puts + 1);
}

bool Queue::find_next_of_all(Next& next) const {
    const bool any = in_base() != 0;
    if (rep().returned.count != 0 && (!any || returned_comes_first())) {
        next.from = Next::From::returned;
        next.lease = rep().returned.head;
        next.size = bytes_of(lease_at(next.lease)).size();
        return true;
    }
    if (!any) return false;
    next.from = Next::From::tree;
    next.word = tree_word(in_base() - 1);
    next.size = item::locate(segment_, next.word).length;
    return true;
}

void Queue::copy(const Next& next, std::byte* to) const {
    switch (next.from) {
        case Next::From::chunks: return fifo().copy_out(next.record, to);
        case Next::From::tree: return item::copy_out(segment_, next.word, item::locate(segment_, next.word), to);
        case Next::From::returned:
            return segment::copy_out(to, bytes_of(lease_at(next.lease)).data(), static_cast<std::size_t>(next.size));
    }
}

Queue::Result Queue::take_seen(muster::detail::Buffer& item, Seen& seen) {
    ObjectLock lock(segment_, ref_);
    Next next;
    if (!find_next(next)) return nothing();
    const Seen now = seen_of(next);
    if (!(now.in_chunks && seen.in_chunks && now.gets == seen.gets)) {
        muster::detail::Buffer bytes;
        copy(next, bytes.resize(static_cast<std::size_t>(next.size)));
        if (!std::ranges::equal(bytes.bytes(), item.bytes())) {
            std::ranges::copy(bytes.bytes(), item.resize(bytes.size()));
            seen = now;
            return Result::kept;
        }
    }
    take(lock, next);
    return Result::ok;
}

void Queue::take(ObjectLock& lock, const Next& next) {
    const auto take_last = [&](bool in_place) {
        heap::mutate(lock, [&](Tx& tx, heap::Heap& heap) {
            drop_last(tx, heap, in_place);
            item::free(segment_, tx, heap, next.word);
        });
    };
    switch (next.from) {
        case Next::From::chunks:
            return heap::mutate(lock, [&](Tx& tx, heap::Heap& heap) { take_within(tx, heap, next); });
        case Next::From::tree:
            try {
                return take_last(false);
            } catch (const heap::OutOfMemory&) {  // so that a full segment can be emptied
                return take_last(true);
            }
        case Next::From::returned:
            return heap::mutate(lock, [&](Tx& tx, heap::Heap& heap) { take_within(tx, heap, next); });
    }
}

void Queue::take_within(Tx& tx, heap::Heap& heap, const Next& next) {
    if (next.from == Next::From::returned) {
        unlink(tx, rep().returned, next.lease);
        return free_lease(tx, heap, next.lease);
    }
    const std::uint64_t emptied = fifo().drop_front(tx, next.record);
    if (next.record.block != 0) heap.free(tx, next.record.block, next.record.size);
    if (emptied != 0) fifo().free_chunk(tx, heap, emptied);
}

void Queue::take_within(Tx& tx, heap::Heap& heap, bool returned) {
    Next next;
    const std::uint64_t count = returned ? rep().returned.count.get() : in_base();
    if (count == 0) throw segment::Damage{"queue: fewer items than counted"};
    if (returned) {
        next.from = Next::From::returned;
        next.lease = rep().returned.head;
    } else if (order() == Order::fifo) {
        next.record = fifo().front();
        next.size = next.record.size;
    } else {
        const std::uint64_t word = tree_word(count - 1);
        drop_last(tx, heap, false);
        return item::free(segment_, tx, heap, word);
    }
    take_within(tx, heap, next);
}

void Queue::for_first(std::uint64_t count, const std::function<void(Bytes, bool)>& each) const {
    std::uint64_t left = in_base(), returned = rep().returned.head, left_returned = count_of(rep().returned);
    const auto tell_returned = [&] {
        if (left_returned-- == 0) throw segment::Damage{"queue: endless list of leases"};
        const LeaseRep& lease = lease_at(returned);
        returned = lease.next;
        --count;
        each(bytes_of(lease), true);
    };
    if (order() == Order::fifo) {
        while (returned != 0 && count != 0) tell_returned();
        Fifo::Position position = fifo().begin();
        Fifo::Bound bound(segment_);
        for (; left != 0 && count != 0; --left, --count) {
            const Fifo::Record record = fifo().next(position);
            bound.add(record);
            each({segment_.bytes(record.bytes, record.size), static_cast<std::size_t>(record.size)}, false);
        }
        return;
    }
    const bool by_value = order() == Order::priority;
    Buffer item;
    for (; left != 0 && count != 0; --left) {
        item::read(segment_, tree_word(left - 1), item);
        const auto comes_first = [&] { return !by_value || !(compare(item.bytes(), bytes_of(lease_at(returned))) < 0); };
        while (returned != 0 && count != 0 && comes_first()) tell_returned();
        if (count == 0) return;
        --count;
        each(item.bytes(), false);
    }
    while (returned != 0 && count != 0) tell_returned();
}

void Queue::clear() {
    ObjectLock lock(segment_, ref_);
    heap::mutate(lock, [&](Tx& tx, heap::Heap& heap) {
        QueueRep& root = rep();
        const std::uint64_t lost = waiting() + root.leased.count;
        tx.set(root.done, root.done + std::min(lost, root.fifo.puts - root.done));  // nobody will ever report them
        fifo().forget(tx);
        for (Cell<std::uint64_t>* word :
             {&root.tree.root, &root.tree.height, &root.tree.tail, &root.leased.head, &root.leased.tail, &root.leased.count,
              &root.returned.head, &root.returned.tail, &root.returned.count, &root.dead.head, &root.dead.tail, &root.dead.count})
            if (*word != 0) tx.set(*word, 0);
        if (root.cleared != root.leases) tx.set(root.cleared, root.leases);  // the records stay as they are, in free memory
        heap.reset(tx);
    });
    lock.heap().trim();
}

void Queue::close() {
    ObjectLock lock(segment_, ref_);
    Tx::publish(object_.domain, rep().flags, rep().flags | flag_closed);
}

bool Queue::closed() const {
    ObjectLock lock(segment_, ref_);
    return closed_flag();
}

std::uint64_t Queue::read_validated(std::uint64_t (*look)(const QueueRep&)) const {
    std::uint64_t seen = 0;
    const auto copy = [&] {
        const heap::Ident ident = heap::Ident::unpack(object_.ident);
        if (ident.generation != ref_.generation || ident.life != heap::Life::live) throw heap::Destroyed{};
        seen = look(rep());
    };
    if (tx::read_validated(object_.domain, copy)) return seen;
    ObjectLock lock(segment_, ref_);
    copy();
    return seen;
}

std::uint64_t Queue::size() const {
    return read_validated([](const QueueRep& root) { return root.fifo.puts - root.fifo.gets + root.returned.count; });
}

std::uint64_t Queue::unfinished() const {
    return read_validated([](const QueueRep& root) { return root.fifo.puts - root.done; });
}

std::uint64_t Queue::leased() const {
    return read_validated([](const QueueRep& root) { return root.leased.count.get(); });
}

Queue::Done Queue::task_done() {
    ObjectLock lock(segment_, ref_);
    QueueRep& root = rep();
    if (root.done == root.fifo.puts) return Done::too_many;
    Tx::publish(object_.domain, root.done, root.done + 1);
    return root.done == root.fifo.puts ? Done::last : Done::ok;
}

std::int64_t Queue::maxsize() const { return rep().maxsize; }

void Queue::for_each(const std::function<void(std::uint64_t)>& begin, const std::function<void(Bytes)>& each) const {
    ObjectLock lock(segment_, ref_);
    begin(waiting());
    for_first(unlimited, [&each](Bytes item, bool) { each(item); });
}

void Queue::verify(const std::function<void(std::string)>& tell) const {
    bool sound = true;
    const Violation violation = [&](std::string what) {
        sound = false;
        tell(std::move(what));
    };
    ObjectLock lock(segment_, ref_, base::Deadline::after(heap::inspection_patience));
    QueueRep& root = rep();
    Audit audit(lock, violation);
    const auto list = [&](const LeaseListRep& leases, bool leased, const char* what) {
        std::uint64_t count = 0, before = 0;
        for (std::uint64_t at = leases.head; at != 0; before = at, at = lease_at(at).next) {
            const LeaseRep& lease = lease_at(at);
            audit.block(at, sizeof(LeaseRep) + (lease.block != 0 ? 0 : lease.size.get()), what);
            if (lease.block != 0) audit.block(lease.block, lease.block_size, what);
            if (lease.prev != before) violation(std::string(what) + ": neighbours do not agree");
            if ((lease.id != 0) != leased) violation(std::string(what) + ": in the wrong list");
            if (leased && (lease.id <= root.cleared || lease.id > root.leases)) violation(std::string(what) + ": its number is none");
            ++count;
        }
        if (count != leases.count) violation(std::string(what) + ": count differs from the list");
        if (before != leases.tail) violation(std::string(what) + ": the last is another one");
    };
    try {
        list(root.leased, true, "lease");
        list(root.returned, false, "returned item");
        list(root.dead, false, "dead letter");
        if (order() == Order::fifo) {
            fifo().verify(segment_.capacity(), [&](std::uint64_t at, std::uint64_t size) { audit.block(at, size, "chunk"); },
                          [&](const char* what) { violation(what); });
        } else {
            verify_tree(segment_, root.tree, in_base(), audit, violation);
            for (std::uint64_t i = 1; sound && order() == Order::priority && i < in_base(); ++i) {
                Buffer higher, lower;
                item::read(segment_, tree_word(i - 1), higher);
                item::read(segment_, tree_word(i), lower);
                if (compare(higher.bytes(), lower.bytes()) < 0) {
                    violation("priority queue: not in order");
                }
            }
        }
        if (root.fifo.puts - root.done > root.fifo.puts) violation("more tasks done than items put");
        audit.finish();
    } catch (const segment::Damage& damage) {
        violation(damage.what);
    } catch (const Error& error) {
        violation(error.what());
    }
}

}  // namespace muster::containers
