// The tree of a list: leaves of 64 item words, inner nodes of up to 84 children, found by index.
//
// A node keeps, for each child, how many items stand before it in the node; the number of items in a node is known from
// its parent, that of the root from the list. Hence appending changes no node at all until a leaf is full: the word
// behind the last one is nobody's yet, is written without a log (I3), and becomes an item when the list's size is set.
// There is no minimum fill: two neighbours that fit well into one are merged when one of them shrinks.
// Thread safety: Tree reads, under tx::read_validated or the object's lock; TreeEdit needs the object's lock.
#pragma once

#include "containers/item.hpp"

namespace muster::containers {

using heap::Heap;
using segment::Segment;
using tx::Cell;
using tx::Tx;

inline constexpr std::uint32_t leaf_capacity = 64, node_capacity = 84, max_height = 10;
inline constexpr std::uint64_t max_items = 0xffff'ffff;

struct LeafRep {
    std::array<Cell<std::uint64_t>, leaf_capacity> items;
};
static_assert(sizeof(LeafRep) == 512);

struct NodeRep {
    Cell<std::uint32_t> count;  // children
    std::uint32_t reserved0;
    std::uint64_t reserved1;
    std::array<Cell<std::uint32_t>, node_capacity> before;  // items of this node before each child; before[0] = 0
    std::array<Cell<std::uint64_t>, node_capacity> child;   // leaves at level 1, nodes above
};
static_assert(sizeof(NodeRep) == 1024 && offsetof(NodeRep, before) == 16 && offsetof(NodeRep, child) == 352);

struct TreeRep {
    Cell<std::uint64_t> root;        // 0: empty
    Cell<std::uint64_t> height;      // 0: the root is a leaf
    Cell<std::uint64_t> tail;        // the last leaf, 0 when it is not known
    Cell<std::uint64_t> tail_begin;  // the index of its first item
};
static_assert(sizeof(TreeRep) == 32);

// An item's place: `at` < `count` in a leaf whose first item has the index `begin`.
struct Place {
    std::uint64_t leaf = 0, begin = 0;
    std::uint32_t at = 0, count = 0;
};

class Tree {
  public:
    Tree(const Segment& segment, TreeRep& rep) noexcept : segment_(segment), rep_(rep) {}

    // `total` items are in the tree, `index` is below that. Bounded whatever the memory holds; Damage when it lies.
    Place locate(std::uint64_t total, std::uint64_t index) const {
        const std::uint64_t tail = rep_.tail, tail_begin = rep_.tail_begin;
        if (tail != 0 && index >= tail_begin)
            return leaf_place(tail, tail_begin, total - tail_begin, index - tail_begin);
        std::uint64_t at = rep_.root, begin = 0;
        for (std::uint64_t level = checked_height(); level > 0; --level) {
            const NodeRep& node = *segment_.block<NodeRep>(at);
            const std::uint32_t n = child_count(node), k = child_of(node, n, total, index);
            const std::uint64_t before = node.before[k], end = k + 1 < n ? node.before[k + 1].get() : total;
            if (before > index || end <= index || end > total) throw segment::Damage{"list: counts of a node"};
            begin += before;
            index -= before;
            total = end - before;
            at = node.child[k];
        }
        return leaf_place(at, begin, total, index);
    }
    Cell<std::uint64_t>& slot(const Place& place) const { return segment_.block<LeafRep>(place.leaf)->items[place.at]; }

    std::uint64_t checked_height() const {
        const std::uint64_t height = rep_.height;
        if (height > max_height) throw segment::Damage{"list: height of the tree"};
        return height;
    }
    static std::uint32_t child_count(const NodeRep& node) {
        const std::uint32_t n = node.count;
        if (n == 0 || n > node_capacity) throw segment::Damage{"list: children of a node"};
        return n;
    }

