#include <algorithm>

#include "containers/directory_guard.hpp"

namespace muster::containers {
namespace {

bool is_held(const ObjectRep& object) noexcept {
    for (const auto& word : object.holders)
        if (word != 0) return true;
    return false;
}

}  // namespace

bool Directory::note_stored(ObjectRef container, ObjectRef referent) {
    ObjectRep& outer = heap::object_at(segment_, container.id);
    ObjectRep& inner = heap::object_at(segment_, referent.id);
    // Both are set for ever, as long as the caller has handles to both. Should one be gone all the same, the call that
    // follows finds out.
    if ((outer.flags & heap::flag_with_handles) != 0 && (inner.flags & heap::flag_stored) != 0) return true;
    Guard guard(*this);
    const auto is = [&](const ObjectRep& object, ObjectRef ref) {
        return is_live(ref.id) && Ident::unpack(object.ident).generation == ref.generation;
    };
    if (!is(outer, container) || !is(inner, referent)) return false;
    Tx tx(segment_, domain_);
    tx.set(outer.flags, outer.flags | heap::flag_with_handles);
    tx.set(inner.flags, inner.flags | heap::flag_stored);
    tx.commit();
    return true;
}

bool Directory::has_candidates() const noexcept {
    const std::uint64_t count = std::min(rep_.high_water.get(), capacity_);
    for (std::uint32_t id = 1; id <= count; ++id) {
        const ObjectRep& object = heap::object_at(segment_, id);
        if ((object.flags & (heap::flag_named | heap::flag_doomed | heap::flag_stored)) == heap::flag_stored &&
            Ident::unpack(object.ident).life == heap::Life::live && !is_held(object))
            return true;
    }
    return false;
}

std::uint64_t Directory::begin_collection() {
    Guard guard(*this);
    Tx tx(segment_, domain_);
    tx.set(rep_.collections, rep_.collections + 1);
    tx.commit();
    return rep_.collections;
}

Directory::Unreached Directory::unreached(std::uint64_t collection, const Reached& reached,
                                          const std::function<bool()>& quiet) const {
    Unreached result;
    Guard guard(const_cast<Directory&>(*this));
    if (!quiet()) return result;
    const std::uint64_t count = rep_.high_water;
    if (count > capacity_) throw segment::Damage{"more objects than fit"};
    for (std::uint32_t id = 1; id <= count; ++id) {
        const ObjectRep& object = heap::object_at(segment_, id);
        const Ident ident = Ident::unpack(object.ident);
        if (!is_live(id) || (id < reached.size() && reached[id] == ident.generation)) continue;
        const bool stored = (object.flags & heap::flag_stored) != 0;
        const bool root = (object.flags & heap::flag_named) != 0 || object.let_go >= collection || is_held(object);
        if (root)
            result.found.push_back({id, ident.generation});
        else if (stored)
            result.garbage.push_back({id, ident.generation});
    }
    if (!result.found.empty()) result.garbage.clear();
    return result;
}

std::uint32_t Directory::free_unreached(std::uint64_t collection, std::span<const ObjectRef> garbage) {
    Guard guard(*this);
    std::uint32_t freed = 0;
    for (const ObjectRef ref : garbage) {
        const ObjectRep& object = heap::object_at(segment_, ref.id);
        if (!is_live(ref.id) || Ident::unpack(object.ident).generation != ref.generation) continue;
        if ((object.flags & heap::flag_named) != 0 || object.let_go >= collection || is_held(object)) continue;
        doom(ref.id);
        ++freed;
    }
    finish_doomed();
    return freed;
}

std::optional<Directory::Standing> Directory::standing(std::uint32_t id) const {
    if (id == 0 || id > rep_.high_water || id > capacity_) return {};
    const ObjectRep& object = heap::object_at(segment_, id);
    const Ident ident = Ident::unpack(object.ident);
    const std::uint32_t flags = object.flags;
    if (ident.life != heap::Life::live || (flags & heap::flag_doomed) != 0) return {};
    return Standing{{id, ident.generation}, ident.kind, (flags & heap::flag_with_handles) != 0};
}

}  // namespace muster::containers
