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

// stored: a handle to it has been stored as a value, so that it may be alive although nobody holds it. with_handles: a
// handle has been stored in it. Both are set before that store, and never cleared while the object lives.
enum ObjectFlags : std::uint32_t { flag_named = 1, flag_doomed = 2, flag_stored = 4, flag_with_handles = 8 };

struct ObjectRep {
    tx::DomainRep domain;
    Cell<std::uint64_t> ident;    // the object's domain
    Cell<std::uint64_t> let_go;   // the directory's domain, as all up to `holders`: in which collection it was last let go
    Cell<std::uint32_t> next;     // bucket, free or doomed list
    Cell<std::uint32_t> flags;
    Cell<std::uint64_t> name_length;
    std::array<char, 256> name;
    std::array<Cell<std::uint64_t>, holder_words> holders;  // bit = session index
    HeapRep heap;
    // Futex words of those who wait for something of this object (sync/wait_point.hpp); outside every domain.
    std::array<std::uint32_t, 4> wait_points;
    std::uint32_t watchers;  // the same, of those who wait for any change of it (object_lock.hpp wakes them)
    std::uint32_t reserved2;
    alignas(64) std::array<std::byte, 320> root;  // the container's own, by kind
    // Of locks and their like alone, whatever lived in the entry before: see begin_turns.
    alignas(64) std::array<std::uint64_t, 8> turns;
};
static_assert(sizeof(ObjectRep) == segment::object_size && alignof(ObjectRep) == 64);
static_assert(std::is_standard_layout_v<ObjectRep>);
static_assert(offsetof(ObjectRep, root) == 640 && offsetof(ObjectRep, turns) == 960);

// Words that are changed by compare-and-swap and belong to no domain. An object can be erased, and its entry be another
// object's, in the middle of an operation on it; nobody locks these words, so an operation that comes late must find out
// by the word itself. Hence three rules.
//   1. They lie where no other kind ever keeps anything.
//   2. turns[0] is the state; its highest 30 bits are a turn that grows with each change of hands and goes on from one
//      object of the entry to the next. turns[1] is the turn's upper part and goes on as well. turns[2..7] begin as zero;
//      what is changed there carries the turn that it belongs to, or may be lost without harm.
//   3. Who changes turns[0] reads it, then makes sure that its object is there, then swaps what it read for what it
//      wants: had the object gone in between, the turn would be another one.
// The turn comes round after 2^30 changes of hands. So who acquires makes sure of its object once more when it has, and
// gives back what it got by such an accident: then even that is an acquisition like any other.
inline constexpr unsigned turn_shift = 34;

// Of an entry that becomes an object, before anybody can find it. A word that was never used stays zero.
inline void begin_turns(ObjectRep& object) noexcept {
    std::uint64_t now = __atomic_load_n(&object.turns[0], __ATOMIC_RELAXED);
    while (now != 0 && !__atomic_compare_exchange_n(&object.turns[0], &now, ((now >> turn_shift) + 1) << turn_shift, true,
                                                    __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
    }
    for (std::size_t i = 2; i < object.turns.size(); ++i) __atomic_store_n(&object.turns[i], 0, __ATOMIC_RELAXED);
}

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
