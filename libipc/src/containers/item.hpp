// One stored value (MessagePack bytes) as one word: the bytes themselves when they are few, else where they are.
//
//   inline: bit 0 = 1, bits 1..3 the length (0..7), the bytes from bit 8 on
//   block:  bits 0..3 = 0, bits 4..47 the block's offset (16-aligned), bits 48..63 the length;
//           the length long_length means: the block begins with the length as a word of its own
// A word of 0 is no item. Blocks are never changed once an item names them, but under the log.
// Thread safety: what takes a Tx or a Run needs the object's lock; reading is safe from any thread under
// tx::read_validated.
#pragma once

#include <cstring>
#include <span>

#include <muster/detail/buffer.hpp>

#include "heap/heap.hpp"

namespace muster::containers {

using Bytes = std::span<const std::byte>;
using Buffer = muster::detail::Buffer;

namespace item {

inline constexpr std::uint64_t none = 0;
inline constexpr std::uint64_t inline_limit = 7;
inline constexpr std::uint64_t long_length = 0xffff;
// Longer ones are copied by readers only after another look at the sequence number: a torn length is caught first.
inline constexpr std::uint64_t trusted_length = 512;

constexpr bool is_inline(std::uint64_t word) noexcept { return (word & 1) != 0; }
constexpr std::uint64_t block_of(std::uint64_t word) noexcept { return word & 0x0000'ffff'ffff'fff0; }

// Where an item's bytes are: in the segment at `offset`, or in the word itself when that is 0.
struct Located {
    std::uint64_t offset, length;
};
inline Located locate(const segment::Segment& segment, std::uint64_t word) {
    if (is_inline(word)) return {0, word >> 1 & 7};
    const std::uint64_t block = block_of(word), length = word >> 48;
    if (block == 0) throw segment::Damage{"item: no block"};
    if (length != long_length) return {block, length};
    const std::uint64_t size = segment.block<tx::Cell<std::uint64_t>>(block)->get();
    (void)segment.bytes(block + 8, size);  // before anybody makes room for it
    return {block + 8, size};
}
inline void copy_out(const segment::Segment& segment, std::uint64_t word, Located located, std::byte* to) {
    if (located.length == 0) return;  // `to` may be null
    if (located.offset == 0) {
        const std::uint64_t bytes = word >> 8;
        std::memcpy(to, &bytes, located.length);
    } else {
        segment::copy_out(to, segment.bytes(located.offset, located.length), located.length);
    }
}

// What the block of an item was asked for; 0 for an inline one.
inline std::uint64_t block_size(const segment::Segment& segment, std::uint64_t word) {
    if (is_inline(word)) return 0;
    const Located located = locate(segment, word);
    return located.length + (located.offset - block_of(word));
}

inline std::uint64_t make_inline(Bytes bytes) noexcept {
    std::uint64_t word = 0;
    if (!bytes.empty()) std::memcpy(&word, bytes.data(), bytes.size());
    return word << 8 | bytes.size() << 1 | 1;
}
// Log entries: none when inline; else a Run's, at most 8 for one over 32 KiB.
inline std::uint64_t store(const segment::Segment& segment, heap::Heap::Run& run, Bytes bytes) {
    const std::uint64_t size = bytes.size();
    if (size <= inline_limit) return make_inline(bytes);
    const bool is_long = size >= long_length;
    const std::uint64_t block = run.allocate(is_long ? size + 8 : size);
    if (is_long) tx::Tx::init(*segment.block<tx::Cell<std::uint64_t>>(block), size);
    const std::uint64_t at = is_long ? block + 8 : block;
    tx::Tx::init_bytes(segment.bytes(at, size), bytes.data(), size);
    return block | (is_long ? long_length : size) << 48;
}
// Log entries: none when inline; 3; at most 8 for one over 32 KiB.
inline void free(const segment::Segment& segment, tx::Tx& tx, heap::Heap& heap, std::uint64_t word) {
    if (!is_inline(word)) heap.free(tx, block_of(word), block_size(segment, word));
}

inline void read(const segment::Segment& segment, std::uint64_t word, Buffer& out) {
    const Located located = locate(segment, word);
    copy_out(segment, word, located, out.resize(located.length));
}
// For a reader that began at `sequence` of `domain` and locked nothing.
inline void read(const segment::Segment& segment, const tx::DomainRep& domain, std::uint64_t sequence,
                 std::uint64_t word, Buffer& out) {
    const Located located = locate(segment, word);
    if (located.length > trusted_length && !tx::unchanged_since(domain, sequence))
        throw segment::Damage{"item: overtaken by a writer"};
    copy_out(segment, word, located, out.resize(located.length));
}

}  // namespace item
}  // namespace muster::containers
