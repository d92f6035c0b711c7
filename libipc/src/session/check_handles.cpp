#include "session/check_handles.hpp"

#include <span>
#include <vector>

#include "session/collector.hpp"

namespace muster::session {
std::uint64_t check_handles(const segment::Segment& copy, const containers::Directory& directory,
                            const containers::ObjectEntry& entry, const std::function<void(std::string)>& violation) {
    if (entry.kind == heap::Kind::pipe) return 0;
    const std::uint64_t realm = containers::realm_of(copy);
    std::vector<muster::ObjectRef> found;
    for_each_value_in(copy, entry.ref, entry.kind, [&](std::span<const std::byte> value) {
        if (containers::find_handle(value.data(), value.data() + value.size()) != nullptr) containers::read_handles(value, found);
    });
    std::uint64_t looked = 0;
    for (const muster::ObjectRef& ref : found) {
        if (ref.realm != realm) continue;
        ++looked;
        const std::string text = "#" + std::to_string(ref.id);
        // Marks are set before a handle is stored and stay as long as the object: they are there whenever one looks.
        const auto inner = directory.glance(ref.id);
        if (!inner || inner->ref.generation != ref.generation) continue;  // gone; or not seen, as somebody is inside
        if (static_cast<std::uint8_t>(inner->kind) != ref.kind) violation("it names " + text + " as of another kind");
        if (!inner->stored) violation("it names " + text + ", which is not marked as stored");
    }
    const auto now = directory.glance(entry.ref.id);
    if (looked != 0 && now && now->ref == entry.ref && !now->with_handles) violation("handles stand in it, and it is not marked");
    return looked;
}

}  // namespace muster::session
