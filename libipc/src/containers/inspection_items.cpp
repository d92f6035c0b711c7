// Lists and queues in pieces: a tree leaf by leaf, chunks record by record, leases by their links.
#include <algorithm>

#include "containers/inspection.hpp"

namespace muster::containers {

// A leaf a visit, found from the root by the index of its first item. Items that are inserted before that index move some
// that were seen already behind it, and others the other way: what is seen is whole all the same.
void Inspection::tree(TreeRep& rep, const std::function<std::uint64_t()>& total) {
    std::uint64_t index = 0;
    visit("I1", [&] {
        const std::uint64_t items = total();
        look(6);
        if ((rep.root != 0) != (items != 0)) throw segment::Damage{"list: size and tree do not agree"};
        if (items > segment_.capacity() / 8) throw segment::Damage{"list: size"};
        if (index >= items) return true;
        index = leaf(rep, items, index);
        return index >= items;
    });
}

// The leaf that holds the item, and on the way to it those nodes of which it is the first. Returns the index behind it.
std::uint64_t Inspection::leaf(TreeRep& rep, std::uint64_t total, std::uint64_t index) {
    const Tree tree(segment_, rep);
    std::uint64_t at = rep.root, begin = 0, left = total, inside = index;
    for (std::uint64_t level = tree.checked_height(); level > 0; --level) {
        const NodeRep& node = *segment_.block<NodeRep>(at);
        const std::uint32_t n = Tree::child_count(node);
        std::uint32_t k = 0;
        while (k + 1 < n && node.before[k + 1] <= inside) ++k;
        look(2 + n / 2);
        const std::uint64_t first = node.before[k], end = k + 1 < n ? node.before[k + 1].get() : left;
        if (k == 0 && inside == first) {  // once for each node
            if (!block(at, sizeof(NodeRep), "list: node")) throw segment::Damage{"list: node outside the object"};
            if (node.before[0] != 0) throw segment::Damage{"list: counts of a node do not add up"};
            for (std::uint32_t i = 1; i < n; ++i)
                if (node.before[i] <= node.before[i - 1] || node.before[i] >= left)
                    throw segment::Damage{"list: counts of a node do not add up"};
        }
        if (first > inside || end <= inside || end > left) throw segment::Damage{"list: counts of a node do not add up"};
        begin += first;
        inside -= first;
        left = end - first;
        at = node.child[k];
    }
    if (left == 0 || left > leaf_capacity) throw segment::Damage{"list: a leaf of more items than it can hold"};
    if (!block(at, sizeof(LeafRep), "list: leaf")) throw segment::Damage{"list: leaf outside the object"};
    if (begin + left == total && rep.tail != 0 && (rep.tail != at || rep.tail_begin != begin))
        tell("I1", "list: the last leaf is another one");
    const LeafRep& leaf = *segment_.block<LeafRep>(at);
    for (std::uint64_t i = 0; i < left; ++i) {
        const std::uint64_t word = leaf.items[i];
        look(1);
        if (item::is_inline(word)) continue;
        look(1);
        block(item::block_of(word), item::block_size(segment_, word), "list: item");
    }
    return begin + left;
}

// The place to go on from stays good as long as the item there has not been taken: `gets` tells.
void Inspection::fifo(FifoRep& rep) {
    const Fifo fifo(segment_, rep);
    Fifo::Position place;
    std::uint64_t number = 0, seen = 0, chunk = 0;
    bool first = true, skipped = false;
    visit("I1", [&] {
        look(6);
        const std::uint64_t gets = rep.gets, puts = rep.puts;
        if (puts - gets > segment_.capacity() / 8) throw segment::Damage{"queue: more items than memory"};
        if (first || gets > number) {
            skipped = !first;
            first = false;
            place = fifo.begin();
            number = gets;
            chunk = 0;
            if ((rep.head_chunk != 0) != (rep.tail_chunk != 0)) throw segment::Damage{"queue: first and last chunk do not agree"};
            if (rep.head_chunk != 0) see_chunk(fifo, rep.head_chunk);
            chunk = rep.head_chunk;
        }
        for (; number != puts; ++number, ++seen) {
            if (!room(40)) return false;
            look(4);
            const Fifo::Record record = fifo.next(place);
            if (place.chunk != chunk) {
                chunk = place.chunk;
                see_chunk(fifo, chunk);
            }
            const std::uint64_t size = fifo.chunk(chunk).size;
            if (place.at < chunk + sizeof(ChunkRep) || place.at - chunk > size)
                throw segment::Damage{"queue: an item outside its chunk"};
            ++elements_;
            if (record.block != 0) block(record.block, record.size, "queue: item");
        }
        // What was put last ends where the next one goes.
        if (rep.tail_chunk != 0 && puts != gets && (place.chunk != rep.tail_chunk || place.at != rep.tail))
            tell("I1", "queue: the last item does not end at the tail");
        // An emptied chunk that the tail has left is still there until the next item is taken.
        if (undisturbed_ && chunk != 0 && chunk != rep.tail_chunk) complete_ = false;
        return true;
    });
    if (skipped) complete_ = false;
}

void Inspection::see_chunk(const Fifo& fifo, std::uint64_t at) {
    look(4);
    const std::uint64_t size = fifo.chunk(at).size;
    if (!block(at, size, "queue: chunk")) throw segment::Damage{"queue: chunk outside the object"};
}

void Inspection::leases(const QueueRep& root, const LeaseListRep& list, bool leased, const char* what) {
    const auto rep = [&](std::uint64_t at) -> const LeaseRep& { return *segment_.block<LeaseRep>(at); };
    std::uint64_t count = 0, before = 0;
    const bool whole = chain("I1", [&] { return list.head.get(); }, [&](std::uint64_t at) {
        const LeaseRep& lease = rep(at);
        block(at, sizeof(LeaseRep) + (lease.block != 0 ? 0 : lease.size.get()), what);
        if (lease.block != 0) block(lease.block, lease.block_size, what);
        if (lease.prev != before) tell("I1", std::string(what) + ": neighbours do not agree");
        if ((lease.id != 0) != leased) tell("I1", std::string(what) + ": in the wrong list");
        if (leased && (lease.id <= root.cleared || lease.id > root.leases))
            tell("I1", std::string(what) + ": its number is none");
        ++count;
        before = at;
        return lease.next.get();
    });
    if (!whole) complete_ = false;
    visit("I1", [&] {
        if (whole && undisturbed_ && sound_ && (count != list.count || before != list.tail))
            tell("I1", std::string(what) + ": count or last one differ from the list");
        return true;
    });
}

}  // namespace muster::containers
