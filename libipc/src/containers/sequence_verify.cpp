#include "containers/sequence.hpp"

namespace muster::containers {
namespace {

class TreeWalk {
  public:
    TreeWalk(const Segment& segment, Audit& audit, const Violation& violation)
        : segment_(segment), audit_(audit), violation_(violation) {}

    // A whole tree of `total` items.
    void tree(TreeRep& rep, std::uint64_t total) {
        if ((rep.root != 0) != (total != 0)) violation_("list: size and tree do not agree");
        if (rep.root != 0) node(rep.root, Tree(segment_, rep).checked_height(), total);
        if (items != total) violation_("list: number of items differs from its size");
        if (rep.tail != 0 && (rep.tail != last_leaf || rep.tail_begin != last_begin))
            violation_("list: the last leaf is another one");
    }

    // `total` items below `at`; without them, for the nodes of a tree whose items are another's.
    void node(std::uint64_t at, std::uint64_t level, std::optional<std::uint64_t> total) {
        if (level == 0) return leaf(at, total);
        audit_.block(at, sizeof(NodeRep), "list: node");
        const NodeRep& node = *segment_.block<NodeRep>(at);
        const std::uint32_t n = Tree::child_count(node);
        for (std::uint32_t k = 0; k < n; ++k) {
            if (!total) {
                this->node(node.child[k], level - 1, {});
                continue;
            }
            const std::uint64_t begin = node.before[k], end = k + 1 < n ? node.before[k + 1].get() : *total;
            if ((k == 0 && begin != 0) || end <= begin || end > *total)
                violation_("list: counts of a node do not add up");
            else
                this->node(node.child[k], level - 1, end - begin);
        }
    }

  private:
    // The last one seen, and the index of its first item.
    std::uint64_t last_leaf = 0, last_begin = 0, items = 0;

    void leaf(std::uint64_t at, std::optional<std::uint64_t> total) {
        audit_.block(at, sizeof(LeafRep), "list: leaf");
        if (!total) return;
        last_leaf = at;
        last_begin = items;
        if (*total == 0 || *total > leaf_capacity) return violation_("list: a leaf of more items than it can hold");
        const LeafRep& leaf = *segment_.block<LeafRep>(at);
        for (std::uint64_t i = 0; i < *total; ++i) {
            const std::uint64_t word = leaf.items[i];
            if (!item::is_inline(word))
                audit_.block(item::block_of(word), item::block_size(segment_, word), "list: item");
        }
        items += *total;
    }

    const Segment& segment_;
    Audit& audit_;
    const Violation& violation_;
};

}  // namespace

void verify_tree(const Segment& segment, TreeRep& rep, std::uint64_t total, Audit& audit, const Violation& violation) {
    TreeWalk(segment, audit, violation).tree(rep, total);
}

void Sequence::verify(const Violation& violation) const {
    const ObjectLock held = lock(base::Deadline::after(heap::inspection_patience));
    try {
        Audit audit(held, violation);
        TreeWalk walk(segment_, audit, violation);
        const TreeRep& spare = rep_.spare;
        walk.tree(rep_.main, total());
        if (spare.root != 0) walk.node(spare.root, Tree(segment_, rep_.spare).checked_height(), {});
        audit.finish();
    } catch (const segment::Damage& damage) {
        violation(damage.what);
    }
}

}  // namespace muster::containers
