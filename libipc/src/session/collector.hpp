// Finds and frees the objects that nobody can reach any more: no name, no process that holds them, and no handle to them
// among the values of anything that somebody can reach.
//
// It follows values from the roots (named objects, held ones) in steps, keeping what it knows between them in private
// memory: whoever comes after a service that died begins anew. What it reads may change all the while; that it frees
// nothing that somebody can reach is argued in DESIGN.md, "Nesting". An object's values are read as of one moment, so a
// step takes at least as long as one object needs. Whatever stands in the segment, it ends: each object is looked into
// once.
// Thread safety: one thread (the service's).
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "containers/containers.hpp"
#include "sync/sync.hpp"

namespace muster::session {

// look(bytes) for each value of the object, as of one moment (or as it stood a moment before): the values of a table, what is
// in a list, a queue (leased, dead letters, too), a pipe. Throws heap::Destroyed, tx::Busy, segment::Damage.
void for_each_value_in(const segment::Segment& segment, heap::ObjectRef ref, heap::Kind kind,
                       const std::function<void(std::span<const std::byte>)>& look);

// fn(ref) for each handle that stands in the object's values, as of one moment (or in what stood there a moment before).
// Throws heap::Destroyed, tx::Busy, segment::Damage.
void for_each_handle_in(const segment::Segment& segment, heap::ObjectRef ref, heap::Kind kind,
                        const std::function<void(const muster::ObjectRef&)>& fn);

class Collector {
  public:
    Collector(const segment::Segment& segment, const sync::Sessions& sessions, containers::Directory& directory)
        : segment_(segment), sessions_(sessions), directory_(directory) {}

    bool idle() const noexcept { return phase_ == Phase::idle; }
    void begin();  // anew, if it is at it already
    // Does about `work` more: handles followed, and objects looked into. True: it is done, and freed() and held_up() tell.
    bool step(std::uint64_t work);
    std::uint32_t freed() const noexcept { return freed_; }
    // Somebody was in the midst of taking a value out, or inside of an object: to be begun again.
    bool held_up() const noexcept { return held_up_; }

  private:
    enum class Phase { idle, following, freeing };
    static constexpr int most_looks = 64;
    static constexpr std::size_t at_once = 32;  // freed under one lock

    void reach(const containers::Directory::Standing& object);
    void follow(const containers::Directory::Standing& object);
    bool finish() noexcept;

    const segment::Segment& segment_;
    const sync::Sessions& sessions_;
    containers::Directory& directory_;
    Phase phase_ = Phase::idle;
    std::uint64_t collection_ = 0, work_ = 0;
    containers::Directory::Reached reached_;
    std::vector<containers::Directory::Standing> pending_;  // reached, their values not yet followed
    std::vector<heap::ObjectRef> garbage_;
    std::uint32_t freed_ = 0;
    int looks_ = 0;
    bool held_up_ = false;
};

}  // namespace muster::session
