// Many items of a queue under one lock, in few transactions.
#include <algorithm>

#include "containers/queue.hpp"

namespace muster::containers {
namespace {

// What a step of put_many is made of. It is undone as a whole when it meets the end of memory, so it is not long.
constexpr std::size_t step_items = 128, step_bytes = 64 * 1024;
// Log entries of one item at most: its block, a chunk, the cursor; and of the end of a step.
constexpr std::uint64_t item_entries = 30;
// Blocks that get_many frees in its one Tx, of at most 8 entries each.
constexpr std::size_t most_freed = 24;

}  // namespace

Queue::Many Queue::put_many(const muster::detail::Strings& items, std::size_t from) {
    ObjectLock lock(segment_, ref_);
    QueueRep& root = rep();
    if (closed_flag()) return {0, Result::closed};
    std::size_t end = items.size(), done = from;
    if (root.maxsize > 0) {
        const auto bound = static_cast<std::uint64_t>(root.maxsize.get()), size = root.puts - root.gets;
        end = std::min<std::size_t>(end, from + (bound > size ? bound - size : 0));
    }
    try {
        for (std::size_t next = from; done < end; done = next)
            heap::mutate(lock, [&](Tx& tx, heap::Heap& heap) {
                std::size_t bytes = 0;
                next = done;
                do {
                    append(tx, heap, items[next]);
                    bytes += items[next++].size();
                } while (next < end && next - done < step_items && bytes < step_bytes && tx.entries_left() >= item_entries);
                tx.set(root.puts, root.puts + (next - done));
            });
    } catch (const heap::OutOfMemory&) {
        if (done == from) throw;
    }
    return {done - from, done == items.size() ? Result::ok : Result::full};
}

Queue::Many Queue::get_many(std::size_t most, muster::detail::Strings& out) {
    ObjectLock lock(segment_, ref_);
    QueueRep& root = rep();
    const std::uint64_t size = root.puts - root.gets;
    if (size == 0 && most != 0) return {0, closed_flag() ? Result::closed : Result::empty};
    struct Freed {
        std::uint64_t block, size;
    } freed[most_freed];
    std::size_t count = 0, frees = 0;
    std::uint64_t at = root.head_chunk, position = root.head;
    Bound bound(segment_);
    // All copies come before the first change (I4).
    while (count < std::min<std::uint64_t>(size, most) && frees + 2 <= most_freed) {
        if (at != root.tail_chunk && position == chunk(at).end) {
            freed[frees++] = {at, chunk(at).size};
            at = chunk(at).next;
            position = at + sizeof(ChunkRep);
        }
        const Record record = record_at(position);
        bound.add(record);
        segment::copy_out(out.add(static_cast<std::size_t>(record.size)), segment_.bytes(record.bytes, record.size),
                          static_cast<std::size_t>(record.size));
        if (record.block != 0) freed[frees++] = {record.block, record.size};
        position = record.end;
        ++count;
    }
    if (count == 0) return {0, Result::ok};
    heap::mutate(lock, [&](Tx& tx, heap::Heap& heap) {
        tx.set(root.gets, root.gets + count);
        if (root.head_chunk != at) tx.set(root.head_chunk, at);
        if (root.gets == root.puts) {  // empty: begin anew in the same place
            tx.set(root.head, at + sizeof(ChunkRep));
            tx.set(root.tail, at + sizeof(ChunkRep));
        } else {
            tx.set(root.head, position);
        }
        for (std::size_t i = 0; i < frees; ++i) heap.free(tx, freed[i].block, freed[i].size);
    });
    return {count, count < most && count == size ? Result::empty : Result::ok};
}

}  // namespace muster::containers
