#include <muster/event.hpp>

#include "handles/waiting.hpp"

namespace muster {

using detail::guarded;

namespace {

sync::Event event_of(const detail::ObjectState& state) { return {state.segment(), state.ref}; }
constexpr std::size_t set_point = 0;

}  // namespace

bool Event::is_set() const {
    return guarded(*state_, "is_set", [&] { return sync::Event::flag(event_of(*state_).word()); });
}

void Event::set() {
    guarded(*state_, "set", [&] {
        event_of(*state_).set();
        // Also when it was set: whoever did that may have died before it woke the others.
        sync::WaitPoint(state_->object().wait_points[set_point]).notify_all();
    });
}

void Event::clear() {
    guarded(*state_, "clear", [&] { event_of(*state_).clear(); });
}

bool Event::wait_within(detail::Timeout timeout) const {
    return guarded(*state_, "wait", [&] {
        const sync::Event event = event_of(*state_);
        const std::uint64_t before = sync::Event::sets(event.word());
        const auto was_set = [&] {
            const std::uint64_t now = event.word();
            return sync::Event::flag(now) || sync::Event::sets(now) != before;
        };
        return detail::wait_until_done(*state_, set_point, timeout, was_set, [&] { return !was_set(); }, [] {});
    });
}

}  // namespace muster
