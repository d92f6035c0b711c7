#include "crash/aftermath.hpp"

#include "containers/containers.hpp"
#include "containers/scalars.hpp"
#include "support/bytes.hpp"
#include "support/snapshot.hpp"
#include "sync/sync.hpp"

namespace muster::test {
namespace {

using containers::Directory;
using containers::ObjectEntry;
using containers::Queue;
using containers::Sequence;
using containers::Table;
using heap::Kind;
using heap::ObjectRef;
using segment::Segment;

// The value as MessagePack: queues that sort look into it.
constexpr std::string_view further_key = "a further key",
                           further_value = "\xbf" "a further value, a MessagePack ";

std::string use_dict(const Segment& segment, ObjectRef ref) {
    Table dict(segment, ref);
    const std::uint64_t size = dict.size();
    dict.set(bytes(further_key), {}, bytes(further_value));
    muster::detail::Buffer out;
    const bool found = dict.get(bytes(further_key), out) && out.bytes().size() == further_value.size();
    if (!found || dict.size() != size + 1) return "a dict does not take a key";
    return dict.remove(bytes(further_key)) && dict.size() == size ? "" : "a dict does not give a key back";
}

std::string use_list(const Segment& segment, ObjectRef ref) {
    Sequence list(segment, ref);
    auto lock = list.lock();
    const std::uint64_t size = list.size();
    list.push_back(lock, bytes(further_value));
    muster::detail::Buffer out;
    if (list.size() != size + 1 || !list.get(size, out) || out.bytes().size() != further_value.size())
        return "a list does not take an item";
    return list.erase(lock, size) && list.size() == size ? "" : "a list does not give an item back";
}

std::string use_queue(const Segment& segment, ObjectRef ref) {
    Queue queue(segment, ref);
    const std::uint64_t size = queue.size();
    const Queue::Result put = queue.try_put(bytes(further_value));
    if (put == Queue::Result::closed || put == Queue::Result::full) return {};
    if (queue.size() != size + 1) return "a queue does not take an item";
    muster::detail::Buffer out;
    return queue.try_get(out) == Queue::Result::ok && queue.size() == size ? "" : "a queue does not give an item back";
}

std::string use_lock(const Segment& segment, ObjectRef ref) {
    const sync::Sessions sessions(segment);
    sync::LockWord lock(segment, sessions, ref);
    const auto never = [] { return false; };
    const sync::SlotId self = sync::SlotId::make(77, 1);
    (void)lock.release(self, never);
    const std::uint64_t token = lock.token();
    const auto outcome = lock.acquire(self, base::Deadline::now(), never);
    if (outcome != sync::LockWord::Outcome::acquired || lock.holder() != self || lock.token() != token + 1)
        return "a lock cannot be taken";
    return lock.release(self, never) == sync::LockWord::Released::yes && !lock.holder() ? "" : "a lock cannot be released";
}

std::string use_numbers(const Segment& segment, ObjectRef ref) {
    containers::Scalars numbers(segment, ref);
    const std::uint64_t before = numbers.exchange(0, 1);
    return numbers.load(0) == 1 && numbers.exchange(0, before) == 1 ? "" : "a number does not change";
}

std::string use(const Segment& segment, ObjectRef ref, Kind kind) {
    switch (kind) {
        case Kind::dict:
        case Kind::set:
        case Kind::name_space:
        case Kind::counter: return use_dict(segment, ref);
        case Kind::list: return use_list(segment, ref);
        case Kind::queue: return use_queue(segment, ref);
        case Kind::lock:
        case Kind::rlock: return use_lock(segment, ref);
        case Kind::value:
        case Kind::array: return use_numbers(segment, ref);
        case Kind::none: return "an object without a kind";
        default: return {};  // pipes: only their own operations know how
    }
}

std::string use_sessions(const Segment& segment) {
    sync::Sessions sessions(segment);
    const std::uint32_t count = sessions.count();
    const sync::SessionId session = sessions.claim({4711, 1, 1});
    const sync::SlotId slot = sessions.claim_slot(session, 4711);
    if (!sessions.is(session) || !sessions.belongs_to(slot, session)) return "no session can be claimed";
    sessions.free_slot(slot);
    const bool slot_gone = !sessions.holder(slot);
    sessions.free(session);
    return slot_gone && sessions.count() == count ? "" : "a session cannot be freed";
}

}  // namespace

std::string whats_unusable(const Segment& segment, bool real_containers) {
    Directory directory(segment);
    if (real_containers)
        for (const ObjectEntry& entry : directory.list())
            if (std::string wrong = use(segment, entry.ref, entry.kind); !wrong.empty()) return wrong;
    if (directory.closed()) {  // the realm was shut: it takes nothing any more
        try {
            directory.create(Kind::list, 1000u);
            return "an object was made after the realm was shut";
        } catch (const containers::Closed&) {
            return use_sessions(segment);
        }
    }
    const std::uint64_t live = directory.live();
    for (const Kind kind : {Kind::dict, Kind::list, Kind::queue, Kind::lock, Kind::rlock}) {
        const ObjectRef named = directory.open_or_create("a further one", kind, {}).ref;
        if (std::string wrong = use(segment, named, kind); !wrong.empty()) return "a new one: " + wrong;
        if (!directory.erase("a further one")) return "a new object cannot be erased";
    }
    const ObjectRef anonymous = directory.create(Kind::list, 1000u);
    if (!directory.hold(anonymous, 1001u)) return "an anonymous object cannot be held";
    directory.release(anonymous, 1000u);
    directory.release(anonymous, 1001u);
    if (directory.live() != live) return "objects came and went, and their number is another";
    return use_sessions(segment);
}

std::string whats_left_when_erased(const Segment& segment, bool strays) {
    Directory directory(segment);
    for (const ObjectEntry& entry : directory.list()) {
        if (!entry.name.empty()) {
            directory.erase(entry.name);
            continue;
        }
        const heap::ObjectRep& object = heap::object_at(segment, entry.ref.id);
        for (std::uint32_t word = 0; word < heap::holder_words; ++word)
            for (std::uint64_t left = object.holders[word]; left != 0; left &= left - 1)
                directory.release(entry.ref, word * 64 + static_cast<std::uint32_t>(__builtin_ctzll(left)));
    }
    const std::uint64_t collection = directory.begin_collection();  // what was stored is freed when nobody reaches it
    directory.free_unreached(collection, directory.unreached(collection, {}, [] { return true; }).garbage);
    if (!directory.finish_erased()) return "an erased object cannot be taken apart";
    heap::Extents extents(segment);
    if (strays) {
        std::vector<heap::Extent> all;
        extents.for_each([&](const heap::Extent& extent) { all.push_back(extent); });
        for (const heap::Extent& extent : all) extents.give_back(extent.offset, extent.owner);
    }
    sync::Sessions sessions(segment);
    for (std::uint32_t index = 0; index < segment::max_sessions; ++index)
        if (const auto info = sessions.info(index)) sessions.free(info->id);
    if (directory.live() != 0) return std::to_string(directory.live()) + " objects are left";
    if (extents.used_bytes() != 0) return std::to_string(extents.used_bytes()) + " bytes of extents are left";
    const auto* slots = segment.at<sync::SlotRep>(segment.regions().slots, segment::max_slots);
    for (std::uint32_t index = 0; index < segment::max_slots; ++index)
        if ((slots[index].ident & 0xffff'ffff) != 0) return "slot " + std::to_string(index) + " is left";
    for (const std::uint64_t page : present_pages(segment))
        if (page * segment::page_size >= segment.regions().data) return "page " + std::to_string(page) + " has memory";
    return {};
}

}  // namespace muster::test
