// One object looked at in pieces while others change it: what can be said of each entry, item, node, chunk and extent by
// itself and its neighbours, which holds whenever the object's lock is free. Where nothing has changed from the first piece
// to the last, sizes and counts are compared, too: then it says what verify() says, but that no two blocks overlap.
//
// Under one lock at most words_per_visit words are looked at, or one element alone that has more (a long key, and the slots of its
// search): no longer than an ordinary change takes, which copies an item of 8 KiB. Entries that come or go meanwhile are seen or not; who
// was there all the while is seen. Of lists that have no order to go on by (free blocks, leases) a busy object shows the
// beginning only.
// Invariants looked at: I1 (structures), I6 (memory). Thread safety: one thread; takes and releases the object's lock, for
// at most inspection_patience each time. Throws heap::Destroyed, tx::Busy; Damage is told as a violation.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "containers/queue.hpp"
#include "containers/sequence.hpp"
#include "containers/table.hpp"

namespace muster::containers {

inline constexpr std::uint64_t words_per_visit = 1024;

class Inspection {
  public:
    using Tell = std::function<void(const char* invariant, std::string text)>;

    // `extents`: offsets of those that carry the object's tag, as they were a moment ago.
    Inspection(const Segment& segment, ObjectRef ref, std::vector<std::uint64_t> extents, const Tell& tell);
    void run();
    // Those extents alone: is each in a list of the object's?
    void extents();

    std::uint64_t visits() const noexcept { return visits_; }
    std::uint64_t most_words() const noexcept { return most_; }  // of one visit
    std::uint64_t elements() const noexcept { return elements_; }
    bool undisturbed() const noexcept { return undisturbed_; }

  private:
    // The words looked at since the lock was taken.
    void look(std::uint64_t words) noexcept { words_ += words; }
    // Is there room for an element of so many? At a visit's beginning there is for any.
    bool room(std::uint64_t words) const noexcept { return words_ <= beginning || words_ + words <= words_per_visit; }
    // fn() under the lock, again and again, until it says that it has finished. Damage ends it.
    void visit(const char* invariant, const std::function<bool()>& fn);
    void tell(const char* invariant, std::string text) const { tell_(invariant, std::move(text)); }
    // A block in use: inside one of the object's extents. Counts it.
    bool block(std::uint64_t offset, std::uint64_t size, const char* what);

    bool linked(std::uint64_t extent) const;
    bool chain(const char* invariant, const std::function<std::uint64_t()>& head,
               const std::function<std::uint64_t(std::uint64_t at)>& each);
    void lists();
    void counts();
    void table();
    void entry(const Table& table, std::uint64_t offset, std::uint64_t slot);
    std::uint64_t indexed_at(const Table& table, const EntryRep& entry);
    void tree(TreeRep& rep, const std::function<std::uint64_t()>& total);
    std::uint64_t leaf(TreeRep& rep, std::uint64_t total, std::uint64_t index);
    void fifo(FifoRep& rep);
    void see_chunk(const Fifo& fifo, std::uint64_t at);
    void leases(const QueueRep& root, const LeaseListRep& list, bool leased, const char* what);
    void scalars();

    static constexpr std::uint64_t visit_words = 8;  // of every visit: the object's identity and number
    static constexpr std::uint64_t beginning = 64;   // with what a part looks at besides: roots, and where it was

    const Segment& segment_;
    ObjectRef ref_;
    ObjectRep& object_;
    const Tell& tell_;
    const heap::Extents extents_;
    std::vector<std::uint64_t> tagged_;
    heap::Kind kind_ = heap::Kind::none;
    std::uint64_t words_ = 0, most_ = 0, visits_ = 0, elements_ = 0;
    std::uint64_t sequence_ = 0;  // at the end of the last visit
    bool undisturbed_ = true, sound_ = true, complete_ = true;
    std::uint64_t live_ = 0;  // bytes of the blocks seen
};

}  // namespace muster::containers
