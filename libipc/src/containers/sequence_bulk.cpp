// Changes of a list that are too big for one Tx, and yet atomic: see sequence.hpp.
#include <algorithm>
#include <numeric>
#include <vector>

#include "containers/sequence.hpp"

namespace muster::containers {
namespace {

// One step of a long change. What does not fit into memory is undone as a whole, so steps are not long.
constexpr std::size_t step_items = 256, step_bytes = 32 * 1024, step_leaves = 24;
// Log entries that one more item may take, and the end of a step.
constexpr std::uint64_t item_entries = TreeEdit::append_entries + 24;
constexpr std::uint64_t free_entries = 10;

}  // namespace

void Sequence::finish_pending(ObjectLock& lock) {
    const std::uint64_t most_steps = segment_.capacity() / sizeof(LeafRep);
    std::uint64_t steps = 0;
    const auto step = [&] {  // each drops a leaf, or a few hundred items
        if (++steps > most_steps) throw segment::Damage{"list: endless tree"};
    };
    while (rep_.spare.root != 0)
        heap::mutate(lock, [&](Tx& tx, Heap& heap) {
            TreeEdit edit(segment_, rep_.spare, tx, heap);
            do {
                step();
                edit.drop_last_leaf();
                edit.finish();
            } while (rep_.spare.root != 0 && tx.entries_left() >= TreeEdit::drop_entries);
        });
    while (rep_.surplus != 0)
        heap::mutate(lock, [&](Tx& tx, Heap& heap) {
            TreeEdit edit(segment_, rep_.main, tx, heap);
            step();
            const std::uint64_t all = total();
            Place last = edit.locate(all, all - 1);
            std::uint64_t left = rep_.surplus;
            for (; left != 0 && last.count != 0 && tx.entries_left() >= TreeEdit::drop_entries + free_entries; --left) {
                last.at = --last.count;
                item::free(segment_, tx, heap, edit.slot(last));
            }
            tx.set(rep_.surplus, left);
            if (last.count == 0) edit.drop_last_leaf();
            edit.finish();
        });
    if (rep_.size == 0) give_memory_back(lock);
}

void Sequence::append_all(ObjectLock& lock, const Strings& values, bool visible, std::uint64_t times) {
    const std::uint64_t room = max_items - rep_.size;
    if (values.size() != 0 && times > room / values.size()) throw TooManyItems{};
    const std::uint64_t count = values.size() * times;
    for (std::uint64_t done = 0, next = 0; done < count; done = next)
        heap::mutate(lock, [&](Tx& tx, Heap& heap) {
            TreeEdit edit(segment_, rep_.main, tx, heap);
            std::uint64_t all = total();
            std::size_t bytes = 0, at = static_cast<std::size_t>(done % values.size());
            next = done;
            do {
                const Bytes value = values[at];
                if (++at == values.size()) at = 0;
                ++next;
                edit.append(all++, item::store(segment_, edit.run(), value));
                bytes += value.size();
            } while (next < count && next - done < step_items && bytes < step_bytes &&
                     tx.entries_left() >= item_entries);
            edit.finish();
            if (visible && next == count) {
                tx.set(rep_.size, all);
                if (rep_.surplus != 0) tx.set(rep_.surplus, 0);
            } else {
                tx.set(rep_.surplus, all - rep_.size);
            }
        });
}

void Sequence::stage(ObjectLock& lock, const Strings& values) {
    tidy(lock);
    try {
        append_all(lock, values, false);
    } catch (const heap::OutOfMemory&) {
        tidy(lock);
        throw;
    }
}

void Sequence::extend(ObjectLock& lock, const Strings& values) {
    tidy(lock);
    try {
        append_all(lock, values, true);
    } catch (const heap::OutOfMemory&) {
        tidy(lock);
        throw;
    }
}

void Sequence::splice(ObjectLock& lock, std::uint64_t from, std::uint64_t to, const Strings& values) {
    tidy(lock);
    const std::uint64_t size = total(), added = values.size();
    MUSTER_CHECK(from <= to && to <= size);
    if (from == size) return extend(lock, values);
    if (from == to && added == 0) return;
    if (from == to && added == 1) return insert(lock, from, values[0]);
    if (to - from == 1 && added == 0) return void(erase(lock, from));
    if (to - from == size && added == 0) return clear(lock);
    if (added > max_items - size) throw TooManyItems{};
    std::vector<std::uint32_t> order(size + added);
    const auto kept = order.begin() + static_cast<std::ptrdiff_t>(from);
    const auto fresh = kept + static_cast<std::ptrdiff_t>(added);
    const auto rest = fresh + static_cast<std::ptrdiff_t>(size - to);
    std::iota(order.begin(), kept, 0);
    std::iota(kept, fresh, static_cast<std::uint32_t>(size));
    std::iota(fresh, rest, static_cast<std::uint32_t>(to));
    std::iota(rest, order.end(), static_cast<std::uint32_t>(from));
    rearrange(lock, values, order, size + added - (to - from));
}

void Sequence::replace_all(ObjectLock& lock, const Strings& values) {
    tidy(lock);
    splice(lock, 0, rep_.size, values);
}

void Sequence::reverse(ObjectLock& lock) {
    tidy(lock);
    std::vector<std::uint32_t> order(total());
    std::iota(order.rbegin(), order.rend(), 0);
    rearrange(lock, {}, order, order.size());
}

void Sequence::repeat(ObjectLock& lock, std::uint64_t times) {
    tidy(lock);
    if (times == 0) return clear(lock);
    if (times == 1 || rep_.size == 0) return;
    Strings once;
    read(0, rep_.size, once);
    try {
        append_all(lock, once, true, times - 1);
    } catch (const heap::OutOfMemory&) {
        tidy(lock);
        throw;
    }
}

void Sequence::rearrange(ObjectLock& lock, const Strings& added, std::span<const std::uint32_t> order,
                         std::uint64_t keep) {
    tidy(lock);
    const std::uint64_t all = total() + added.size();
    MUSTER_CHECK(order.size() == all && keep <= all);
    if (all == 0) return;
    std::vector<bool> seen(all);
    for (const std::uint32_t index : order) {
        MUSTER_CHECK(index < all && !seen[index]);
        seen[index] = true;
    }
    std::vector<std::uint64_t> present(all), wanted(all);
    try {
        append_all(lock, added, false);
        const Tree items = tree();
        for (std::uint64_t i = 0; i < all;) {
            Place place = items.locate(all, i);
            for (; place.at < place.count && i < all; ++place.at) present[i++] = items.slot(place);
        }
        for (std::uint64_t i = 0; i < all; ++i) wanted[i] = present[order[i]];
        swap_trees(lock, wanted.data(), all, keep);
    } catch (const heap::OutOfMemory&) {
        tidy(lock);
        throw;
    }
    tidy(lock);
}

void Sequence::swap_trees(ObjectLock& lock, const std::uint64_t* items, std::uint64_t count, std::uint64_t keep) {
    for (std::uint64_t done = 0, next = 0; done < count; done = next)
        heap::mutate(lock, [&](Tx& tx, Heap& heap) {
            TreeEdit edit(segment_, rep_.spare, tx, heap);
            next = done;
            std::size_t leaves = 0;
            do {
                const auto n = static_cast<std::uint32_t>(std::min<std::uint64_t>(leaf_capacity, count - next));
                edit.append_leaf(next, items + next, n);
                next += n;
            } while (next < count && ++leaves < step_leaves && tx.entries_left() >= item_entries);
            edit.finish();
        });
    heap::mutate(lock, [&](Tx& tx, Heap&) {
        const std::uint64_t root = rep_.main.root, height = rep_.main.height;
        tx.set(rep_.main.root, rep_.spare.root);
        tx.set(rep_.main.height, rep_.spare.height);
        tx.set(rep_.main.tail, rep_.spare.tail);
        tx.set(rep_.main.tail_begin, rep_.spare.tail_begin);
        tx.set(rep_.spare.root, root);
        tx.set(rep_.spare.height, height);
        tx.set(rep_.spare.tail, 0);
        tx.set(rep_.size, keep);
        tx.set(rep_.surplus, count - keep);
    });
}

}  // namespace muster::containers
