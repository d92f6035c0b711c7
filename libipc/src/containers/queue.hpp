// The queue under Queue: byte strings as items, bounded if wanted, out again first in first out, last in first out or
// lowest first.
//
// First in first out they stand in chunks (fifo.hpp); otherwise in a tree (sequence_tree.hpp), whose last item is the
// next one out: a put of a priority queue finds its place in it by O(log n) comparisons, all of them before the change.
//
// A leased item is a record of its own (LeaseRep), in one of three lists: leased; returned, which come out before what
// has not been leased yet (of a priority queue: before what is not lower); dead, delivered too often. Going from one list
// to another is one Tx of a few words without new memory, so an item is at every instant in exactly one place.
//
// Transactions log at most 40 words, those of a tree's edit besides, clear() those of Heap::reset; put_many and get_many
// up to the log's bound. Thread safety: writers hold the object's lock, which these functions take; they never wait for
// items or for room.
// Throws heap::Destroyed, heap::OutOfMemory, tx::Busy, segment::Damage, Uncomparable (nothing has changed).
#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include <muster/detail/object.hpp>

#include "containers/fifo.hpp"
#include "containers/sequence_tree.hpp"

namespace muster::containers {

using heap::ObjectLock;
using heap::ObjectRef;
using heap::ObjectRep;
using heap::Taking;

// Stored; never renumbered.
enum class Order : std::uint8_t { fifo = 0, lifo = 1, priority = 2 };

struct LeaseListRep {
    Cell<std::uint64_t> head, tail, count;
};

// In ObjectRep::root.
struct QueueRep {
    FifoRep fifo;  // puts and gets count the items of the tree, too
    Cell<std::int64_t> maxsize;  // items; 0 and less: no bound
    Cell<std::uint64_t> flags;   // bit 0 closed; bits 8, 9 the order
    Cell<std::uint64_t> done;    // of the items put: reported as done, cleared, or dead
    TreeRep tree;                // of puts - gets items, unless first in first out
    LeaseListRep leased;         // in the order of their taking
    LeaseListRep returned;       // the next one first
    LeaseListRep dead;           // the oldest first
    Cell<std::uint64_t> leases;  // ever taken; the last one's id
    Cell<std::uint64_t> max_deliveries;  // 0: no limit
    Cell<std::uint64_t> cleared;         // the last lease's id when the queue was: those up to it are over
    std::uint64_t reserved[7];
};
static_assert(sizeof(QueueRep) == 256);

// One item that was leased once; its bytes follow, unless it has a block.
struct LeaseRep {
    Cell<std::uint64_t> next, prev;
    Cell<std::uint64_t> id;          // of the lease; 0: not leased now
    Cell<std::uint64_t> owner;       // the session: generation << 32 | index + 1
    Cell<std::uint64_t> deliveries;  // how often it was leased
    Cell<std::uint64_t> number;      // among the items taken, for the order of those that return
    Cell<std::uint64_t> since_ns;    // CLOCK_REALTIME
    Cell<std::uint64_t> bytes, size;  // where the item's bytes are; constant, as what follows
    Cell<std::uint64_t> block, block_size;  // 0: the bytes follow
    std::uint64_t reserved;
};
static_assert(sizeof(LeaseRep) == 96);

struct Uncomparable {};  // no order among the values

class Queue {
  public:
    static constexpr std::uint64_t inline_limit = Fifo::inline_limit;
    // lent: closed and nothing waits, but what is leased may come back.
    // kept: the item stays where it is.
    enum class Result { ok, full, empty, closed, lent, kept };

    Queue(const Segment& segment, ObjectRef ref) : segment_(segment), object_(heap::object_at(segment, ref.id)), ref_(ref) {}
    // For Directory's Init.
    static void init(ObjectRep& object, std::int64_t maxsize, Order order = Order::fifo, std::uint64_t max_deliveries = 0) noexcept {
        QueueRep& root = heap::root_of<QueueRep>(object);
        Tx::init(root.maxsize, maxsize);
        Tx::init(root.flags, static_cast<std::uint64_t>(order) << order_shift);
        Tx::init(root.max_deliveries, max_deliveries);
    }

