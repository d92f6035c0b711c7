// The representation of a list: byte strings by index, in a tree (sequence_tree.hpp).
//
// Access, append, insert and erase anywhere are O(log n); what rearranges many items (splice, sort, reverse) builds a
// second tree of the same items and swaps the two with one small Tx. Every change is atomic, of any size. Items behind
// the size (`surplus`) and the second tree (`spare`) belong to a change that is under way, or whose author died:
// the next change drops them first, in bounded steps.
//
// Changes take the object's lock, so that a caller can do several as one; reads lock nothing unless writers keep
// getting in between, and may also be called by the lock's holder. Indices are 0..size-1: signs and clamping are the
// handle's.
// Throws: heap::Destroyed, heap::OutOfMemory (the list is as before), TooManyItems, segment::Damage, tx::Busy (lock()).
// Thread safety: any number of threads, with a lock each; a Sequence itself is constant.
#pragma once

#include <functional>
#include <optional>

#include <muster/detail/object.hpp>

#include "containers/audit.hpp"
#include "containers/sequence_tree.hpp"

namespace muster::containers {

using heap::ObjectLock;
using muster::detail::Strings;

// In ObjectRep::root. All zero: an empty list.
struct alignas(64) SequenceRep {
    Cell<std::uint64_t> size;
    Cell<std::uint64_t> surplus;  // items behind the last one: not there yet, or no longer
    TreeRep main;                 // of size + surplus items
    std::uint64_t reserved0[2];
    TreeRep spare;                // nodes and leaves only, their items are not its own
    std::uint64_t reserved1[4];
};
static_assert(sizeof(SequenceRep) == 128 && offsetof(SequenceRep, main) == 16 && offsetof(SequenceRep, spare) == 64);

// Tells the audit of every block of a tree of `total` items, and of what is wrong with it. May throw Damage.
void verify_tree(const Segment& segment, TreeRep& rep, std::uint64_t total, Audit& audit, const Violation& violation);

struct TooManyItems {};  // more than max_items

class Sequence {
  public:
    Sequence(const Segment& segment, heap::ObjectRef ref);

    ObjectLock lock() const { return {segment_, ref_}; }
    ObjectLock lock(base::Deadline deadline) const { return {segment_, ref_, deadline}; }

    // --- reading ---
    std::uint64_t size() const;
    // False: no such index; what `out` holds then is not said.
    bool get(std::uint64_t index, Buffer& out) const;
    // Items [from, to) cut to what there is, all as of one moment.
    void read(std::uint64_t from, std::uint64_t to, Strings& out) const;
    // The first index in [from, to) whose bytes `match`, in the list as of one moment. `match` runs without a lock of
    // ours, and possibly more often than there are items.
    std::optional<std::uint64_t> find(std::uint64_t from, std::uint64_t to,
                                      const std::function<bool(Bytes)>& match) const;
    // Changes with every change of the list.
    std::uint64_t version() const noexcept { return tx::sequence_of(object_.domain); }

    // --- changing, under the lock ---
    void push_back(ObjectLock& lock, Bytes value);
    // Before `index`; index <= size.
    void insert(ObjectLock& lock, std::uint64_t index, Bytes value);
    // False: no such index; nothing has changed.
    bool set(ObjectLock& lock, std::uint64_t index, Bytes value);
    bool erase(ObjectLock& lock, std::uint64_t index);
    // `out` may be changed on failure. False, too, and the item stays, when `accept()`, which may look at `out`, is false.
    bool pop(ObjectLock& lock, std::uint64_t index, Buffer& out, const std::function<bool()>& accept = {});
    void extend(ObjectLock& lock, const Strings& values);
    // Items [from, to) give way to `values`; from <= to <= size.
    void splice(ObjectLock& lock, std::uint64_t from, std::uint64_t to, const Strings& values);
    // The general one. Of the list followed by `added`, item order[i] comes to stand at i; `order` is a permutation of
    // 0..size+added-1. Then the first `keep` remain.
    void rearrange(ObjectLock& lock, const Strings& added, std::span<const std::uint32_t> order, std::uint64_t keep);
    void reverse(ObjectLock& lock);
    // The list so many times over; 0: it is empty.
    void repeat(ObjectLock& lock, std::uint64_t times);
    void replace_all(ObjectLock& lock, const Strings& values);
    void clear(ObjectLock& lock);

    // --- as parts of a larger change, under the caller's lock (heap::mutate_together) ---
    // Before it, a change of its own that nobody sees: `values` stand behind the last item. Whatever else changes the list
    // drops them, and so does drop_staged() (also what resize_within() left behind the size).
    void stage(ObjectLock& lock, const Strings& values);
    void drop_staged(ObjectLock& lock) { tidy(lock); }
    // index < size. Logs at most 16 words and those overwritten in place.
    void set_within(Tx& tx, Heap& heap, std::uint64_t index, Bytes value);
    // So many of those that were and of those staged: 2 words.
    void resize_within(Tx& tx, std::uint64_t size);

    // One violation a line, the heap's too. Takes the lock; throws tx::Busy when it cannot have it soon.
    void verify(const Violation& violation) const;

  private:
    Tree tree() const noexcept { return {segment_, rep_.main}; }
    // Of the list and behind it: each is a word in a leaf, so there is an end to them.
    std::uint64_t total() const {
        const std::uint64_t size = rep_.size, surplus = rep_.surplus, most = segment_.capacity() / sizeof(std::uint64_t);
        if (__builtin_expect(size > most || surplus > most, false)) throw segment::Damage{"list: size"};
        return size + surplus;
    }
    void check_alive() const;
    std::uint64_t copy(std::uint64_t from, std::uint64_t to, std::uint64_t most_bytes,
                       std::optional<std::uint64_t> sequence, Strings& out) const;
    void tidy(ObjectLock& lock) {
        if (__builtin_expect(rep_.surplus != 0 || rep_.spare.root != 0, false)) finish_pending(lock);
    }
    void finish_pending(ObjectLock& lock);
    void append_all(ObjectLock& lock, const Strings& values, bool visible, std::uint64_t times = 1);
    void swap_trees(ObjectLock& lock, const std::uint64_t* items, std::uint64_t count, std::uint64_t keep);
    void take(ObjectLock& lock, std::uint64_t index);
    void give_memory_back(ObjectLock& lock);

    const Segment& segment_;
    heap::ObjectRef ref_;
    heap::ObjectRep& object_;
    SequenceRep& rep_;
};

}  // namespace muster::containers
