#include <muster/detail/lease.hpp>

#include <algorithm>

#include "handles/queue.hpp"

namespace muster::detail {

std::uint64_t lease_owner(session::Session& session) {
    const sync::SessionId id = session.id();
    return std::uint64_t{id.generation} << 32 | (id.index + 1);
}

void tell_all(const ObjectState& state) {
    for (const std::size_t point : {items_point, room_point, tasks_point}) point_of(state, point).notify_all();
}

void return_dead_leases(const ObjectState& state) {
    containers::Queue queue = queue_of(state);
    if (!queue.looks_lent()) return;
    const sync::Sessions& sessions = state.session->sessions();
    const auto dead = [&](std::uint64_t owner) { return !sync::owner_alive(sessions, owner); };
    if (queue.return_leases(dead) != 0) tell_all(state);
}

LeaseToken& LeaseToken::operator=(LeaseToken&& other) noexcept {
    if (this != &other) {
        LeaseToken old(std::move(*this));
        queue_ = std::move(other.queue_);
        owner_ = other.owner_;
        at_ = other.at_;
        id_ = other.id_;
        deliveries_ = other.deliveries_;
    }
    return *this;
}

LeaseToken::~LeaseToken() {
    if (queue_ == nullptr) return;
    try {
        settle("nack", false);
    } catch (...) {  // destroyed, cleared, or a forked child's copy: nothing to give back
    }
}

void LeaseToken::settle(const char* operation, bool done) {
    using Settled = containers::Queue::Settled;
    if (queue_ == nullptr) throw Error(Errc::not_owner, operation, "a leased item", "it was settled before");
    const ObjectState& state = *queue_;
    guarded(state, operation, [&] {
        const containers::Queue::Lease lease{at_, id_, deliveries_};
        if (lease_owner(*state.session) != owner_)
            throw Error(Errc::not_owner, operation, state.subject(), "the process that forked this one has leased the item");
        containers::Queue queue = queue_of(state);
        const Settled settled = done ? queue.acknowledge(owner_, lease) : queue.give_back(owner_, lease);
        if (settled == Settled::not_leased)
            throw Error(Errc::not_owner, operation, state.subject(), "the lease is over: the queue was cleared");
        if (!done) point_of(state, items_point).notify(1);
        if (settled == Settled::last) point_of(state, tasks_point).notify_all();
        if (queue.looks_closed()) point_of(state, items_point).notify_all();  // nothing will come back
    });
    queue_.reset();
}

}  // namespace muster::detail
