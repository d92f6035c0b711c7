// Last in first out, and lowest first: the items are in a tree, the next one out is its last.
#include <muster/detail/order.hpp>

#include "containers/queue.hpp"

namespace muster::containers {
namespace {

// Log entries that one more item may take, and the end of a step; items of one step, which is undone as a whole when
// it meets the end of memory.
constexpr std::uint64_t sorted_item_entries = TreeEdit::append_entries + 24;
constexpr std::size_t sorted_step_items = 128, sorted_step_bytes = 64 * 1024;

// What stands in the segment is a value, or somebody has damaged it.
std::partial_ordering compare_stored(Bytes a, Bytes b) {
    try {
        return compare(a, b);
    } catch (const Error&) {
        throw segment::Damage{"queue: an item is no value"};
    }
}

// The bytes of an item word.
class View {
  public:
    View(const Segment& segment, std::uint64_t word) : inline_(word >> 8) {
        const item::Located located = item::locate(segment, word);
        const auto* bytes = located.offset == 0 ? reinterpret_cast<const std::byte*>(&inline_)
                                                : segment.bytes(located.offset, located.length);
        bytes_ = {bytes, static_cast<std::size_t>(located.length)};
    }
    View(const View&) = delete;
    View& operator=(const View&) = delete;
    operator Bytes() const noexcept { return bytes_; }

  private:
    std::uint64_t inline_;
    Bytes bytes_;
};

}  // namespace

std::uint64_t Queue::tree_word(std::uint64_t index) const {
    const Tree items = tree();
    return items.slot(items.locate(in_base(), index));
}

// The highest is first, and before those that it equals: they came earlier and go earlier. Whatever does not compare
// with some item meets one of these on its way: they all stand together, and nothing tells it from them.
std::uint64_t Queue::place_of(Bytes item, std::uint64_t count) const {
    if (order() == Order::lifo) return count;
    if (compare(item, item) == std::partial_ordering::unordered) throw Uncomparable{};
    std::uint64_t low = 0, high = count;
    while (low < high) {
        const std::uint64_t middle = low + (high - low) / 2;
        const std::partial_ordering relation = compare_stored(View(segment_, tree_word(middle)), item);
        if (relation == std::partial_ordering::unordered) throw Uncomparable{};
        if (relation > 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool Queue::returned_comes_first() const {
    if (order() != Order::priority) return true;
    const View last(segment_, tree_word(in_base() - 1));
    return !(compare_stored(last, bytes_of(lease_at(rep().returned.head))) < 0);
}

std::uint64_t Queue::place_among_returned(std::uint64_t at) const {
    std::uint64_t place = 0;
    const LeaseRep& mine = lease_at(at);
    const auto comes_later = [&](const LeaseRep& other) {
        switch (order()) {
            case Order::fifo: return other.number > mine.number;
            case Order::priority: return !(compare_stored(bytes_of(other), bytes_of(mine)) < 0);
            default: return true;
        }
    };
    std::uint64_t left = count_of(rep().returned);
    for (place = rep().returned.head; place != 0 && !comes_later(lease_at(place)); place = lease_at(place).next)
        if (left-- == 0) throw segment::Damage{"queue: endless list of leases"};
    return place;
}

void Queue::put_in_tree(ObjectLock& lock, Bytes item) {
    const std::uint64_t place = place_of(item, in_base());
    heap::mutate(lock, [&](Tx& tx, heap::Heap& heap) { put_within(tx, heap, item, place); });
}

std::uint64_t Queue::place_within(Bytes item, std::uint64_t taken) const {
    if (taken > in_base()) throw segment::Damage{"queue: fewer items than counted"};
    return place_of(item, in_base() - taken);
}

void Queue::put_within(Tx& tx, heap::Heap& heap, Bytes item, std::uint64_t place) {
    QueueRep& root = rep();
    TreeEdit edit(segment_, root.tree, tx, heap);
    edit.insert(in_base(), place, item::store(segment_, edit.run(), item));
    edit.finish();
    tx.set(root.fifo.puts, root.fifo.puts + 1);
}

Queue::Many Queue::put_many_in_tree(ObjectLock& lock, const muster::detail::Strings& items, std::size_t from, std::size_t end) {
    std::size_t done = from;
    const auto result = [&] { return Many{done - from, done == items.size() ? Result::ok : Result::full}; };
    try {
        if (order() == Order::priority) {
            for (; done < end; ++done) put_in_tree(lock, items[done]);
            return result();
        }
        for (std::size_t next = from; done < end; done = next)
            heap::mutate(lock, [&](Tx& tx, heap::Heap& heap) {
                QueueRep& root = rep();
                TreeEdit edit(segment_, root.tree, tx, heap);
                std::size_t bytes = 0;
                next = done;
                do {
                    edit.append(in_base() + (next - done), item::store(segment_, edit.run(), items[next]));
                    bytes += items[next++].size();
                } while (next < end && next - done < sorted_step_items && bytes < sorted_step_bytes &&
                         tx.entries_left() >= sorted_item_entries);
                edit.finish();
                tx.set(root.fifo.puts, root.fifo.puts + (next - done));
            });
    } catch (const heap::OutOfMemory&) {
        if (done == from) throw;
    }
    return result();
}

void Queue::drop_last(Tx& tx, heap::Heap& heap, bool in_place) {
    QueueRep& root = rep();
    const std::uint64_t total = in_base();
    TreeEdit edit(segment_, root.tree, tx, heap);
    if (in_place)
        (void)edit.erase_in_place(total, total - 1);
    else
        (void)edit.erase(total, total - 1);
    tx.set(root.fifo.gets, root.fifo.gets + 1);
    edit.finish();
}

}  // namespace muster::containers
