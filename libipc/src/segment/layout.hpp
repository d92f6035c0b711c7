// The bytes of a segment: fixed regions first, then the pages that extents are made of. LAYOUT.md has the picture;
// tests/layout freezes the offsets; every change bumps `layout_version`.
#pragma once

#include <array>
#include <cstdint>

namespace muster::segment {

inline constexpr std::uint64_t page_size = 4096;
inline constexpr std::array<char, 8> magic{'M', 'U', 'S', 'T', 'E', 'R', 'S', 'G'};
inline constexpr std::uint32_t layout_version = 5;

inline constexpr std::uint64_t minimum_capacity = 4u << 20;
inline constexpr std::uint64_t maximum_capacity = 1ull << 40;  // offsets are kept in 48 bits
inline constexpr std::uint32_t max_sessions = 1024;
inline constexpr std::uint32_t max_slots = 4096;

// Where each region begins and how many elements it has. Written once, when the segment is formatted.
struct Regions {
    std::uint64_t segment_domain;    // DomainRep of the extent table, then those of directory and sessions
    std::uint64_t directory_domain;
    std::uint64_t sessions_domain;
    std::uint64_t domain_logs;       // their undo logs, one after the other
    std::uint64_t extent_roots;      // tx: the buddy allocator's free lists
    std::uint64_t directory_root;
    std::uint64_t sessions;          // max_sessions SessionRep
    std::uint64_t slots;             // max_slots SlotRep
    std::uint64_t name_buckets;      // object_capacity x u32
    std::uint64_t page_table;        // page_count PageRep
    std::uint64_t objects;           // object_capacity ObjectRep
    std::uint64_t data;              // first page for extents
    std::uint64_t page_count;        // pages from `data` on
    std::uint64_t object_capacity;   // power of two
};

struct Header {
    std::array<char, 8> magic;
    std::uint32_t version;
    std::uint32_t header_size;
    std::array<std::uint8_t, 16> instance;  // random: no two segments are taken for each other
    std::uint64_t capacity;                 // bytes, the size of the file
    std::uint64_t hash_seed;                // keys of the hash tables: random against crafted collisions
    std::uint64_t pid_namespace;            // inode of the creator's: which pids and start times can be compared
    Regions regions;
    std::uint64_t reserved[32];
};
static_assert(sizeof(Header) <= page_size);

// The regions of a segment of that capacity; needs no memory, so that a header can be checked against it.
Regions plan(std::uint64_t capacity) noexcept;

// Sizes of what other layers keep in the regions; asserted there.
inline constexpr std::uint64_t domain_size = 128;
inline constexpr std::uint64_t fixed_log_capacity = 512;  // entries of each fixed domain's log
inline constexpr std::uint64_t log_entry_size = 16;
inline constexpr std::uint64_t extent_roots_size = 512;
inline constexpr std::uint64_t directory_root_size = 256;
inline constexpr std::uint64_t session_size = 128;
inline constexpr std::uint64_t slot_size = 128;
inline constexpr std::uint64_t slot_joint_decided = 48;  // the word in a slot that tx/joint.hpp is about
inline constexpr std::uint64_t page_entry_size = 16;
inline constexpr std::uint64_t object_size = 1024;

}  // namespace muster::segment