    Result try_put(Bytes item);  // ok, full, closed
    // Which item it was that was looked at and kept.
    struct Seen {
        std::uint64_t gets = 0;
        bool in_chunks = false;
    };
    // Copies the item to where `out.resize(size)` says, and takes it if `accept()`, under the lock, is true.
    // ok, empty, closed (and empty), lent, kept.
    template <typename Out, typename Accept>
    Result try_get(Out& out, Seen& seen, Accept&& accept) {
        ObjectLock lock(segment_, ref_);
        Next next;
        if (!find_next(next)) return nothing();
        copy(next, out.resize(static_cast<std::size_t>(next.size)));
        if (!accept()) {
            seen = seen_of(next);
            return Result::kept;
        }
        take(lock, next);
        return Result::ok;
    }
    template <typename Out>
    Result try_get(Out& out) {
        Seen seen;
        return try_get(out, seen, [] { return true; });
    }
    // Takes the next item if it is the one that was seen, or one of the same bytes, which `item` still holds; otherwise that
    // one has been seen (kept).
    Result take_seen(muster::detail::Buffer& item, Seen& seen);

    struct Many {
        std::size_t count;  // items put or taken
        Result result;      // what stopped it: ok when all were, or a get met its bound; full: no room or no memory
    };
    // items[from, …) in their order, with nobody's in between, as many as there is room for. A hundred or more at a
    // time exist at once, of a priority queue one by one: after a death, or when memory runs out, a beginning of them
    // is there. Throws OutOfMemory only when not one was put.
    Many put_many(const muster::detail::Strings& items, std::size_t from = 0);
    // The first up to `most` items, added to `out`, with nobody's get in between. First in first out it is atomic. It takes
    // fewer than there are when they have very many blocks, for which the log has no room, or when it has taken `enough`
    // bytes: then the result is ok, and the next call goes on. `accept`, under the lock, says how many of those added are
    // taken (kept: none, or not all); in the other orders it is asked item by item. What stays does not stay in `out`.
    // In the other orders what fails ends it (kept) once an item was taken.
    static constexpr std::size_t unlimited = ~std::size_t{0};
    using Accept = std::function<std::size_t()>;
    Many get_many(std::size_t most, muster::detail::Strings& out, std::size_t enough = unlimited, const Accept& accept = {});
    // In two steps, of which each is atomic: adds to `out` what get_many would take, and how many that are; takes the first
    // `count` of them if nobody else has taken one (kept). 0 where the queue is not first in first out, or something came
    // back to it: then get has to do.
    std::size_t look_at_many(std::size_t most, muster::detail::Strings& out, std::size_t enough, Seen& seen) const;
    Many take_many_seen(std::size_t count, const Seen& seen);

    // Items put that nobody has reported as done, as queue.Queue's.
    std::uint64_t unfinished() const;
    enum class Done { ok, last, too_many };
    Done task_done();  // last: none is left; too_many: none was

    // --- leases ---
    struct Lease {
        std::uint64_t at = 0, id = 0;  // the record
        std::uint64_t deliveries = 0;  // this one included
    };
    // As try_get, but the item stays the queue's until it is settled. `owner` is the session, not 0.
    template <typename Out>
    Result try_lease(std::uint64_t owner, Out& out, Lease& lease, Taking what = Taking::anything) {
        ObjectLock lock(segment_, ref_);
        lock.allow(what);
        Next next;
        if (!find_next(next)) return nothing();
        copy(next, out.resize(static_cast<std::size_t>(next.size)));
        lease = take_lease(lock, next, owner);
        return Result::ok;
    }
    enum class Settled { ok, last, not_leased };  // last: ok, and nothing is unfinished any more
    // It is done, and gone. not_leased: by this owner under this id.
    Settled acknowledge(std::uint64_t owner, const Lease& lease);
    // Back to the head, or to the dead letters when it was delivered max_deliveries times.
    Settled give_back(std::uint64_t owner, const Lease& lease);
    // The same for all whose owner is `dead`; the oldest stands first. Returns how many.
    std::uint64_t return_leases(const std::function<bool(std::uint64_t owner)>& dead,
                                base::Deadline deadline = base::Deadline::never());
    std::uint64_t leased() const;
    // Is something leased by somebody else?
    bool lent_to_others(std::uint64_t owner) const;
    // Dead letters, the oldest first: `begin(count)`, then each; back to the head with no delivery counted; forgotten.
    void for_each_dead(const std::function<void(std::uint64_t count)>& begin,
                       const std::function<void(Bytes item, std::uint64_t deliveries)>& each) const;
    std::uint64_t retry_dead();
    std::uint64_t drop_dead();

