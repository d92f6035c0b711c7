#include "session/erase.hpp"

#include <new>

#include "sync/sync.hpp"

namespace muster::session {

// Who is in line has shown what it waits for before it looked for the last time, under the object's lock; and nobody gets
// into line once the object is gone.
bool erase(const segment::Segment& segment, containers::Directory& directory, std::string_view name) {
    const auto found = directory.find_any(name);
    if (!directory.erase(name)) return false;
    if (!found || !sync::keeps_records(found->kind)) return true;
    try {
        const sync::Sessions sessions(segment);
        sync::Woken woken;
        for (const sync::SlotId slot : sessions.slots())
            if (const auto wait = sync::wait_of(sessions, slot); wait && wait->object == found->ref) woken.push_back(slot.index());
        sync::wake(segment, woken);
    } catch (const std::bad_alloc&) {  // it is erased; they find it so at the end of their slices
    }
    return true;
}

void close(const segment::Segment& segment, containers::Directory& directory) {
    directory.close();
    sync::Woken woken;
    for (const sync::SlotId slot : sync::Sessions(segment).slots()) woken.push_back(slot.index());
    sync::wake(segment, woken);
}

}  // namespace muster::session
