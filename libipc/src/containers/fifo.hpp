// Byte strings, first in, first out, in chunks that are linked one to the next: what a queue and a pipe are made of.
//
// The memory behind the last record is nobody's: a record is written there without a log (I3) and exists when the tail
// is moved over it. So putting and taking log two or three words each, as long as they stay within a chunk. Items over
// `inline_limit` have a block of their own, named by their record. When the last item is taken the cursors go back to
// the chunk's beginning, to the same cache lines.
//
// Thread safety: the caller holds the object's lock. Throws segment::Damage; within a Tx NeedMemory, as the heap does.
#pragma once

#include <span>

#include "heap/heap.hpp"

namespace muster::containers {

using heap::Heap;
using segment::Segment;
using tx::Cell;
using tx::Tx;
using Bytes = std::span<const std::byte>;

// All zero: empty.
struct FifoRep {
    Cell<std::uint64_t> puts;  // items ever put
    Cell<std::uint64_t> tail;  // where the next record goes
    Cell<std::uint64_t> gets;  // items ever taken (or cleared)
    Cell<std::uint64_t> head;  // the next record
    Cell<std::uint64_t> tail_chunk, head_chunk;  // 0: none yet
};
static_assert(sizeof(FifoRep) == 48);

struct ChunkRep {
    Cell<std::uint64_t> next;
    Cell<std::uint64_t> size;  // of the block, this header included; constant
    Cell<std::uint64_t> end;   // behind the last record, once the tail has moved on to the next chunk
    std::uint64_t reserved;
};
static_assert(sizeof(ChunkRep) == 32);

class Fifo {
  public:
    static constexpr std::uint64_t inline_limit = 8192;  // bytes of an item in a chunk

    Fifo(const Segment& segment, FifoRep& rep) noexcept : segment_(segment), rep_(rep) {}

    // A record: one word with the size (and `external`), then the bytes, or the offset of their block.
    struct Record {
        std::uint64_t bytes = 0, size = 0;  // where the item's bytes are
        std::uint64_t block = 0;            // external: the block; else 0
        std::uint64_t end = 0;              // behind the record
    };
    // A place in the chunks.
    struct Position {
        std::uint64_t chunk = 0, at = 0;
    };

    std::uint64_t size() const noexcept { return rep_.puts - rep_.gets; }

    // Of size() > 0 items the first; next() of the one before, as long as there are more.
    Record front() const { return record_at(head_position()); }
    Position begin() const noexcept { return {rep_.head_chunk, rep_.head}; }
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
    // The record there; `position` goes behind it. Call it size() times at most.
    Record next(Position& position) const {
        if (position.chunk != rep_.tail_chunk && position.at == chunk(position.chunk).end) {
            position.chunk = chunk(position.chunk).next;
            position.at = position.chunk + sizeof(ChunkRep);
        }
        const Record record = record_at(position.at);
        position.at = record.end;
        return record;
    }
    void copy_out(const Record& record, std::byte* to) const {
        segment::copy_out(to, segment_.bytes(record.bytes, record.size), static_cast<std::size_t>(record.size));
    }

    // A record and the tail behind it; `puts` is the caller's. At most 26 log entries, most often one.
    void append(Tx& tx, Heap& heap, Bytes item);
    // The first record is no longer in it; its block is the caller's. Returns the chunk to be freed after everything
    // else, 0: none.
    std::uint64_t drop_front(Tx& tx, const Record& record) {
        const std::uint64_t at = rep_.head_chunk;
        tx.set(rep_.gets, rep_.gets + 1);
        const bool moved_on = at != rep_.tail_chunk && rep_.head == chunk(at).end;
        const std::uint64_t here = moved_on ? chunk(at).next.get() : at;
        if (moved_on) tx.set(rep_.head_chunk, here);
        move_head(tx, {here, record.end});
        return moved_on ? at : 0;
    }
    // `count` records are gone, of which this is the end. Their blocks and chunks are the caller's.
    void drop(Tx& tx, std::uint64_t count, Position end) {
        tx.set(rep_.gets, rep_.gets + count);
        if (rep_.head_chunk != end.chunk) tx.set(rep_.head_chunk, end.chunk);
        move_head(tx, end);
    }
    void free_chunk(Tx& tx, Heap& heap, std::uint64_t at) const { heap.free(tx, at, chunk(at).size); }
    // Forgets everything; the heap is reset in the same Tx.
    void forget(Tx& tx) {
        tx.set(rep_.gets, rep_.puts);
        for (Cell<std::uint64_t>* field : {&rep_.tail, &rep_.head, &rep_.tail_chunk, &rep_.head_chunk})
            if (*field != 0) tx.set(*field, 0);
    }