    // Ok or empty; the item stays.
    template <typename Out>
    Result peek(Out& out) const {
        ObjectLock lock(segment_, ref_);
        Next next;
        if (!find_next(next)) return Result::empty;
        copy(next, out.resize(static_cast<std::size_t>(next.size)));
        return Result::ok;
    }
    // What waits, what is leased and what is dead.
    void clear();
    void close();
    bool closed() const;
    std::uint64_t size() const;  // what waits
    std::int64_t maxsize() const;
    Order order() const noexcept { return static_cast<Order>(rep().flags >> order_shift & 3); }
    std::uint64_t max_deliveries() const noexcept { return rep().max_deliveries; }
    // What waits, next out first, as of one moment, under the lock: `begin(size)`, then each.
    void for_each(const std::function<void(std::uint64_t size)>& begin, const std::function<void(Bytes item)>& each) const;

    // --- as parts of a larger change, under the caller's lock (heap::mutate_together) ---
    // The first `count` of what waits, next out first, and whether a lease was given back; under the lock, too.
    void for_first(std::uint64_t count, const std::function<void(Bytes item, bool returned)>& each) const;
    // First in first out: at the end. Logs at most 30 words, most often 2. In either order of one change all that is put
    // comes before what is taken.
    void put_within(Tx& tx, heap::Heap& heap, Bytes item);
    // In the other orders: where `item` has its place before those `taken` of the tree that are going to be taken. Asked before
    // the change, as it compares. Of several put into a priority queue the lowest is the first, each at its place; last in
    // first out each has its place behind the one before. Throws Uncomparable.
    std::uint64_t place_within(Bytes item, std::uint64_t taken) const;
    // There. Logs what an edit of a tree does.
    void put_within(Tx& tx, heap::Heap& heap, Bytes item, std::uint64_t place);
    // The next one of those that were there before the change goes: of the given back ones, or of the others. Logs at most 16
    // words, of a tree 50.
    void take_within(Tx& tx, heap::Heap& heap, bool returned = false);
    // All items, also what is leased and what is dead, in no particular order, as of one moment, under the lock.
    void for_each_anywhere(const std::function<void(Bytes item)>& each, base::Deadline deadline) const;

    void verify(const std::function<void(std::string)>& violation) const;

    // A look without any lock: is there probably an item, probably room? For those who spin before they sleep.
    bool looks_empty() const noexcept { return waiting() == 0; }
    bool looks_full() const noexcept {
        const std::int64_t bound = rep().maxsize;
        return bound > 0 && waiting() >= static_cast<std::uint64_t>(bound);
    }
    bool looks_closed() const noexcept { return closed_flag(); }
    bool looks_lent() const noexcept { return rep().leased.count != 0; }

  private:
    static constexpr std::uint64_t flag_closed = 1;
    static constexpr unsigned order_shift = 8;

    // The item that comes out next, and where it is.
    struct Next {
        enum class From : std::uint8_t { chunks, tree, returned } from = From::chunks;
        std::uint64_t size = 0;
        Fifo::Record record;      // chunks
        std::uint64_t word = 0;   // tree
        std::uint64_t lease = 0;  // returned
    };

