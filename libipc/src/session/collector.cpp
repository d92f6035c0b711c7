#include "session/collector.hpp"

#include <algorithm>
#include <functional>

namespace muster::session {

using containers::Directory;
using heap::Kind;

void for_each_value_in(const segment::Segment& segment, heap::ObjectRef ref, Kind kind,
                       const std::function<void(std::span<const std::byte>)>& look) {
    if (heap::is_table(kind)) {
        containers::Table(segment, ref).for_each([](std::uint64_t) {}, [&](auto, auto value) { look(value); });
    } else if (kind == Kind::list) {
        (void)containers::Sequence(segment, ref).find(0, containers::max_items, [&](auto value) {
            look(value);
            return false;
        });
    } else if (kind == Kind::queue) {
        containers::Queue(segment, ref).for_each_anywhere(look, segment.lock_deadline());
    } else if (kind == Kind::pipe) {
        containers::Pipe(segment, ref).for_each(look, segment.lock_deadline());
    }
}

void for_each_handle_in(const segment::Segment& segment, heap::ObjectRef ref, Kind kind,
                        const std::function<void(const muster::ObjectRef&)>& fn) {
    const std::uint64_t realm = containers::realm_of(segment);
    for_each_value_in(segment, ref, kind, [&](std::span<const std::byte> value) { containers::for_each_handle(value, realm, fn); });
}

void Collector::begin() {
    reached_.clear();
    pending_.clear();
    garbage_.clear();
    freed_ = 0;
    looks_ = 0;
    held_up_ = false;
    collection_ = directory_.begin_collection();
    phase_ = Phase::following;
}

bool Collector::finish() noexcept {
    phase_ = Phase::idle;
    return true;
}

void Collector::reach(const Directory::Standing& object) {
    // Ids are no more than fit into the segment (standing()); its count of them may be damaged.
    if (object.ref.id >= reached_.size()) reached_.resize(std::max<std::size_t>(object.ref.id + 1, 2 * reached_.size()));
    std::uint32_t& known = reached_[object.ref.id];
    if (known == object.ref.generation) return;
    known = object.ref.generation;
    if (object.with_handles) pending_.push_back(object);
}

void Collector::follow(const Directory::Standing& object) {
    ++work_;
    try {
        for_each_handle_in(segment_, object.ref, object.kind, [&](const muster::ObjectRef& ref) {
            ++work_;
            const auto inner = directory_.standing(ref.id);
            if (inner && inner->ref.generation == ref.generation) reach(*inner);
        });
    } catch (const heap::Destroyed&) {  // erased meanwhile
    }
}

bool Collector::step(std::uint64_t work) {
    if (phase_ == Phase::idle) return true;
    work_ = 0;
    try {
        while (work_ < work) {
            if (phase_ == Phase::freeing) {
                const std::size_t count = std::min(at_once, garbage_.size());
                freed_ += directory_.free_unreached(collection_, std::span(garbage_).last(count));
                garbage_.resize(garbage_.size() - count);
                work_ += count;
                if (garbage_.empty()) return finish();
            } else if (!pending_.empty()) {
                const Directory::Standing object = pending_.back();
                pending_.pop_back();
                follow(object);
            } else {
                if (++looks_ > most_looks) {
                    held_up_ = true;
                    return finish();
                }
                bool quiet = false;
                auto look = directory_.unreached(collection_, reached_, [&] { return quiet = !sessions_.any_moving(); });
                work_ += 1000;
                if (!quiet) {
                    held_up_ = true;
                    return finish();
                }
                for (const heap::ObjectRef ref : look.found)
                    if (const auto object = directory_.standing(ref.id); object && object->ref == ref) reach(*object);
                if (!look.found.empty()) continue;
                garbage_ = std::move(look.garbage);
                if (garbage_.empty()) return finish();
                phase_ = Phase::freeing;
            }
        }
        return false;
    } catch (const tx::Busy&) {
        held_up_ = true;
        return finish();
    } catch (...) {
        phase_ = Phase::idle;
        throw;
    }
}

}  // namespace muster::session
