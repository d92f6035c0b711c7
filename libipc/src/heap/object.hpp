// What every shared object begins with: its domain, its identity, its name, its heap's roots.
//
// The entries are type-stable: once made, an entry is always an ObjectRep with a formatted mutex, whatever object
// lives in it. A handle to an erased object can therefore still lock it, and then finds another generation.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "tx/tx.hpp"

namespace muster::heap {

using segment::Segment;
using tx::Cell;
using tx::Tx;

// Stored; never renumbered.
enum class Kind : std::uint8_t {
    none = 0,
    dict = 1, list = 2, queue = 3, lock = 4,
    rlock = 5, semaphore = 6, condition = 7, event = 8, barrier = 9,
    set = 20, name_space = 21, counter = 22, value = 23, array = 24,
    pipe = 30,
};
// A table (containers/table.hpp) is what it is made of.
constexpr bool is_table(Kind kind) noexcept {
    return kind == Kind::dict || kind == Kind::set || kind == Kind::name_space || kind == Kind::counter;
}
enum class Life : std::uint8_t { free = 0, live = 1, dead = 2 };

struct Ident {
    std::uint32_t generation = 0;
    Kind kind = Kind::none;
    Life life = Life::free;

    static Ident unpack(std::uint64_t word) noexcept {
        return {static_cast<std::uint32_t>(word >> 32), static_cast<Kind>(word >> 8 & 0xff), static_cast<Life>(word & 0xff)};
    }
    std::uint64_t pack() const noexcept {
        return std::uint64_t{generation} << 32 | static_cast<std::uint64_t>(kind) << 8 | static_cast<std::uint64_t>(life);
    }
};

// Names one object for ever: ids are used again, generations are not.
struct ObjectRef {
    std::uint32_t id = 0;  // 1-based; 0 = no object
    std::uint32_t generation = 0;
    friend bool operator==(const ObjectRef&, const ObjectRef&) = default;
};

// The heap's roots; all in the object's domain.
struct HeapRep {
    Cell<std::uint64_t> body;     // first extent: header, undo log, free lists, first blocks
    Cell<std::uint64_t> extents;  // list of further extents in use
    Cell<std::uint64_t> spare;    // list of large extents in no use, kept for the next large block
    Cell<std::uint64_t> garbage;  // list of extents to be given back
    Cell<std::uint64_t> cursor;   // fresh memory: [cursor, end)
    Cell<std::uint64_t> end;
    Cell<std::uint64_t> bytes;    // of all extents but garbage
    Cell<std::uint64_t> live;     // bytes of blocks handed out
    Cell<std::uint64_t> spare_bytes;
};
static_assert(sizeof(HeapRep) == 72);

inline constexpr std::size_t max_name = 255;
inline constexpr std::uint32_t holder_words = segment::max_sessions / 64;

enum ObjectFlags : std::uint32_t { flag_named = 1, flag_doomed = 2 };

struct ObjectRep {
    tx::DomainRep domain;
    Cell<std::uint64_t> ident;    // the object's domain
    std::uint64_t reserved;
    Cell<std::uint32_t> next;     // the directory's domain, as all up to `holders`: bucket, free or doomed list
    Cell<std::uint32_t> flags;
    Cell<std::uint64_t> name_length;
    std::array<char, 256> name;
    std::array<Cell<std::uint64_t>, holder_words> holders;  // bit = session index
    HeapRep heap;
    // Futex words of those who wait for something of this object (sync/wait_point.hpp); outside every domain.
    std::array<std::uint32_t, 4> wait_points;
    std::uint64_t reserved2;
    alignas(64) std::array<std::byte, 384> root;  // the container's own, by kind
};
static_assert(sizeof(ObjectRep) == segment::object_size && alignof(ObjectRep) == 64);
static_assert(std::is_standard_layout_v<ObjectRep>);
static_assert(offsetof(ObjectRep, root) == 640);

// The container's root in its object.
template <typename Root>
Root& root_of(ObjectRep& object) noexcept {
    static_assert(sizeof(Root) <= sizeof(ObjectRep::root) && alignof(Root) <= 64);
    return *reinterpret_cast<Root*>(object.root.data());
}
template <typename Root>
const Root& root_of(const ObjectRep& object) noexcept {
    return root_of<Root>(const_cast<ObjectRep&>(object));
}

inline ObjectRep& object_at(const Segment& segment, std::uint32_t id) {
    if (id == 0 || id > segment.regions().object_capacity) throw segment::Damage{"object id out of range"};
    return *segment.at<ObjectRep>(segment.regions().objects + std::uint64_t{id - 1} * sizeof(ObjectRep));
}

}  // namespace muster::heap
