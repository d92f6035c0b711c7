#include "support/soundness.hpp"

#include "containers/directory.hpp"
#include "support/crash_image.hpp"

namespace muster::test {
namespace {

using containers::Directory;
using heap::Ident;
using heap::ObjectRef;

std::vector<ObjectRef> live_objects(const segment::Segment& segment) {
    std::vector<ObjectRef> found;
    const std::uint64_t last = Directory(segment).high_water();
    for (std::uint32_t id = 1; id <= last; ++id) {
        const Ident ident = Ident::unpack(heap::object_at(segment, id).ident);
        if (ident.life == heap::Life::live) found.push_back({id, ident.generation});
    }
    return found;
}

void lock_objects(const segment::Segment& segment) {
    for (const ObjectRef ref : live_objects(segment)) {
        try {
            const heap::ObjectLock lock(segment, ref);
        } catch (const heap::Destroyed&) {  // while it was looked for
        }
    }
}

void lock_shared(const segment::Segment& segment) {
    Directory(segment).erase("no object has this name");
    heap::Extents(segment).for_each([](const heap::Extent&) {});
    auto& sessions = *segment.at<tx::DomainRep>(segment.regions().sessions_domain);
    if (sessions.mutex.sound()) const tx::DomainLock lock(segment, sessions, base::Deadline::never());
}

}  // namespace

void recover(const segment::Segment& segment, bool objects_first) {
    if (objects_first) lock_objects(segment);
    lock_shared(segment);
    if (!objects_first) lock_objects(segment);
}

std::vector<std::string> violations(const segment::Segment& segment, const SoundnessOptions& options) {
    std::vector<std::string> found;
    // The mutexes first: whoever walks a structure would wait for ever.
    const Directory directory(segment);
    std::uint32_t id = 0;
    for_each_domain(segment, [&](const std::string& name, tx::DomainRep& domain) {
        const bool is_object = name.starts_with("object");
        if (is_object) ++id;
        const bool in_use =
            !is_object || (id <= directory.high_water() &&
                           Ident::unpack(heap::object_at(segment, id).ident).life == heap::Life::live);
        if (is_object && !in_use && !domain.mutex.sound()) return;  // never made
        const tx::Entered entered = tx::enter(segment, domain, base::Deadline::now());
        if (entered == tx::Entered::timed_out || entered == tx::Entered::damaged) {
            found.push_back(name + (entered == tx::Entered::damaged ? ": domain damaged" : ": still locked"));
            return;
        }
        if (in_use && entered == tx::Entered::recovered) found.push_back(name + ": not recovered yet");
        if (domain.log_count != 0) found.push_back(name + ": log not empty");
        // (An entry that no object lives in may stay odd: whoever reads there takes the lock, and finds it empty.)
        if (in_use && domain.sequence % 2 != 0) found.push_back(name + ": sequence number odd at rest");
        if (in_use && name != "segment" && name != "sessions" && domain.unreconciled != 0)
            found.push_back(name + ": not reconciled");
        tx::leave(domain);
    });
    if (!found.empty()) return found;

    const heap::Extents extents(segment);
    extents.verify([&](const char* text) { found.push_back(std::string("extents: ") + text); });
    if (options.every_extent_owned)
        directory.verify([&](std::uint32_t object, const std::string& text) {
            found.push_back("directory, object " + std::to_string(object) + ": " + text);
        });
    std::uint64_t owned = 0;
    for (const ObjectRef ref : live_objects(segment)) {
        const heap::ObjectLock lock(segment, ref);
        if (lock.object().heap.body == 0) continue;
        const heap::Heap heap = lock.heap();
        heap.verify([&](const char* text) { found.push_back("heap of object " + std::to_string(ref.id) + ": " + text); });
        if (heap.has_garbage()) found.push_back("heap of object " + std::to_string(ref.id) + ": garbage left");
        owned += heap.bytes();
    }
    if (options.every_extent_owned && owned != extents.used_bytes())
        found.push_back("leak: " + std::to_string(extents.used_bytes()) + " bytes in extents, objects own " +
                        std::to_string(owned));
    return found;
}

std::string first_violations(const segment::Segment& segment, const SoundnessOptions& options) {
    std::string text;
    for (const std::string& violation : violations(segment, options)) {
        if (text.size() > 400) break;
        text += (text.empty() ? "" : "; ") + violation;
    }
    return text;
}

}  // namespace muster::test
