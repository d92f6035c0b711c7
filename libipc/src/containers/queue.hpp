// The queue under Queue: first in, first out, bounded if wanted, byte strings as items.
//
// Items stand one behind the other in chunks; a chunk is linked to the next. The memory behind the last item is
// nobody's: an item is written there without a log (I3) and exists when the tail is moved over it. So putting and taking
// log two words each, as long as they stay within a chunk. Items over `inline_limit` have a block of their own, named by
// their record. When the last item is taken the cursors go back to the chunk's beginning, to the same cache lines.
//
// Transactions log at most 24 words, clear() those of Heap::reset besides; put_many and get_many up to the log's bound.
// Thread safety: writers hold the object's lock, which these functions take; they never wait for items or for room.
// Throws heap::Destroyed, heap::OutOfMemory, tx::Busy, segment::Damage.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>

#include <muster/detail/object.hpp>

#include "heap/heap.hpp"

namespace muster::containers {

using heap::ObjectLock;
using heap::ObjectRef;
using heap::ObjectRep;
using segment::Segment;
using tx::Cell;
using tx::Tx;
using Bytes = std::span<const std::byte>;

struct QueueRep {
    Cell<std::uint64_t> puts;  // items ever put
    Cell<std::uint64_t> tail;  // where the next record goes
    Cell<std::uint64_t> gets;  // items ever taken (or cleared)
    Cell<std::uint64_t> head;  // the next record
    Cell<std::uint64_t> tail_chunk, head_chunk;  // 0: none yet
    Cell<std::int64_t> maxsize;  // items; 0 and less: no bound
    Cell<std::uint64_t> flags;
    Cell<std::uint64_t> done;  // of the items put: reported as done, or cleared
    std::uint64_t reserved[15];  // other orders, leases
};
static_assert(sizeof(QueueRep) == 192);

struct ChunkRep {
    Cell<std::uint64_t> next;
    Cell<std::uint64_t> size;  // of the block, this header included; constant
    Cell<std::uint64_t> end;   // behind the last record, once the tail has moved on to the next chunk
    std::uint64_t reserved;
};
static_assert(sizeof(ChunkRep) == 32);

class Queue {
  public:
    static constexpr std::uint64_t inline_limit = 8192;  // bytes of an item in a chunk
    enum class Result { ok, full, empty, closed };

    Queue(const Segment& segment, ObjectRef ref) : segment_(segment), object_(heap::object_at(segment, ref.id)), ref_(ref) {}
    // For Directory's Init.
    static void init(ObjectRep& object, std::int64_t maxsize) noexcept {
        Tx::init(heap::root_of<QueueRep>(object).maxsize, maxsize);
    }

    Result try_put(Bytes item);  // ok, full, closed
    // Copies the item to where `out.resize(size)` says, and takes it. ok, empty, closed (and empty).
    template <typename Out>
    Result try_get(Out& out) {
        ObjectLock lock(segment_, ref_);
        if (rep().puts == rep().gets) return closed_flag() ? Result::closed : Result::empty;
        const Record record = record_at(head_position());
        segment::copy_out(out.resize(static_cast<std::size_t>(record.size)), segment_.bytes(record.bytes, record.size),
                          static_cast<std::size_t>(record.size));
        take(lock, record);
        return Result::ok;
    }

    struct Many {
        std::size_t count;  // items put or taken
        Result result;      // what stopped it: ok when all were, or a get met its bound; full: no room or no memory
    };
    // items[from, …) in their order, with nobody's in between, as many as there is room for. A hundred or more at a
    // time exist at once: after a death, or when memory runs out, a beginning of them is there. Throws OutOfMemory only
    // when not one was put.
    Many put_many(const muster::detail::Strings& items, std::size_t from = 0);
    // The first up to `most` items, added to `out`. Atomic; fewer than there are when they have very many blocks: then
    // the result is ok, and the next call goes on.
    Many get_many(std::size_t most, muster::detail::Strings& out);

    // Items put that nobody has reported as done, as queue.Queue's.
    std::uint64_t unfinished() const;
    enum class Done { ok, last, too_many };
    Done task_done();  // last: none is left; too_many: none was

    // Ok or empty; the item stays.
    template <typename Out>
    Result peek(Out& out) const {
        ObjectLock lock(segment_, ref_);
        if (rep().puts == rep().gets) return Result::empty;
        const Record record = record_at(head_position());
        segment::copy_out(out.resize(static_cast<std::size_t>(record.size)), segment_.bytes(record.bytes, record.size),
                          static_cast<std::size_t>(record.size));
        return Result::ok;
    }
    void clear();
    void close();
    bool closed() const;
    std::uint64_t size() const;
    std::int64_t maxsize() const;
    // First out first, as of one moment, under the lock: `begin(size)`, then each.
    void for_each(const std::function<void(std::uint64_t size)>& begin, const std::function<void(Bytes item)>& each) const;

    void verify(const std::function<void(std::string)>& violation) const;

    // A look without any lock: is there probably an item, probably room? For those who spin before they sleep.
    bool looks_empty() const noexcept { return rep().puts == rep().gets; }
    bool looks_full() const noexcept {
        const std::int64_t bound = rep().maxsize;
        return bound > 0 && rep().puts - rep().gets >= static_cast<std::uint64_t>(bound);
    }

  private:
    static constexpr std::uint64_t external = std::uint64_t{1} << 63, flag_closed = 1;
    static constexpr std::uint64_t first_chunk = 1024, largest_chunk = heap::largest_class;

    // A record: one word with the size (and `external`), then the bytes, or the offset of their block.
    struct Record {
        std::uint64_t bytes = 0, size = 0;  // where the item's bytes are
        std::uint64_t block = 0;            // external: the block; else 0
        std::uint64_t end = 0;              // behind the record
    };
    static std::uint64_t padded(std::uint64_t size) noexcept { return (size + 7) & ~std::uint64_t{7}; }
    static std::uint64_t record_size(std::uint64_t item) noexcept { return 8 + (item <= inline_limit ? padded(item) : 8); }

    QueueRep& rep() const noexcept { return heap::root_of<QueueRep>(object_); }
    ChunkRep& chunk(std::uint64_t at) const { return *segment_.block<ChunkRep>(at); }
    bool closed_flag() const noexcept { return (rep().flags & flag_closed) != 0; }
    Record record_at(std::uint64_t position) const;
    std::uint64_t head_position() const;
    // Items and bytes that a walk has seen: a sound queue has no more than its memory holds.
    class Bound {
      public:
        explicit Bound(const Segment& segment) noexcept : left_(segment.capacity()) {}
        void add(const Record& record) {
            const std::uint64_t bytes = record.size + 8;
            if (bytes > left_) throw segment::Damage{"queue: more items than memory"};
            left_ -= bytes;
        }

      private:
        std::uint64_t left_;
    };
    void take(ObjectLock& lock, const Record& record);
    void append(Tx& tx, heap::Heap& heap, Bytes item);
    std::uint64_t read_validated(std::uint64_t (*look)(const QueueRep&)) const;
    void add_chunk(Tx& tx, heap::Heap& heap, std::uint64_t need);

    const Segment& segment_;
    ObjectRep& object_;
    ObjectRef ref_;
};

}  // namespace muster::containers
