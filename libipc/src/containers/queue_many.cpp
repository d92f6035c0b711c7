// Many items of a queue under one lock, in few transactions.
#include <algorithm>
#include <numeric>
#include <vector>

#include <muster/detail/order.hpp>

#include "containers/queue.hpp"

namespace muster::containers {
namespace {

// What a step of put_many is made of. It is undone as a whole when it meets the end of memory, so it is not long.
constexpr std::size_t fifo_step_items = 128, fifo_step_bytes = 64 * 1024;
// Log entries of one item at most: its block, a chunk, the cursor; and of the end of a step.
constexpr std::uint64_t fifo_item_entries = 30;
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
        for (std::size_t i = from; i < items.size(); ++i) (void)place_of(items[i], in_base());
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
                } while (next < end && next - done < fifo_step_items && bytes < fifo_step_bytes &&
                         tx.entries_left() >= fifo_item_entries);
                tx.set(root.fifo.puts, root.fifo.puts + (next - done));
            });
    } catch (const heap::OutOfMemory&) {
        if (done == from) throw;
    }
    return {done - from, done == items.size() ? Result::ok : Result::full};
}

// What is freed with it; `end` is where the next one begins.
struct Queue::Row {
    std::size_t count = 0, frees = 0;
    Fifo::Position end;
    struct Freed {
        std::uint64_t block, size;
    } freed[most_freed];
};

Queue::Row Queue::walk(std::size_t most, std::size_t enough, muster::detail::Strings* out) const {
    const Fifo chunks = fifo();
    Fifo::Bound bound(segment_);
    Row row;
    row.end = chunks.begin();
    std::size_t bytes = 0;
    while (row.count < std::min<std::uint64_t>(in_base(), most) && row.frees + 2 <= most_freed && bytes < enough) {
        const std::uint64_t before = row.end.chunk;
        const Fifo::Record record = chunks.next(row.end);
        bound.add(record);
        if (row.end.chunk != before) row.freed[row.frees++] = {before, chunks.chunk(before).size};
        if (out != nullptr) chunks.copy_out(record, out->add(static_cast<std::size_t>(record.size)));
        if (record.block != 0) row.freed[row.frees++] = {record.block, record.size};
        bytes += static_cast<std::size_t>(record.size);
        ++row.count;
    }
    return row;
}

void Queue::drop(ObjectLock& lock, const Row& row) {
    heap::mutate(lock, [&](Tx& tx, heap::Heap& heap) {
        fifo().drop(tx, row.count, row.end);
        for (std::size_t i = 0; i < row.frees; ++i) heap.free(tx, row.freed[i].block, row.freed[i].size);
    });
}

Queue::Many Queue::get_many(std::size_t most, muster::detail::Strings& out, std::size_t enough, const Accept& accept) {
    ObjectLock lock(segment_, ref_);
    const std::uint64_t size = waiting();
    if (size == 0 && most != 0) return {0, nothing()};
    if (!in_a_row()) return get_many_from_tree(lock, most, out, enough, accept);
    const std::size_t before = out.size();
    // All copies come before the first change (I4).
    Row row = walk(most, enough, &out);
    const std::size_t copied = row.count;
    if (const std::size_t accepted = accept ? accept() : copied; accepted < copied) {
        out.cut(before + accepted);
        row = walk(accepted, unlimited, nullptr);
    }
    if (row.count != 0) drop(lock, row);
    if (row.count < copied) return {row.count, Result::kept};
    return {row.count, row.count < most && row.count == size ? Result::empty : Result::ok};
}

Queue::Many Queue::get_many_from_tree(ObjectLock& lock, std::size_t most, muster::detail::Strings& out, std::size_t enough,
                                      const Accept& accept) {
    const std::size_t before = out.size();
    std::size_t count = 0, bytes = 0;
    try {
        for (Next next; count < most && bytes < enough && find_next(next); next = {}, ++count) {
            copy(next, out.add(static_cast<std::size_t>(next.size)));
            if (accept && accept() == 0) {
                out.cut(before + count);
                return {count, Result::kept};
            }
            take(lock, next);
            bytes += static_cast<std::size_t>(next.size);
        }
    } catch (...) {
        if (count == 0) throw;
        out.cut(before + count);
        return {count, Result::kept};
    }
    return {count, count < most && waiting() == 0 ? Result::empty : Result::ok};
}

std::size_t Queue::look_at_many(std::size_t most, muster::detail::Strings& out, std::size_t enough, Seen& seen) const {
    ObjectLock lock(segment_, ref_);
    if (!in_a_row()) return 0;
    seen = {rep().fifo.gets, true};
    return walk(most, enough, &out).count;
}

Queue::Many Queue::take_many_seen(std::size_t count, const Seen& seen) {
    ObjectLock lock(segment_, ref_);
    if (!in_a_row() || rep().fifo.gets != seen.gets) return {0, Result::kept};
    const Row row = walk(count, unlimited, nullptr);
    if (row.count != 0) drop(lock, row);
    return {row.count, waiting() == 0 ? Result::empty : Result::ok};
}

}  // namespace muster::containers