    ChunkRep& chunk(std::uint64_t at) const { return *segment_.block<ChunkRep>(at); }

    // fn(block, size) for each block of it, violation(text) for what is wrong; at most `most` bytes of chunks.
    template <typename Block, typename Violation>
    void verify(std::uint64_t most, Block&& block, Violation&& violation) const;

  private:
    static constexpr std::uint64_t external = std::uint64_t{1} << 63;
    static constexpr std::uint64_t first_chunk = 1024, largest_chunk = heap::largest_class;

    static std::uint64_t padded(std::uint64_t size) noexcept { return (size + 7) & ~std::uint64_t{7}; }
    static std::uint64_t record_size(std::uint64_t item) noexcept { return 8 + (item <= inline_limit ? padded(item) : 8); }
    Record record_at(std::uint64_t position) const {
        const std::uint64_t word = segment::load_word(segment_.block<std::uint64_t>(position));
        Record record;
        record.size = word & ~external;
        if (__builtin_expect((word & external) == 0, true)) {
            if (record.size > inline_limit) throw segment::Damage{"queue: size of an item"};
            record.bytes = position + 8;
            record.end = position + 8 + padded(record.size);
        } else {
            record.block = record.bytes = segment::load_word(segment_.block<std::uint64_t>(position + 8));
            record.end = position + 16;
        }
        (void)segment_.bytes(record.bytes, record.size);
        return record;
    }
    // Where the next record is: behind the end of a chunk it is the first of the next one.
    std::uint64_t head_position() const {
        const std::uint64_t at = rep_.head_chunk, head = rep_.head;
        if (at == rep_.tail_chunk || head != chunk(at).end) return head;
        return chunk(at).next + sizeof(ChunkRep);
    }
    void move_head(Tx& tx, Position to) {
        if (rep_.gets == rep_.puts) {  // empty: begin anew in the same place
            tx.set(rep_.head, to.chunk + sizeof(ChunkRep));
            tx.set(rep_.tail, to.chunk + sizeof(ChunkRep));
        } else {
            tx.set(rep_.head, to.at);
        }
    }
    void add_chunk(Tx& tx, Heap& heap, std::uint64_t need);

    const Segment& segment_;
    FifoRep& rep_;
};

template <typename Block, typename Violation>
void Fifo::verify(std::uint64_t most, Block&& block, Violation&& violation) const {
    std::uint64_t items = 0, last = 0, bytes = 0;
    for (std::uint64_t at = rep_.head_chunk; at != 0; at = at == rep_.tail_chunk ? 0 : chunk(at).next.get()) {
        const ChunkRep& here = chunk(at);
        if (bytes > most) return violation("chunks form an endless list");
        bytes += here.size;
        block(at, here.size);
        last = at;
        const std::uint64_t end = at == rep_.tail_chunk ? rep_.tail.get() : here.end.get();
        std::uint64_t position = at == rep_.head_chunk ? rep_.head.get() : at + sizeof(ChunkRep);
        if (position < at + sizeof(ChunkRep) || end < position || end - at > here.size)
            return violation("cursor outside its chunk");
        while (position < end) {
            const Record record = record_at(position);
            if (record.block != 0) block(record.block, record.size);
            if (++items > size()) return violation("more items than counted");
            position = record.end;
        }
        if (position != end) violation("record over the end of its chunk");
    }
    if (last != rep_.tail_chunk) violation("the last chunk cannot be reached from the first");
    if (items != size()) violation("size differs from the items");
}

}  // namespace muster::containers
