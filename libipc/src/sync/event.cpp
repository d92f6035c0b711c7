#include "sync/event.hpp"

namespace muster::sync {

std::uint64_t Event::word() const {
    const std::uint64_t seen = heap::root_of<EventRep>(object_).word;
    __atomic_thread_fence(__ATOMIC_ACQUIRE);  // the object was this one when its word was read
    const heap::Ident ident = heap::Ident::unpack(object_.ident);
    if (ident.generation != ref_.generation || ident.life != heap::Life::live) throw heap::Destroyed{};
    return seen;
}

void Event::change(bool to) {
    const heap::ObjectLock lock(segment_, ref_);
    Cell<std::uint64_t>& word = heap::root_of<EventRep>(object_).word;
    const std::uint64_t now = word;
    if (flag(now) == to) return;
    Tx::publish(object_.domain, word, to ? (sets(now) + 1) << 1 | 1 : now & ~std::uint64_t{1});
}

}  // namespace muster::sync
