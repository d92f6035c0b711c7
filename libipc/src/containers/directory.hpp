// The directory: which objects there are, by name and by id, who holds the anonymous ones.
//
// Everything here belongs to the directory's domain, but for an object's `ident`, which is the object's own; it is
// made live before its entry is linked, and dead after it was unlinked. Lock order (I11): directory, object, segment.
// A crash between those steps is mended by sweep(), which the next one to lock the directory runs.
// Thread safety: safe from any thread of any process; every call locks by itself.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "heap/heap.hpp"

namespace muster::containers {

using heap::Ident;
using heap::Kind;
using heap::ObjectRef;
using heap::ObjectRep;
using segment::Segment;
using tx::Cell;
using tx::Tx;

struct DirectoryRep {
    Cell<std::uint32_t> free_head;    // ids that were used before and can be used again
    Cell<std::uint32_t> doomed_head;  // unlinked, to be taken apart
    Cell<std::uint64_t> high_water;   // ids 1..high_water were ever used
    Cell<std::uint64_t> live;         // linked or anonymous objects
    Cell<std::uint64_t> closed;       // 1: the realm was shut, there will be no object any more
    Cell<std::uint64_t> collections;  // how often the search for what nobody reaches began (directory_collect.cpp)
    std::uint64_t reserved[27];
};
static_assert(sizeof(DirectoryRep) == segment::directory_root_size);

// A name is taken by an object of another kind.
struct WrongKind {
    Kind kind;
};
struct TooManyObjects {};
struct Closed {};  // the realm was shut

struct ObjectEntry {
    ObjectRef ref;
    Kind kind = Kind::none;
    std::string name;  // empty when anonymous
    std::uint32_t holders = 0;
    bool stored = false;  // a handle to it was stored as a value
    bool with_handles = false;  // handles were stored in it

    std::string label() const { return name.empty() ? "#" + std::to_string(ref.id) : name; }
};

class Directory {
  public:
    // `patience`: how long a call waits for one lock before it throws tx::Busy; none: for ever.
    explicit Directory(const Segment& segment, std::optional<std::chrono::milliseconds> patience = {});
    void format();

    // Fills a new object's root (zero before) while nobody can see it. Unlogged (Tx::init); must not throw.
    using Init = std::function<void(ObjectRep&)>;

    struct Opened {
        ObjectRef ref;
        bool created;
    };
    // Opens the object of that name or makes it; of many at once exactly one creates. Throws WrongKind,
    // Closed, heap::OutOfMemory, TooManyObjects, Damage. `name`: 1..255 bytes, checked by the caller.
    Opened open_or_create(std::string_view name, Kind kind, const Init& init);
    // Without a name: lives as long as a session holds it.
    ObjectRef create(Kind kind, std::optional<std::uint32_t> holder, const Init& init = {});
    std::optional<ObjectRef> find(std::string_view name, Kind kind) const;  // throws WrongKind
    std::optional<ObjectEntry> find_any(std::string_view name) const;

    // False when there is none. Waiters wake and find it destroyed.
    bool erase(std::string_view name);

    // An anonymous object is kept while at least one session holds it; one that was ever stored as a value, until
    // unreached() finds that nobody can reach it. hold() is false when it is gone already.
    bool hold(ObjectRef ref, std::uint32_t session);
    void release(ObjectRef ref, std::uint32_t session);
    // The session is dead: all it held. Returns how many objects were freed.
    std::uint32_t release_all(std::uint32_t session);

    // For ever: whatever there is is erased, named or held, and nothing can be made. Each for itself; a second call does
    // what the first one left.
    void close();
    bool closed() const noexcept { return rep_.closed != 0; }

    // --- handles as values (directory_collect.cpp; the proof is in DESIGN.md, "Nesting") ---
    // To be called before a handle to `referent` is stored in `container`, by somebody who holds `referent` until it is
    // stored. False: one of them is gone.
    bool note_stored(ObjectRef container, ObjectRef referent);
    // Could anything be unreached? One that nobody holds, that has no name and was stored.
    bool has_candidates() const noexcept;
    // A new search begins. What is let go from now on is told from what was let go before.
    std::uint64_t begin_collection();
    // Who has been found, by id: its generation, or 0.
    using Reached = std::vector<std::uint32_t>;
    struct Unreached {
        std::vector<ObjectRef> found;    // roots that were not in `reached`: look what they reach, and ask again
        std::vector<ObjectRef> garbage;  // if there were none: what nobody can reach, now and ever after
    };
    // One look at all objects under the lock. `quiet` is asked first: is no value between two places? If not: nothing.
    Unreached unreached(std::uint64_t collection, const Reached& reached, const std::function<bool()>& quiet) const;
    // Frees those of them that still nobody holds. Returns how many.
    std::uint32_t free_unreached(std::uint64_t collection, std::span<const ObjectRef> garbage);
    // As glance(), without the name: for those who follow values.
    struct Standing {
        ObjectRef ref;
        Kind kind = Kind::none;
        bool with_handles = false;
    };
    std::optional<Standing> standing(std::uint32_t id) const;  // none: gone

    // Copies, without holding a lock while `fn` runs. Objects that come or go meanwhile are seen or not.
    std::vector<ObjectEntry> list() const;
    std::optional<ObjectEntry> look_up(std::uint32_t id) const;
    // One of them, without waiting for anybody: none when it is gone, or when the directory is being changed.
    std::optional<ObjectEntry> glance(std::uint32_t id) const;
    std::uint64_t live() const noexcept { return rep_.live; }
    std::uint64_t high_water() const noexcept { return rep_.high_water; }

    // Takes apart what could not be locked before. False: some object still is busy.
    bool finish_erased();

    using Violation = std::function<void(std::uint32_t id, std::string text)>;
    void verify(const Violation& violation) const;

    // --- for those who only look, while others work ---
    // Copies what verify_lists() looks at into a scratch segment that is zero there, without a lock, as of one moment.
    // False: it never stood still. What a dead process left is finished before.
    bool copy_to(const Segment& scratch) const;
    // verify() but for the extents' owners: of a copy, or under the lock.
    void verify_lists(const Violation& violation) const;
    // The named objects among `count` ids from `from` on, under the lock: is each found by its name? Returns where to go
    // on; 0 when those were the last.
    std::uint32_t verify_some(std::uint32_t from, std::uint32_t count, const Violation& violation) const;
    bool has_owner(const heap::Extent& extent) const;
    // Under the lock: is that extent, which seemed to have no owner, still there, and without one?
    bool is_stray(const heap::Extent& extent) const;

  private:
    class Guard;
    bool unkept(std::uint32_t id) const;
    void let_go(std::uint32_t id, Cell<std::uint64_t>& word, std::uint64_t bit);
    std::uint32_t lookup(std::string_view name) const;
    Cell<std::uint32_t>& bucket_of(std::string_view name) const;
    std::uint32_t make(Kind kind, const Init& init, std::string_view name, std::optional<std::uint32_t> holder);
    void doom(std::uint32_t id);
    bool finish(std::uint32_t id, std::uint32_t before);
    bool finish_doomed();
    void sweep();  // finishes what a dead process began; by whoever locks the directory after a death
    std::optional<ObjectEntry> entry(std::uint32_t id) const;
    bool is_live(std::uint32_t id) const;

    const Segment& segment_;
    std::optional<std::chrono::milliseconds> patience_;
    tx::DomainRep& domain_;
    DirectoryRep& rep_;
    Cell<std::uint32_t>* buckets_;
    std::uint64_t capacity_;
};

}  // namespace muster::containers