    QueueRep& rep() const noexcept { return heap::root_of<QueueRep>(object_); }
    Fifo fifo() const noexcept { return {segment_, rep().fifo}; }
    Tree tree() const noexcept { return {segment_, rep().tree}; }
    std::uint64_t in_base() const noexcept { return rep().fifo.puts - rep().fifo.gets; }
    std::uint64_t waiting() const noexcept { return in_base() + rep().returned.count; }
    bool closed_flag() const noexcept { return (rep().flags & flag_closed) != 0; }
    Result nothing() const noexcept {
        return !closed_flag() ? Result::empty : rep().leased.count == 0 ? Result::closed : Result::lent;
    }
    bool find_next(Next& next) const {
        if (__builtin_expect(order() == Order::fifo && rep().returned.count == 0, true)) {
            if (in_base() == 0) return false;
            next.record = fifo().front();
            next.size = next.record.size;
            return true;
        }
        return find_next_of_all(next);
    }
    bool find_next_of_all(Next& next) const;
    void copy(const Next& next, std::byte* to) const;
    void take(ObjectLock& lock, const Next& next);
    // Items put behind it do not make a chunk's first one another: its number tells. Of the others the bytes have to.
    Seen seen_of(const Next& next) const noexcept { return {rep().fifo.gets, next.from == Next::From::chunks}; }
    void take_within(Tx& tx, heap::Heap& heap, const Next& next);
    // The first of a queue that is first in first out and nothing has come back to.
    bool in_a_row() const noexcept { return order() == Order::fifo && rep().returned.count == 0; }
    struct Row;
    Row walk(std::size_t most, std::size_t enough, muster::detail::Strings* out) const;
    void drop(ObjectLock& lock, const Row& row);
    Many get_many_from_tree(ObjectLock& lock, std::size_t most, muster::detail::Strings& out, std::size_t enough,
                            const Accept& accept);
    // Out of the tree, whose last item it is; `in_place` needs no memory.
    void drop_last(Tx& tx, heap::Heap& heap, bool in_place);
    Lease take_lease(ObjectLock& lock, const Next& next, std::uint64_t owner);

    std::uint64_t tree_word(std::uint64_t index) const;
    // Where a new item comes to stand among the first `count` in the tree. Throws Uncomparable.
    std::uint64_t place_of(Bytes item, std::uint64_t count) const;
    void put_in_tree(ObjectLock& lock, Bytes item);
    Many put_many_in_tree(ObjectLock& lock, const muster::detail::Strings& items, std::size_t from, std::size_t end);
    bool returned_comes_first() const;

    // No more of them fit into the segment: walks over a list that was damaged end.
    std::uint64_t count_of(const LeaseListRep& list) const noexcept {
        const std::uint64_t most = segment_.capacity() / sizeof(LeaseRep), count = list.count;
        return count < most ? count : most;
    }
    LeaseRep& lease_at(std::uint64_t at) const { return *segment_.block<LeaseRep>(at); }
    Bytes bytes_of(const LeaseRep& lease) const {
        return {segment_.bytes(lease.bytes, lease.size), static_cast<std::size_t>(lease.size)};
    }
    bool is_leased(std::uint64_t owner, const Lease& lease) const noexcept;
    void link(Tx& tx, LeaseListRep& list, std::uint64_t before, std::uint64_t at);  // before: 0 = at the end
    void unlink(Tx& tx, LeaseListRep& list, std::uint64_t at);
    void free_lease(Tx& tx, heap::Heap& heap, std::uint64_t at) const;
    // Before which of those returned it comes.
    std::uint64_t place_among_returned(std::uint64_t at) const;
    void give_back_one(ObjectLock& lock, std::uint64_t at);
    template <typename Fn>
    void for_each_lease(const LeaseListRep& list, Fn&& fn) const {  // fn may not change the list
        std::uint64_t left = count_of(list);
        for (std::uint64_t at = list.head; at != 0; at = lease_at(at).next) {
            if (left-- == 0) throw segment::Damage{"queue: endless list of leases"};
            fn(at);
        }
    }
    std::uint64_t read_validated(std::uint64_t (*look)(const QueueRep&)) const;

    const Segment& segment_;
    ObjectRep& object_;
    ObjectRef ref_;
};

}  // namespace muster::containers
