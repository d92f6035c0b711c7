// The inner nodes of a list's tree: how a change of a leaf is carried up.
#include "containers/sequence_tree.hpp"

namespace muster::containers {
namespace {

// Up to so many words are logged where they stand; for more the node is copied.
constexpr std::uint32_t words_in_place = 18;
// A node that shrinks to `small` joins a neighbour if both together stay below `merged`.
constexpr std::uint32_t small_node = 28, merged_node = 63;

}  // namespace

// A node's children, in private memory while they are rearranged; one more than a node holds.
struct TreeEdit::Image {
    std::uint32_t count = 0;
    std::uint32_t before[node_capacity + 2];
    std::uint64_t child[node_capacity + 2];

    Image(const NodeRep& node, std::uint32_t n) noexcept : count(n) {  // under the lock: nobody writes
        std::memcpy(before, static_cast<const void*>(node.before.data()), n * sizeof before[0]);
        std::memcpy(child, static_cast<const void*>(node.child.data()), n * sizeof child[0]);
    }
    void splice(std::uint32_t k, const Change& change) noexcept {
        const std::uint32_t from = k + change.removed, to = k + change.made, rest = count - from;
        const std::uint32_t begin = before[k];
        std::memmove(child + to, child + from, rest * sizeof child[0]);
        std::memmove(before + to, before + from, rest * sizeof before[0]);
        for (std::uint32_t i = to; i < to + rest; ++i) before[i] += static_cast<std::uint32_t>(change.delta);
        for (std::uint32_t i = 0, at = begin; i < change.made; ++i) {
            before[k + i] = at;
            child[k + i] = change.pieces[i].node;
            at += static_cast<std::uint32_t>(change.pieces[i].items);
        }
        count = to + rest;
    }
    // `total`: the items here.
    void append(const NodeRep& node, std::uint32_t n, std::uint64_t total) noexcept {
        for (std::uint32_t i = 0; i < n; ++i) {
            before[count + i] = static_cast<std::uint32_t>(total) + node.before[i];
            child[count + i] = node.child[i];
        }
        count += n;
    }
};

std::uint64_t TreeEdit::new_node(const Image& image, std::uint32_t from, std::uint32_t to) {
    const std::uint64_t offset = run_.allocate(sizeof(NodeRep));
    NodeRep& node = *segment_.block<NodeRep>(offset);
    std::uint32_t before[node_capacity];
    for (std::uint32_t i = from; i < to; ++i) before[i - from] = image.before[i] - image.before[from];
    Tx::init(node.count, to - from);
    Tx::init_bytes(node.before.data(), before, (to - from) * sizeof before[0]);
    Tx::init_bytes(node.child.data(), image.child + from, (to - from) * sizeof image.child[0]);
    return offset;
}

// before[i] = before[i + skip] + delta for all i in [from, to), where they stand; 8 bytes a log entry.
void TreeEdit::shift_before(const Step& step, std::uint32_t from, std::uint32_t to, std::uint32_t skip,
                            std::int64_t delta) {
    if (from >= to) return;
    const std::uint32_t first = from & ~1u, end = (to + 1) & ~1u;  // whole words
    std::uint32_t before[node_capacity];
    for (std::uint32_t i = first; i < end; ++i)
        before[i - first] = i < from || i >= to
                                ? step.node->before[i].get()
                                : step.node->before[i + skip] + static_cast<std::uint32_t>(delta);
    tx_.write(&step.node->before[first], before, (end - first) * sizeof before[0]);
}

bool TreeEdit::change_in_place(const Step& step, const Change& change) {
    if ((step.count - step.k) / 2 + 1 > words_in_place) return false;
    if (step.node->child[step.k] != change.pieces[0].node) tx_.set(step.node->child[step.k], change.pieces[0].node);
    shift_before(step, step.k + 1, step.count, 0, change.delta);
    return true;
}

// Carries a change of a leaf up to the root.
void TreeEdit::replace(Change change) {
    const std::uint64_t height = checked_height();
    bool shrunk = false;
    for (std::uint64_t level = 1; level <= height; ++level) {
        Step& step = path_[level];
        const std::uint64_t total = step.total + static_cast<std::uint64_t>(change.delta);
        if (change.made == 1 && change.removed == 1 && change_in_place(step, change)) {
            change.pieces[0] = {step.offset, total};
            continue;
        }
        Image image(*step.node, step.count);
        image.splice(step.k, change);
        dead(step.offset, sizeof(NodeRep));
        Change up{.made = 1, .delta = change.delta, .at_front = change.at_front};
        if (image.count == 0) {
            up.made = 0;
        } else if (image.count > node_capacity) {
            const std::uint32_t cut = change.at_front ? 1 : image.count / 2;
            up.made = 2;
            up.pieces[0] = {new_node(image, 0, cut), image.before[cut]};
            up.pieces[1] = {new_node(image, cut, image.count), total - image.before[cut]};
        } else {
            up.pieces[0].items = total;
            if (change.made < change.removed) {
                shrunk = true;
                if (image.count <= small_node && level < height) merge_with_sibling(image, level, up);
            }
            up.pieces[0].node = new_node(image, 0, image.count);
        }
        change = up;
    }
    if (change.made == 2) {
        if (height >= max_height) throw segment::Damage{"list: height of the tree"};
        const std::uint64_t offset = run_.allocate(sizeof(NodeRep));
        NodeRep& node = *segment_.block<NodeRep>(offset);
        Tx::init(node.count, 2);
        Tx::init(node.before[0], 0);
        Tx::init(node.before[1], static_cast<std::uint32_t>(change.pieces[0].items));
        Tx::init(node.child[0], change.pieces[0].node);
        Tx::init(node.child[1], change.pieces[1].node);
        tx_.set(rep_.root, offset);
        tx_.set(rep_.height, height + 1);
        return;
    }
    const std::uint64_t root = change.made == 0 ? 0 : change.pieces[0].node;
    if (rep_.root != root) tx_.set(rep_.root, root);
    if (root == 0 && height != 0) tx_.set(rep_.height, 0);
    if (shrunk) collapse_root();
}

void TreeEdit::merge_with_sibling(Image& image, std::uint64_t level, Change& up) {
    Step& parent = path_[level + 1];
    for (const int side : {1, -1}) {
        if (side < 0 ? parent.k == 0 : parent.k + 1 >= parent.count) continue;
        const std::uint32_t with = parent.k + static_cast<std::uint32_t>(side);
        const std::uint64_t offset = parent.node->child[with], items = items_of_child(parent, with);
        const NodeRep& sibling = *segment_.block<NodeRep>(offset);
        const std::uint32_t n = child_count(sibling);
        if (n + image.count > merged_node) continue;
        if (side > 0) {
            image.append(sibling, n, up.pieces[0].items);
        } else {
            Image both(sibling, n);
            for (std::uint32_t i = 0; i < image.count; ++i) {
                both.before[n + i] = static_cast<std::uint32_t>(items) + image.before[i];
                both.child[n + i] = image.child[i];
            }
            both.count += image.count;
            image = both;
            --parent.k;
        }
        dead(offset, sizeof(NodeRep));
        up.removed = 2;
        up.pieces[0].items += items;
        return;
    }
}

// One level of the tree when its root has one child. More wait for later shrinking.
void TreeEdit::collapse_root() {
    if (rep_.height == 0) return;
    const std::uint64_t root = rep_.root;
    const NodeRep& node = *segment_.block<NodeRep>(root);
    if (node.count != 1) return;
    tx_.set(rep_.root, node.child[0]);
    tx_.set(rep_.height, rep_.height - 1);
    dead(root, sizeof(NodeRep));
}

}  // namespace muster::containers
