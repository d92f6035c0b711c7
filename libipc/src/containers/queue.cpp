#include "containers/queue.hpp"

#include <algorithm>

namespace muster::containers {

Queue::Record Queue::record_at(std::uint64_t position) const {
    const std::uint64_t word = segment::load_word(segment_.block<std::uint64_t>(position));
    Record record;
    record.size = word & ~external;
    if ((word & external) == 0) {
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
std::uint64_t Queue::head_position() const {
    const std::uint64_t at = rep().head_chunk, head = rep().head;
    if (at == rep().tail_chunk || head != chunk(at).end) return head;
    return chunk(at).next + sizeof(ChunkRep);
}

// A further chunk behind the last one; the tail is at its beginning. A queue that grows gets larger chunks.
void Queue::add_chunk(Tx& tx, heap::Heap& heap, std::uint64_t need) {
    QueueRep& root = rep();
    const std::uint64_t last = root.tail_chunk;
    const std::uint64_t doubled = last == 0 ? first_chunk : std::min(chunk(last).size * 2, largest_chunk);
    const std::uint64_t size = heap::Heap::usable(std::max(doubled, need + sizeof(ChunkRep)));
    const std::uint64_t fresh = heap.allocate(tx, size);
    Tx::init(chunk(fresh).next, 0);
    Tx::init(chunk(fresh).size, size);
    Tx::init(chunk(fresh).end, 0);
    if (last != 0) {
        tx.set(chunk(last).next, fresh);
        tx.set(chunk(last).end, root.tail);
    } else {
        tx.set(root.head_chunk, fresh);
        tx.set(root.head, fresh + sizeof(ChunkRep));
    }
    tx.set(root.tail_chunk, fresh);
    tx.set(root.tail, fresh + sizeof(ChunkRep));
}

Queue::Result Queue::try_put(Bytes item) {
    ObjectLock lock(segment_, ref_);
    QueueRep& root = rep();
    if (closed_flag()) return Result::closed;
    if (looks_full()) return Result::full;
    heap::mutate(lock, [&](Tx& tx, heap::Heap& heap) {
        append(tx, heap, item);
        tx.set(root.puts, root.puts + 1);
    });
    return Result::ok;
}

// A record and the tail behind it; the count is the caller's.
void Queue::append(Tx& tx, heap::Heap& heap, Bytes item) {
    QueueRep& root = rep();
    const std::uint64_t size = item.size(), need = record_size(size);
    std::uint64_t block = 0;
    if (size > inline_limit) {
        block = heap.allocate(tx, size);
        Tx::init_bytes(segment_.bytes(block, size), item.data(), size);
    }
    const std::uint64_t last = root.tail_chunk;
    if (last == 0 || last + chunk(last).size - root.tail < need) add_chunk(tx, heap, need);
    // Nobody's memory until the tail has moved over it (I3): after a death here it still is.
    std::byte* at = segment_.bytes(root.tail, need);
    if (block == 0) {
        segment::store_word(at, size);
        Tx::init_bytes(at + 8, item.data(), size);
    } else {
        segment::store_word(at, size | external);
        segment::store_word(at + 8, block);
    }
    tx.set(root.tail, root.tail + need);
}

void Queue::take(ObjectLock& lock, const Record& record) {
    heap::mutate(lock, [&](Tx& tx, heap::Heap& heap) {
        QueueRep& root = rep();
        const std::uint64_t at = root.head_chunk;
        tx.set(root.gets, root.gets + 1);
        const bool moved_on = at != root.tail_chunk && root.head == chunk(at).end;
        const std::uint64_t here = moved_on ? chunk(at).next.get() : at;
        if (moved_on) tx.set(root.head_chunk, here);
        if (root.gets == root.puts) {  // empty: begin anew in the same place
            tx.set(root.head, here + sizeof(ChunkRep));
            tx.set(root.tail, here + sizeof(ChunkRep));
        } else {
            tx.set(root.head, record.end);
        }
        if (record.block != 0) heap.free(tx, record.block, record.size);
        if (moved_on) heap.free(tx, at, chunk(at).size);
    });
}

void Queue::clear() {
    ObjectLock lock(segment_, ref_);
    heap::mutate(lock, [&](Tx& tx, heap::Heap& heap) {
        QueueRep& root = rep();
        tx.set(root.done, root.done + (root.puts - root.gets));  // nobody will ever report them
        tx.set(root.gets, root.puts);
        for (Cell<std::uint64_t>* field : {&root.tail, &root.head, &root.tail_chunk, &root.head_chunk}) tx.set(*field, 0);
        heap.reset(tx);
    });
    lock.heap().trim();
}

void Queue::close() {
    ObjectLock lock(segment_, ref_);
    Tx::publish(object_.domain, rep().flags, rep().flags | flag_closed);
}

bool Queue::closed() const {
    ObjectLock lock(segment_, ref_);
    return closed_flag();
}

std::uint64_t Queue::read_validated(std::uint64_t (*look)(const QueueRep&)) const {
    std::uint64_t seen = 0;
    const auto copy = [&] {
        const heap::Ident ident = heap::Ident::unpack(object_.ident);
        if (ident.generation != ref_.generation || ident.life != heap::Life::live) throw heap::Destroyed{};
        seen = look(rep());
    };
    if (tx::read_validated(object_.domain, copy)) return seen;
    ObjectLock lock(segment_, ref_);
    copy();
    return seen;
}

std::uint64_t Queue::size() const {
    return read_validated([](const QueueRep& root) { return root.puts - root.gets; });
}

std::uint64_t Queue::unfinished() const {
    return read_validated([](const QueueRep& root) { return root.puts - root.done; });
}

Queue::Done Queue::task_done() {
    ObjectLock lock(segment_, ref_);
    QueueRep& root = rep();
    if (root.done == root.puts) return Done::too_many;
    Tx::publish(object_.domain, root.done, root.done + 1);
    return root.done == root.puts ? Done::last : Done::ok;
}

std::int64_t Queue::maxsize() const { return rep().maxsize; }

void Queue::for_each(const std::function<void(std::uint64_t)>& begin, const std::function<void(Bytes)>& each) const {
    ObjectLock lock(segment_, ref_);
    const QueueRep& root = rep();
    begin(root.puts - root.gets);
    std::uint64_t at = root.head_chunk, position = root.head;
    Bound bound(segment_);
    for (std::uint64_t left = root.puts - root.gets; left != 0; --left) {
        if (at != root.tail_chunk && position == chunk(at).end) {
            at = chunk(at).next;
            position = at + sizeof(ChunkRep);
        }
        const Record record = record_at(position);
        bound.add(record);
        each({segment_.bytes(record.bytes, record.size), static_cast<std::size_t>(record.size)});
        position = record.end;
    }
}

void Queue::verify(const std::function<void(std::string)>& violation) const {
    ObjectLock lock(segment_, ref_, base::Deadline::after(heap::inspection_patience));
    const heap::Heap heap = lock.heap();
    const heap::Heap::Owned owned(heap);
    const heap::Extents extents(segment_);
    const QueueRep& root = rep();
    std::uint64_t live = 0, items = 0, last = 0;
    const auto count_block = [&](std::uint64_t block, std::uint64_t size) {
        const std::uint64_t bytes = size <= heap::largest_class ? heap::Heap::usable(size)
                                                                : extents.bytes_at(block - sizeof(heap::ExtentHeader));
        live += bytes;
        return bytes != 0 && owned.holds(block, size);
    };
    const std::uint64_t size = root.puts - root.gets;
    for (std::uint64_t at = root.head_chunk; at != 0; at = at == root.tail_chunk ? 0 : chunk(at).next.get()) {
        const ChunkRep& here = chunk(at);
        if (live > segment_.capacity()) return violation("chunks form an endless list");
        if (!count_block(at, here.size)) return violation("block outside the queue's extents");
        last = at;
        const std::uint64_t end = at == root.tail_chunk ? root.tail.get() : here.end.get();
        std::uint64_t position = at == root.head_chunk ? root.head.get() : at + sizeof(ChunkRep);
        if (position < at + sizeof(ChunkRep) || end < position || end - at > here.size)
            return violation("cursor outside its chunk");
        while (position < end) {
            const Record record = record_at(position);
            if (record.block != 0 && !count_block(record.block, record.size))
                return violation("block outside the queue's extents");
            if (++items > size) return violation("more items than counted");
            position = record.end;
        }
        if (position != end) violation("record over the end of its chunk");
    }
    if (last != root.tail_chunk) violation("the last chunk cannot be reached from the first");
    if (items != size) violation("size differs from the items");
    if (root.puts - root.done > root.puts) violation("more tasks done than items put");
    if (live != heap.live_bytes()) violation("blocks handed out differ from those in use");
}

}  // namespace muster::containers
