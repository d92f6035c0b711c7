#include <muster/queue.hpp>

#include <thread>

#include "handles/object_state.hpp"

namespace muster::detail {
namespace {

using Result = containers::Queue::Result;

// Which of an object's wait points is for what.
constexpr std::size_t items_point = 0, room_point = 1;
// Looks before going to sleep, when another core could be at work on it: a fraction of what a wake-up costs.
constexpr int spins = 200;

containers::Queue queue_of(const ObjectState& state) { return {state.segment(), state.ref}; }
sync::WaitPoint point_of(const ObjectState& state, std::size_t which) {
    return sync::WaitPoint(state.object().wait_points[which]);
}

bool several_cores() noexcept {
    static const bool several = std::thread::hardware_concurrency() > 1;
    return several;
}

void check_timeout(const ObjectState& state, const char* operation, Timeout timeout) {
    if (timeout && *timeout < std::chrono::nanoseconds::zero())
        throw Error(Errc::invalid_argument, operation, state.subject(), "the timeout is negative");
}

// Repeats `attempt` until it is not `blocked`, sleeping on the wait point in between. False: the time ran out.
template <typename Attempt, typename Blocked>
bool wait_until_done(const ObjectState& state, std::size_t point, Timeout timeout, Attempt&& try_it, Blocked&& looks_blocked) {
    const base::Deadline deadline =
        !timeout ? base::Deadline::never() : base::Deadline::after(std::chrono::nanoseconds(*timeout));
    const auto attempt = [&] { return within(deadline, try_it); };
    if (attempt()) return true;
    if (deadline.is_now()) return false;
    for (int i = 0; several_cores() && i < spins && looks_blocked(); ++i) tx::relax();
    sync::WaitPoint wait = point_of(state, point);
    for (;;) {
        const std::uint32_t announced = wait.announce();
        if (attempt()) return true;
        if (deadline.passed()) return false;
        wait.sleep(announced, deadline);
        if (state.destroyed()) throw heap::Destroyed{};
    }
}

}  // namespace

void init_queue(heap::ObjectRep& object, std::int64_t maxsize) { containers::Queue::init(object, maxsize); }

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
    point_of(*state_, room_point).notify_all();
}

bool QueueBase::put(Bytes value, Timeout timeout) {
    check_size(*state_, "put", "an item", value.size(), max_value);
    check_timeout(*state_, "put", timeout);
    return guarded(*state_, "put", [&] {
        containers::Queue queue = queue_of(*state_);
        const auto attempt = [&] {
            switch (queue.try_put(value)) {
                case Result::ok: return true;
                case Result::closed: throw Error(Errc::closed, "put", state_->subject());
                default: return false;
            }
        };
        if (!wait_until_done(*state_, room_point, timeout, attempt, [&] { return queue.looks_full(); })) return false;
        point_of(*state_, items_point).notify(1);
        return true;
    });
}

bool QueueBase::get(Buffer& out, Timeout timeout) {
    check_timeout(*state_, "get", timeout);
    return guarded(*state_, "get", [&] {
        containers::Queue queue = queue_of(*state_);
        const auto attempt = [&] {
            switch (queue.try_get(out)) {
                case Result::ok: return true;
                case Result::closed: throw Error(Errc::closed, "get", state_->subject(), "and drained");
                default: return false;
            }
        };
        if (!wait_until_done(*state_, items_point, timeout, attempt, [&] { return queue.looks_empty(); })) return false;
        point_of(*state_, room_point).notify(1);
        return true;
    });
}

bool QueueBase::peek(Buffer& out) const {
    return guarded(*state_, "peek", [&] { return queue_of(*state_).peek(out) == Result::ok; });
}

void QueueBase::read(Strings& out) const {
    guarded(*state_, "read", [&] {
        queue_of(*state_).for_each([&](std::uint64_t) { out.clear(); }, [&](Bytes item) { out.add(item); });
    });
}

void QueueBase::throw_full() const {
    throw Error(Errc::full, "put", state_->subject(), std::to_string(maxsize()) + " items");
}

void QueueBase::throw_empty() const { throw Error(Errc::empty, "get", state_->subject()); }

}  // namespace muster::detail
