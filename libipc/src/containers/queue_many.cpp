// Many items of a queue under one lock, in few transactions.
#include <algorithm>
#include <numeric>
#include <vector>

#include <muster/detail/order.hpp>

#include "containers/queue.hpp"

namespace muster::containers {
namespace {

// What a step of put_many is made of. It is undone as a whole when it meets the end of memory, so it is not long.
constexpr std::size_t step_items = 128, step_bytes = 64 * 1024;
// Log entries of one item at most: its block, a chunk, the cursor; and of the end of a step.
constexpr std::uint64_t item_entries = 30;
// Blocks that get_many frees in its one Tx, of at most 8 entries each.
constexpr std::size_t most_freed = 24;

// Throws Uncomparable. Two that do not compare stand together however they are sorted, and meet.
void check_comparable(const muster::detail::Strings& items, std::size_t from) {
    std::vector<std::size_t> order(items.size() - from);
    std::iota(order.begin(), order.end(), from);
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        const std::partial_ordering relation = compare(items[a], items[b]);
        if (relation == std::partial_ordering::unordered) throw Uncomparable{};
        return relation < 0;
    });
}

}  // namespace

Queue::Many Queue::put_many(const muster::detail::Strings& items, std::size_t from) {
    ObjectLock lock(segment_, ref_);
    QueueRep& root = rep();
    if (closed_flag()) return {0, Result::closed};
    if (order() == Order::priority) {  // all or none
        check_comparable(items, from);
        for (std::size_t i = from; i < items.size(); ++i) (void)place_of(items[i]);
    }
    std::size_t end = items.size(), done = from;
    if (root.maxsize > 0) {
        const auto bound = static_cast<std::uint64_t>(root.maxsize.get()), size = waiting();
        end = std::min<std::size_t>(end, from + (bound > size ? bound - size : 0));
    }
    if (order() != Order::fifo) return put_many_in_tree(lock, items, from, end);
    try {
        for (std::size_t next = from; done < end; done = next)
            heap::mutate(lock, [&](Tx& tx, heap::Heap& heap) {
                Fifo chunks = fifo();
                std::size_t bytes = 0;
                next = done;
                do {
                    chunks.append(tx, heap, items[next]);
                    bytes += items[next++].size();
                } while (next < end && next - done < step_items && bytes < step_bytes && tx.entries_left() >= item_entries);
                tx.set(root.fifo.puts, root.fifo.puts + (next - done));
            });
    } catch (const heap::OutOfMemory&) {
        if (done == from) throw;
    }
    return {done - from, done == items.size() ? Result::ok : Result::full};
}

Queue::Many Queue::get_many(std::size_t most, muster::detail::Strings& out, Taking what) {
    ObjectLock lock(segment_, ref_);
    lock.allow(what);
    const std::uint64_t size = waiting();
    if (size == 0 && most != 0) return {0, nothing()};
    if (order() != Order::fifo || rep().returned.count != 0) {
        std::size_t count = 0;
        for (Next next; count < most && find_next(next); next = {}, ++count) {
            copy(next, out.add(static_cast<std::size_t>(next.size)));
            take(lock, next);
        }
        return {count, count < most ? Result::empty : Result::ok};
    }
    struct Freed {
        std::uint64_t block, size;
    } freed[most_freed];
    std::size_t count = 0, frees = 0;
    Fifo chunks = fifo();
    Fifo::Position position = chunks.begin();
    Fifo::Bound bound(segment_);
    // All copies come before the first change (I4).
    while (count < std::min<std::uint64_t>(size, most) && frees + 2 <= most_freed) {
        const std::uint64_t before = position.chunk;
        const Fifo::Record record = chunks.next(position);
        bound.add(record);
        if (position.chunk != before) freed[frees++] = {before, chunks.chunk(before).size};
        chunks.copy_out(record, out.add(static_cast<std::size_t>(record.size)));
        if (record.block != 0) freed[frees++] = {record.block, record.size};
        ++count;
    }
    if (count == 0) return {0, Result::ok};
    heap::mutate(lock, [&](Tx& tx, heap::Heap& heap) {
        chunks.drop(tx, count, position);
        for (std::size_t i = 0; i < frees; ++i) heap.free(tx, freed[i].block, freed[i].size);
    });
    return {count, count < most && count == size ? Result::empty : Result::ok};
}

}  // namespace muster::containers
