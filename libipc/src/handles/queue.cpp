#include <muster/queue.hpp>

#include "handles/nesting.hpp"
#include "handles/queue.hpp"
#include "handles/waiting.hpp"

namespace muster::detail {
namespace {

using Result = containers::Queue::Result;

// The next item, decoded before it is gone: the call's `at`th.
Result get_one(const ObjectState& state, containers::Queue& queue, const Taker& taker, std::size_t at) {
    Buffer item;
    std::shared_ptr<Kept> handles;
    containers::Queue::Seen seen;
    int lost = 0;
    const auto may_run_locked = [&] { return !has_handles(state) && taker.may_run_locked(item.size(), lost); };
    const auto accept = [&] {
        if (!may_run_locked()) return false;
        taker(at, item.bytes());
        return true;
    };
    Result result = queue.try_get(item, seen, accept);
    for (; result == Result::kept; ++lost) {
        if (may_run_locked() || !hold_copy(state, handles, item)) {
            result = queue.try_get(item, seen, accept);
            continue;
        }
        taker(at, item.bytes());
        result = queue.take_seen(item, seen);
    }
    return result;
}

// Further items until `taken` are `most`. Throws only where nothing was taken: what we have we give.
Result get_some(const ObjectState& state, containers::Queue& queue, std::size_t most, const Taker& taker, std::size_t& taken) {
    constexpr std::size_t enough = 64 * 1024;  // bytes of a portion: while they are decoded others may wait
    Strings portion;
    std::shared_ptr<Kept> handles;
    std::size_t decoded = 0;
    // What cannot be decoded ends the portion; as its first it is an error.
    const auto decode_while = [&](const auto& may_go_on) {
        try {
            for (; decoded < portion.size() && may_go_on(portion[decoded].size()); ++decoded)
                taker(taken + decoded, portion[decoded]);
        } catch (...) {
            if (decoded == 0) throw;
        }
    };
    const auto accept = [&] {
        const std::size_t before = decoded;
        if (!has_handles(state)) decode_while([&](std::size_t bytes) { return taker.may_run_locked(bytes); });
        return decoded - before;
    };
    Result result = Result::ok;
    const auto add = [&](const containers::Queue::Many& many) {
        taken += many.count;
        result = many.result;
        return result != Result::kept;
    };
    const auto begin = [&] {
        portion.clear();
        decoded = 0;
    };
    try {
        while (taken < most && result == Result::ok) {
            begin();
            if (taker.of_library() && !has_handles(state)) {
                if (add(queue.get_many(most - taken, portion, enough, [&accept] { return accept(); }))) continue;
                if (taken == most) break;
                begin();
            }
            containers::Queue::Seen seen;
            if (queue.look_at_many(most - taken, portion, enough, seen) != 0 && hold_copy(state, handles, portion)) {
                decode_while([](std::size_t) { return true; });
                if (add(queue.take_many_seen(decoded, seen))) continue;
            }
            result = get_one(state, queue, taker, taken);  // others are at it, too, or it is no row
            if (result == Result::ok) ++taken;
        }
    } catch (...) {
        if (taken == 0) throw;
    }
    return result;
}

}  // namespace

void init_queue(heap::ObjectRep& object, std::int64_t maxsize, std::uint8_t order, std::uint64_t max_deliveries) {
    containers::Queue::init(object, maxsize, static_cast<containers::Order>(order), max_deliveries);
}

std::uint8_t queue_order(const ObjectState& state) { return static_cast<std::uint8_t>(queue_of(state).order()); }

std::size_t QueueBase::size() const {
    return guarded(*state_, "size", [&] { return static_cast<std::size_t>(queue_of(*state_).size()); });
}

bool QueueBase::full() const {
    return guarded(*state_, "full", [&] {
        const containers::Queue queue = queue_of(*state_);
        const std::int64_t bound = queue.maxsize();
        return bound > 0 && queue.size() >= static_cast<std::uint64_t>(bound);
    });
}

std::int64_t QueueBase::maxsize() const {
    return guarded(*state_, "maxsize", [&] { return queue_of(*state_).maxsize(); });
}

Order QueueBase::order() const {
    return guarded(*state_, "order", [&] { return static_cast<Order>(queue_order(*state_)); });
}

std::uint32_t QueueBase::max_deliveries() const {
    return guarded(*state_, "max_deliveries", [&] { return static_cast<std::uint32_t>(queue_of(*state_).max_deliveries()); });
}

void QueueBase::close() {
    guarded(*state_, "close", [&] { queue_of(*state_).close(); });
    point_of(*state_, items_point).notify_all();
    point_of(*state_, room_point).notify_all();
}

bool QueueBase::closed() const {
    return guarded(*state_, "closed", [&] { return queue_of(*state_).closed(); });
}

void QueueBase::clear() {
    guarded(*state_, "clear", [&] { queue_of(*state_).clear(); });
    tell_all(*state_);
}

void QueueBase::task_done() {
    using Done = containers::Queue::Done;
    const Done done = guarded(*state_, "task_done", [&] { return queue_of(*state_).task_done(); });
    if (done == Done::too_many)
        throw Error(Errc::value_error, "task_done", state_->subject(), "called more often than items were put");
    if (done == Done::last) point_of(*state_, tasks_point).notify_all();
}

bool QueueBase::join_within(Timeout timeout) {
    check_timeout(*state_, "join", timeout);
    return guarded(*state_, "join", [&] {
        const containers::Queue queue = queue_of(*state_);
        const auto done = [&] { return queue.unfinished() == 0; };
        return wait_until_done(*state_, tasks_point, timeout, done, [] { return false; },
                               [&] { return_dead_leases(*state_); });
    });
}

std::uint64_t QueueBase::unfinished() const {
    return guarded(*state_, "unfinished", [&] { return queue_of(*state_).unfinished(); });
}

std::size_t QueueBase::leased() const {
    return guarded(*state_, "leased", [&] { return static_cast<std::size_t>(queue_of(*state_).leased()); });
}

std::size_t QueueBase::retry_dead_letters() {
    const auto count = guarded(*state_, "retry_dead_letters", [&] { return queue_of(*state_).retry_dead(); });
    tell_all(*state_);
    return static_cast<std::size_t>(count);
}

std::size_t QueueBase::drop_dead_letters() {
    return guarded(*state_, "drop_dead_letters", [&] { return static_cast<std::size_t>(queue_of(*state_).drop_dead()); });
}

bool QueueBase::put(Bytes value, Timeout timeout) {
    check_size(*state_, "put", "an item", value.size(), max_value);
    check_timeout(*state_, "put", timeout);
    const Entering entering(*state_, "put", value);
    return guarded(*state_, "put", [&] {
        containers::Queue queue = queue_of(*state_);
        const auto attempt = [&] {
            try {
                switch (queue.try_put(value)) {
                    case Result::ok: return true;
                    case Result::closed: throw Error(Errc::closed, "put", state_->subject());
                    default: return false;
                }
            } catch (const containers::Uncomparable&) {
                throw_uncomparable(*state_, "put");
            }
        };
        const auto blocked = [&] { return queue.looks_full(); };
        if (!wait_until_done(*state_, room_point, timeout, attempt, blocked, [] {})) return false;
        point_of(*state_, items_point).notify_after_unlock(1);
        return true;
    });
}

std::size_t QueueBase::put_many(const Strings& values, Timeout timeout) {
    for (std::size_t i = 0; i < values.size(); ++i) check_size(*state_, "put_many", "an item", values[i].size(), max_value);
    check_timeout(*state_, "put_many", timeout);
    const Entering entering(*state_, "put_many", values);
    std::size_t done = 0;
    guarded(*state_, "put_many", [&] {
        containers::Queue queue = queue_of(*state_);
        const auto attempt = [&] {
            try {
                const containers::Queue::Many many = queue.put_many(values, done);
                if (many.result == Result::closed) throw Error(Errc::closed, "put_many", state_->subject());
                done += many.count;
                if (many.count != 0) point_of(*state_, items_point).notify(static_cast<int>(std::min<std::size_t>(many.count, INT_MAX)));
                // Full without a bound is memory: the next round finds room, or says so.
                return done == values.size();
            } catch (const containers::Uncomparable&) {
                throw_uncomparable(*state_, "put_many");
            }
        };
        return wait_until_done(*state_, room_point, timeout, attempt, [&] { return queue.looks_full(); }, [] {});
    });
    return done;
}

// `take` is tried until it gives ok. With `closed`: closed and drained is no error.
template <typename Take>
bool QueueBase::take(const char* operation, Timeout timeout, bool* closed, Take&& take) {
    check_timeout(*state_, operation, timeout);
    return guarded(*state_, operation, [&] {
        containers::Queue queue = queue_of(*state_);
        const auto attempt = [&] {
            switch (take(queue)) {
                case Result::ok: return true;
                case Result::lent:
                    if (queue.lent_to_others(lease_owner(*state_->session))) return false;
                    [[fallthrough]];
                case Result::closed:
                    if (closed == nullptr) throw Error(Errc::closed, operation, state_->subject(), "and drained");
                    return *closed = true;
                default: return false;
            }
        };
        const auto blocked = [&] { return queue.looks_empty(); };
        const auto look_around = [&] { return_dead_leases(*state_); };
        try {
            if (!wait_until_done(*state_, items_point, timeout, attempt, blocked, look_around)) return false;
        } catch (...) {
            point_of(*state_, items_point).notify(1);  // what stays may be another one's
            throw;
        }
        point_of(*state_, room_point).notify_after_unlock(1);
        return true;
    });
}

bool QueueBase::get(const Taker& taker, Timeout timeout) {
    return take("get", timeout, nullptr, [&](containers::Queue& queue) { return get_one(*state_, queue, taker, 0); });
}

bool QueueBase::get_unless_closed(const Taker& taker, const std::stop_token& stop) {
    bool ended = false;
    sync::WaitPoint items = guarded(*state_, "consume", [&] { return point_of(*state_, items_point); });
    // In the thread that requests the stop. All who wait are woken, for whom it is cannot be said; the others sleep again.
    const std::stop_callback wake(stop, [&]() noexcept { items.notify_all(); });
    (void)take("consume", {}, &ended, [&](containers::Queue& queue) {
        if (stop.stop_requested()) return Result::closed;
        return get_one(*state_, queue, taker, 0);
    });
    return !ended;
}

std::size_t QueueBase::get_many(std::size_t most, const Taker& taker, Timeout timeout) {
    std::size_t taken = 0;
    if (most == 0) return taken;
    (void)take("get_many", timeout, nullptr, [&](containers::Queue& queue) {
        const Result result = get_some(*state_, queue, most, taker, taken);
        if (taken > 1) point_of(*state_, room_point).notify_all();
        if (taken != 0 && taken < most && !queue.looks_empty()) point_of(*state_, items_point).notify(1);  // not for us
        return taken != 0 ? Result::ok : result;
    });
    return taken;
}

std::size_t QueueBase::drain(const Taker& taker) {
    std::size_t taken = 0;
    guarded(*state_, "drain", [&] {
        containers::Queue queue = queue_of(*state_);
        (void)get_some(*state_, queue, ~std::size_t{0}, taker, taken);
        if (!queue.looks_empty()) point_of(*state_, items_point).notify(1);  // not for us
    });
    point_of(*state_, room_point).notify_all();
    return taken;
}

std::optional<LeaseToken> QueueBase::lease_bytes(Buffer& out, Timeout timeout) {
    containers::Queue::Lease lease;
    const std::uint64_t owner = guarded(*state_, "get_leased", [&] { return lease_owner(*state_->session); });
    std::optional<LeaseToken> token;  // its end gives the item back, whatever fails
    (void)take("get_leased", timeout, nullptr, [&](containers::Queue& queue) {
        return taking(*state_, out, [&](auto what) {
            const Result result = queue.try_lease(owner, out, lease, what);
            if (result == Result::ok) token.emplace(state_, owner, lease.at, lease.id, lease.deliveries);
            return result;
        });
    });
    return token;
}

std::optional<LeaseToken> QueueBase::lease(const Taker& taker, Timeout timeout) {
    Buffer out;
    std::optional<LeaseToken> token = lease_bytes(out, timeout);
    if (token) guarded(*state_, "get_leased", [&] { taker(0, out.bytes()); });
    return token;
}

bool QueueBase::peek(Buffer& out) const {
    return guarded(*state_, "peek", [&] {
        return reading(*state_, out, [&] { return queue_of(*state_).peek(out) == Result::ok; });
    });
}

void QueueBase::read(Strings& out) const {
    guarded(*state_, "read", [&] {
        reading(*state_, out, [&] {
            queue_of(*state_).for_each([&](std::uint64_t) { out.clear(); }, [&](Bytes item) { out.add(item); });
        });
    });
}

void QueueBase::read_dead(Strings& out, std::vector<std::uint64_t>& deliveries) const {
    guarded(*state_, "dead_letters", [&] {
        reading(*state_, out, [&] {
            queue_of(*state_).for_each_dead(
                [&](std::uint64_t) {
                    out.clear();
                    deliveries.clear();
                },
                [&](Bytes item, std::uint64_t times) {
                    out.add(item);
                    deliveries.push_back(times);
                });
        });
    });
}

void QueueBase::throw_full() const {
    throw Error(Errc::full, "put", state_->subject(), std::to_string(maxsize()) + " items");
}

void QueueBase::throw_empty() const { throw Error(Errc::empty, "get", state_->subject()); }

}  // namespace muster::detail
