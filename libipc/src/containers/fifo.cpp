#include "containers/fifo.hpp"

#include <algorithm>

namespace muster::containers {

// A further chunk behind the last one; the tail is at its beginning. A queue that grows gets larger chunks.
void Fifo::add_chunk(Tx& tx, Heap& heap, std::uint64_t need) {
    const std::uint64_t last = rep_.tail_chunk;
    const std::uint64_t doubled = last == 0 ? first_chunk : std::min(chunk(last).size * 2, largest_chunk);
    const std::uint64_t size = Heap::usable(std::max(doubled, need + sizeof(ChunkRep)));
    const std::uint64_t fresh = heap.allocate(tx, size);
    Tx::init(chunk(fresh).next, 0);
    Tx::init(chunk(fresh).size, size);
    Tx::init(chunk(fresh).end, 0);
    if (last != 0) {
        tx.set(chunk(last).next, fresh);
        tx.set(chunk(last).end, rep_.tail);
    } else {
        tx.set(rep_.head_chunk, fresh);
        tx.set(rep_.head, fresh + sizeof(ChunkRep));
    }
    tx.set(rep_.tail_chunk, fresh);
    tx.set(rep_.tail, fresh + sizeof(ChunkRep));
}

void Fifo::append(Tx& tx, Heap& heap, Bytes item) {
    const std::uint64_t size = item.size(), need = record_size(size);
    std::uint64_t block = 0;
    if (size > inline_limit) {
        block = heap.allocate(tx, size);
        Tx::init_bytes(segment_.bytes(block, size), item.data(), size);
    }
    const std::uint64_t last = rep_.tail_chunk;
    if (last == 0 || last + chunk(last).size - rep_.tail < need) add_chunk(tx, heap, need);
    // Nobody's memory until the tail has moved over it (I3): after a death here it still is.
    std::byte* at = segment_.bytes(rep_.tail, need);
    if (block == 0) {
        segment::store_word(at, size);
        Tx::init_bytes(at + 8, item.data(), size);
    } else {
        segment::store_word(at, size | external);
        segment::store_word(at + 8, block);
    }
    tx.set(rep_.tail, rep_.tail + need);
}

}  // namespace muster::containers