  protected:
    // The child that holds `index`: a guess, as if all were equally full, then a step or two.
    static std::uint32_t child_of(const NodeRep& node, std::uint32_t n, std::uint64_t total, std::uint64_t index) {
        if (index >= total) throw segment::Damage{"list: counts of a node"};
        auto k = static_cast<std::uint32_t>(index * n / total);
        if (k >= n) k = n - 1;
        while (k > 0 && node.before[k] > index) --k;
        while (k + 1 < n && node.before[k + 1] <= index) ++k;
        return k;
    }
    static Place leaf_place(std::uint64_t leaf, std::uint64_t begin, std::uint64_t count, std::uint64_t at) {
        if (count > leaf_capacity || at >= count) throw segment::Damage{"list: items of a leaf"};
        return {leaf, begin, static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(count)};
    }

    const Segment& segment_;
    TreeRep& rep_;
};

// One edit of a tree within one Tx: one insert, or one erase, or many appends, or many drops. Never an erase and then
// an append: the word behind the last item must be the one that a roll-back needs, or nobody's.
// Blocks that fall out of use are freed by finish(), which comes last but for the caller's own free().
class TreeEdit : public Tree {
  public:
    TreeEdit(const Segment& segment, TreeRep& rep, Tx& tx, Heap& heap) noexcept
        : Tree(segment, rep), tx_(tx), heap_(heap), run_(heap, tx) {}

    Heap::Run& run() noexcept { return run_; }

    // The list's size is the caller's: `total` is the number of items before, to be set in the same Tx.
    static constexpr std::uint64_t append_entries = 40;  // most often none
    void append(std::uint64_t total, std::uint64_t item);
    // A new last leaf; `count` is 1..64 and `total` a tree whose last leaf shall stay as it is.
    void append_leaf(std::uint64_t total, const std::uint64_t* items, std::uint32_t count);
    static constexpr std::uint64_t edit_entries = 212;  // a tree of the greatest height; of a million items: 80
    void insert(std::uint64_t total, std::uint64_t index, std::uint64_t item);
    // Takes the item out and returns its word; its block is the caller's.
    std::uint64_t erase(std::uint64_t total, std::uint64_t index);
    // Without any new memory, for more log entries. Throws heap::OutOfMemory when the log is too short for it.
    std::uint64_t erase_in_place(std::uint64_t total, std::uint64_t index);
    static constexpr std::uint64_t drop_entries = 50;
    // Takes the last leaf away; what its items name is the caller's.
    void drop_last_leaf();

    void finish();

  private:
    struct Step {
        NodeRep* node = nullptr;
        std::uint64_t offset = 0, total = 0;
        std::uint32_t count = 0, k = 0;
    };
    struct Piece {
        std::uint64_t node = 0, items = 0;
    };
    struct Change {  // of `removed` children from k on into `pieces`
        Piece pieces[2] = {};
        std::uint32_t made = 0, removed = 1;
        std::int64_t delta = 0;  // items more than before
        bool at_front = false;   // of the whole list: then full nodes are cut unevenly
    };
    struct Image;

    void shift_before(const Step& step, std::uint32_t from, std::uint32_t to, std::uint32_t skip, std::int64_t delta);
    Place descend(std::uint64_t total, std::uint64_t index);
    std::uint64_t items_of_child(const Step& step, std::uint32_t k) const;
    std::uint64_t new_leaf(const std::uint64_t* items, std::uint32_t count);
    std::uint64_t new_node(const Image& image, std::uint32_t from, std::uint32_t to);
    void replace(Change change);
    bool change_in_place(const Step& step, const Change& change);
    void merge_with_sibling(Image& image, std::uint64_t level, Change& up);
    void collapse_root();
    void shift_tail(std::int64_t delta);
    void dead(std::uint64_t block, std::uint64_t size);

    Tx& tx_;
    Heap& heap_;
    Heap::Run run_;
    std::array<Step, max_height + 1> path_{};  // by level, from 1
    struct Dead {
        std::uint64_t block, size;
    };
    std::array<Dead, 2 * max_height + 4> dead_;
    std::uint32_t dead_count_ = 0;
};

}  // namespace muster::containers
