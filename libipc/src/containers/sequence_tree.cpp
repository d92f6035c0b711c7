#include "containers/sequence_tree.hpp"

#include <algorithm>

namespace muster::containers {
namespace {

// A leaf that shrinks to `small` joins a neighbour if both together stay below `merged`.
constexpr std::uint32_t small_leaf = 32, merged_leaf = 48;

}  // namespace

Place TreeEdit::descend(std::uint64_t total, std::uint64_t index) {
    std::uint64_t at = rep_.root, begin = 0;
    for (std::uint64_t level = checked_height(); level > 0; --level) {
        NodeRep& node = *segment_.block<NodeRep>(at);
        Step& step = path_[level];
        step = {&node, at, total, child_count(node), 0};
        step.k = child_of(node, step.count, total, index);
        total = items_of_child(step, step.k);
        begin += node.before[step.k];
        index -= node.before[step.k];
        at = node.child[step.k];
    }
    return leaf_place(at, begin, total, index);
}

std::uint64_t TreeEdit::items_of_child(const Step& step, std::uint32_t k) const {
    const std::uint64_t before = step.node->before[k];
    const std::uint64_t end = k + 1 < step.count ? step.node->before[k + 1].get() : step.total;
    if (before > end || end > step.total) throw segment::Damage{"list: counts of a node"};
    return end - before;
}

std::uint64_t TreeEdit::new_leaf(const std::uint64_t* items, std::uint32_t count) {
    const std::uint64_t leaf = run_.allocate(sizeof(LeafRep));
    Tx::init_bytes(segment_.block<LeafRep>(leaf)->items.data(), items, count * sizeof items[0]);
    return leaf;
}

void TreeEdit::append(std::uint64_t total, std::uint64_t item) {
    if (total != 0 && rep_.tail == 0) {
        const Place last = locate(total, total - 1);
        tx_.set(rep_.tail, last.leaf);
        tx_.set(rep_.tail_begin, last.begin);
    }
    if (total == 0 || total - rep_.tail_begin >= leaf_capacity) return append_leaf(total, &item, 1);
    Tx::init(segment_.block<LeafRep>(rep_.tail)->items[total - rep_.tail_begin], item);
}

void TreeEdit::append_leaf(std::uint64_t total, const std::uint64_t* items, std::uint32_t count) {
    const std::uint64_t leaf = new_leaf(items, count);
    if (total == 0) {
        tx_.set(rep_.root, leaf);
        if (rep_.height != 0) tx_.set(rep_.height, 0);
    } else {
        NodeRep* spine[max_height + 1];
        std::uint64_t begin[max_height + 1];
        const std::uint64_t height = checked_height();
        std::uint64_t at = rep_.root, before = 0;
        for (std::uint64_t level = height; level > 0; --level) {
            spine[level] = segment_.block<NodeRep>(at);
            begin[level] = before;
            const std::uint32_t last = child_count(*spine[level]) - 1;
            before += spine[level]->before[last];
            at = spine[level]->child[last];
        }
        std::uint64_t chain = leaf, level = 1;
        const auto only_child = [&](std::uint64_t child) {
            const std::uint64_t offset = run_.allocate(sizeof(NodeRep));
            NodeRep& node = *segment_.block<NodeRep>(offset);
            Tx::init(node.count, 1);
            Tx::init(node.before[0], 0);
            Tx::init(node.child[0], child);
            return offset;
        };
        for (; level <= height && spine[level]->count == node_capacity; ++level) chain = only_child(chain);
        NodeRep* joint = level <= height ? spine[level] : nullptr;
        std::uint64_t first = 0;
        if (joint == nullptr) {
            if (height >= max_height) throw segment::Damage{"list: height of the tree"};
            const std::uint64_t root = only_child(rep_.root);
            joint = segment_.block<NodeRep>(root);
            tx_.set(rep_.root, root);
            tx_.set(rep_.height, height + 1);
        } else {
            first = begin[level];
        }
        // I3: behind the last child the node's words are nobody's, until `count` says otherwise.
        const std::uint32_t n = joint->count;
        Tx::init(joint->before[n], static_cast<std::uint32_t>(total - first));
        Tx::init(joint->child[n], chain);
        tx_.set(joint->count, n + 1);
    }
    tx_.set(rep_.tail, leaf);
    tx_.set(rep_.tail_begin, total);
}

void TreeEdit::insert(std::uint64_t total, std::uint64_t index, std::uint64_t item) {
    if (index == total) return append(total, item);
    // Behind the item before it, so that runs of inserts fill a leaf from its end.
    Place place = descend(total, index == 0 ? 0 : index - 1);
    std::uint32_t at = index == 0 ? 0 : place.at + 1, count = place.count;
    Change change{.pieces = {{place.leaf, count + 1}}, .made = 1, .delta = 1, .at_front = index == 0};
    const auto copied = [&](std::uint64_t* items) {  // the leaf's items and the new one
        const LeafRep& leaf = *segment_.block<LeafRep>(place.leaf);
        std::memcpy(items, static_cast<const void*>(leaf.items.data()), at * sizeof items[0]);
        items[at] = item;
        std::memcpy(items + at + 1, static_cast<const void*>(leaf.items.data() + at), (count - at) * sizeof items[0]);
        dead(place.leaf, sizeof(LeafRep));
    };
    std::uint64_t items[leaf_capacity + 1];
    const bool behind = at == leaf_capacity;
    Step& parent = path_[1];
    if (behind && rep_.height > 0 && parent.k + 1 < parent.count &&
        items_of_child(parent, parent.k + 1) < leaf_capacity) {
        ++parent.k;
        at = 0;
        count = static_cast<std::uint32_t>(items_of_child(parent, parent.k));
        place.leaf = parent.node->child[parent.k];
        copied(items);
        change.pieces[0] = {new_leaf(items, count + 1), count + 1};
    } else if (count < leaf_capacity && at == count) {
        Tx::init(segment_.block<LeafRep>(place.leaf)->items[at], item);  // I3: behind the last one
    } else if (count < leaf_capacity) {
        copied(items);
        change.pieces[0].node = new_leaf(items, count + 1);
    } else if (behind || index == 0) {
        change.made = 2;
        change.pieces[behind ? 0 : 1] = {place.leaf, count};
        change.pieces[behind ? 1 : 0] = {new_leaf(&item, 1), 1};
    } else {
        copied(items);
        const std::uint32_t cut = (count + 1) / 2;
        change.made = 2;
        change.pieces[0] = {new_leaf(items, cut), cut};
        change.pieces[1] = {new_leaf(items + cut, count + 1 - cut), count + 1 - cut};
    }
    replace(change);
    shift_tail(1);
}

std::uint64_t TreeEdit::erase(std::uint64_t total, std::uint64_t index) {
    if (index + 1 == total) {
        const Place last = locate(total, index);
        const std::uint64_t item = slot(last);
        if (last.count == 1) drop_last_leaf();
        return item;
    }
    const Place place = descend(total, index);
    const std::uint64_t item = slot(place);
    const std::uint32_t rest = place.count - 1;
    Change change{.pieces = {{place.leaf, rest}}, .made = 1, .delta = -1};
    std::uint64_t items[leaf_capacity];
    const auto copy = [&](std::uint64_t offset, std::uint32_t from, std::uint32_t to, std::uint32_t n) {
        const LeafRep& leaf = *segment_.block<LeafRep>(offset);
        std::memcpy(items + to, static_cast<const void*>(leaf.items.data() + from), n * sizeof items[0]);
    };
    const auto copy_rest = [&](std::uint32_t to) {
        copy(place.leaf, 0, to, place.at);
        copy(place.leaf, place.at + 1, to + place.at, rest - place.at);
        dead(place.leaf, sizeof(LeafRep));
    };
    Step& parent = path_[1];
    const auto join = [&](std::uint32_t with) {  // the neighbour `with` is k + 1 or k - 1
        const auto n = static_cast<std::uint32_t>(items_of_child(parent, with));
        const std::uint64_t neighbour = parent.node->child[with];
        const bool right = with > parent.k;
        copy_rest(right ? 0 : n);
        copy(neighbour, 0, right ? rest : 0, n);
        dead(neighbour, sizeof(LeafRep));
        parent.k = std::min(with, parent.k);
        change.removed = 2;
        change.pieces[0] = {new_leaf(items, rest + n), rest + n};
    };
    const auto fits = [&](std::uint32_t with) { return items_of_child(parent, with) + rest <= merged_leaf; };
    if (rest == 0) {
        change.made = 0;
        dead(place.leaf, sizeof(LeafRep));
    } else if (rest <= small_leaf && rep_.height > 0 && parent.k + 1 < parent.count && fits(parent.k + 1)) {
        join(parent.k + 1);
    } else if (rest <= small_leaf && rep_.height > 0 && parent.k > 0 && fits(parent.k - 1)) {
        join(parent.k - 1);
    } else if (place.at != rest) {
        copy_rest(0);
        change.pieces[0].node = new_leaf(items, rest);
    }
    replace(change);
    shift_tail(-1);
    return item;
}

std::uint64_t TreeEdit::erase_in_place(std::uint64_t total, std::uint64_t index) {
    if (index + 1 == total) return erase(total, index);
    const Place place = descend(total, index);
    const std::uint64_t item = slot(place), height = checked_height();
    std::uint64_t entries = TreeEdit::drop_entries + leaf_capacity;
    for (std::uint64_t level = 1; level <= height; ++level) entries += (path_[level].count - path_[level].k) / 2 + 1;
    std::uint64_t level = 1;
    if (place.count == 1) {
        dead(place.leaf, sizeof(LeafRep));
        for (; level < height && path_[level].count == 1; ++level) dead(path_[level].offset, sizeof(NodeRep));
        const Step& step = path_[level];
        const std::uint32_t rest = step.count - step.k - 1;
        if ((entries += rest) > tx_.entries_left()) throw heap::OutOfMemory{sizeof(LeafRep)};
        std::uint64_t child[node_capacity];
        std::memcpy(child, static_cast<const void*>(&step.node->child[step.k] + 1), rest * sizeof child[0]);
        tx_.write(&step.node->child[step.k], child, rest * sizeof child[0]);
        shift_before(step, step.k, step.count - 1, 1, -1);
        tx_.set(step.node->count, step.count - 1);
        ++level;
    } else {
        if (entries > tx_.entries_left()) throw heap::OutOfMemory{sizeof(LeafRep)};
        LeafRep& leaf = *segment_.block<LeafRep>(place.leaf);
        const std::uint32_t rest = place.count - place.at - 1;
        std::uint64_t items[leaf_capacity];
        std::memcpy(items, static_cast<const void*>(&leaf.items[place.at] + 1), rest * sizeof items[0]);
        tx_.write(&leaf.items[place.at], items, rest * sizeof items[0]);
    }
    for (; level <= height; ++level) shift_before(path_[level], path_[level].k + 1, path_[level].count, 0, -1);
    shift_tail(-1);
    return item;
}

void TreeEdit::drop_last_leaf() {
    std::uint64_t nodes[max_height + 1];
    const std::uint64_t height = checked_height();
    std::uint64_t at = rep_.root, level = 1;
    for (std::uint64_t l = height; l > 0; --l) {
        nodes[l] = at;
        NodeRep& node = *segment_.block<NodeRep>(at);
        at = node.child[child_count(node) - 1];
    }
    dead(at, sizeof(LeafRep));
    for (; level <= height; ++level) {
        NodeRep& node = *segment_.block<NodeRep>(nodes[level]);
        if (node.count > 1) {
            tx_.set(node.count, node.count - 1);
            break;
        }
        dead(nodes[level], sizeof(NodeRep));
    }
    if (level > height) {
        tx_.set(rep_.root, 0);
        if (height != 0) tx_.set(rep_.height, 0);
    } else {
        collapse_root();
    }
    if (rep_.tail != 0) tx_.set(rep_.tail, 0);
}

void TreeEdit::shift_tail(std::int64_t delta) {
    if (rep_.tail != 0) tx_.set(rep_.tail_begin, rep_.tail_begin + static_cast<std::uint64_t>(delta));
}

void TreeEdit::dead(std::uint64_t block, std::uint64_t size) {
    MUSTER_CHECK(dead_count_ < dead_.size());
    dead_[dead_count_++] = {block, size};
    if (block == rep_.tail) tx_.set(rep_.tail, 0);
}

void TreeEdit::finish() {
    run_.finish();
    for (std::uint32_t i = 0; i < dead_count_; ++i) heap_.free(tx_, dead_[i].block, dead_[i].size);
    dead_count_ = 0;
}

}  // namespace muster::containers
