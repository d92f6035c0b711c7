#include <muster/barrier.hpp>

#include <algorithm>
#include <limits>

#include "handles/line.hpp"

namespace muster {

using detail::guarded;
using detail::ObjectState;
using What = sync::Barrier::Arrival::What;
using Look = sync::Barrier::Look;

namespace detail {

void init_barrier(heap::ObjectRep& object, std::size_t parties, Timeout timeout) {
    // Nothing at all, as a timeout, is the shortest that there is: zero means none.
    const std::int64_t ns = timeout ? std::max(timeout->count(), std::int64_t{1}) : 0;
    sync::Barrier::init(object, parties, static_cast<std::uint64_t>(ns));
}

void check_parties(const ObjectState& state, std::size_t parties) {
    const std::uint64_t has = sync::Barrier(state.segment(), state.ref).parties();
    if (has != parties)
        throw Error(Errc::value_error, "open", state.subject(),
                    "it is one of " + std::to_string(has) + " parties, not " + std::to_string(parties));
}

}  // namespace detail

namespace {

constexpr std::size_t round_point = 0, entry_point = 1;  // who waits for the others; who waits to be let in

sync::Barrier barrier_of(const ObjectState& state) { return {state.segment(), state.ref}; }

void notify(const ObjectState& state) {
    for (const std::size_t point : {round_point, entry_point})
        sync::WaitPoint(state.object().wait_points[point]).notify_all();
}

void drop_dead(const ObjectState& state, sync::Barrier& barrier) {
    std::vector<std::uint64_t> others = barrier.owners();
    std::erase(others, sync::owner_of(state.session->id()));
    if (barrier.drop_dead(detail::dead_of(state, std::move(others)))) notify(state);
}
void look_around(const ObjectState& state, sync::Barrier& barrier) {
    if (detail::may_look(state, barrier)) drop_dead(state, barrier);
}

[[noreturn]] void throw_broken(const ObjectState& state, const char* why) {
    throw Error(Errc::broken_barrier, "wait", state.subject(), why);
}
constexpr const char* by_another = "it was aborted or reset, or somebody's timeout ran out, or its action failed";
constexpr const char* by_timeout = "not all came in time";

// The user's code, outside of everything. Its failure breaks the barrier.
void run_action(const ObjectState& state, sync::Barrier& barrier, const std::function<void()>& action, std::uint64_t run) {
    try {
        action();
    } catch (...) {
        barrier.abort();
        notify(state);
        throw;
    }
    if (!barrier.finish(run)) throw_broken(state, by_another);
    notify(state);
}

}  // namespace

std::size_t Barrier::wait_default() {
    const std::uint64_t ns = guarded(*state_, "wait", [&] { return barrier_of(*state_).timeout_ns(); });
    if (ns == 0 || ns > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return wait_within({});
    return wait_within(std::chrono::nanoseconds(static_cast<std::int64_t>(ns)));
}

std::size_t Barrier::wait_within(detail::Timeout timeout) {
    sync::Barrier::Arrival arrival{What::outside};
    guarded(*state_, "wait", [&] {
        const ObjectState& state = *state_;
        const base::Deadline deadline = base::Deadline::after(timeout);
        sync::Barrier barrier = barrier_of(state);
        const sync::SlotId self = detail::within(deadline, [&] { return state.session->slot(); });
        sync::WaitingThread me(state.segment(), self, state.session->id());
        const auto around = [&] { look_around(state, barrier); };
        const auto enter = [&] {
            arrival = barrier.arrive(me.who(), static_cast<bool>(action_), false);
            if (arrival.what == What::completes) {
                drop_dead(state, barrier);
                arrival = barrier.arrive(me.who(), static_cast<bool>(action_), true);
            }
            return arrival.what != What::outside;
        };
        if (!detail::wait_on_word(state, state.object().wait_points[entry_point], deadline, enter,
                                  [&] { return barrier.looks_closed(); }, around)) {
            barrier.abort();
            notify(state);
            throw_broken(state, by_timeout);
        }
        if (arrival.what == What::broken) throw_broken(state, by_another);
        if (arrival.what == What::passed) return notify(state);
        if (arrival.what == What::runs_action) return;  // as soon as nothing here waits any more

        detail::Leaving leaving([&] { return barrier.give_up(arrival.place, me.who()); });
        const sync::Waiting shown(state.session->sessions(), self, state.ref, state.kind);
        Look look = Look::waits;
        const auto decided = [&] { return (look = barrier.look(arrival.place, me.who())) != Look::waits; };
        const auto blocked = [&, round = barrier.round()] { return barrier.looks_waiting(round); };
        if (detail::wait_on_word(state, state.object().wait_points[round_point], deadline, decided, blocked, around)) {
            leaving.done();
        } else if (look = detail::within(base::Deadline::now(), [&] { return leaving.leave(); }); look == Look::waits) {
            notify(state);
            throw_broken(state, by_timeout);
        }
        // The last to leave lets those in who wait outside.
        if (!barrier.looks_closed()) sync::WaitPoint(state.object().wait_points[entry_point]).notify_all();
        if (look == Look::broken) throw_broken(state, by_another);
    });
    if (arrival.what == What::runs_action) {
        sync::Barrier barrier = barrier_of(*state_);
        run_action(*state_, barrier, action_, arrival.run);
    }
    return static_cast<std::size_t>(arrival.index);
}

void Barrier::reset() {
    guarded(*state_, "reset", [&] {
        barrier_of(*state_).reset();
        notify(*state_);
    });
}

void Barrier::abort() {
    guarded(*state_, "abort", [&] {
        barrier_of(*state_).abort();
        notify(*state_);
    });
}

std::size_t Barrier::parties() const {
    return guarded(*state_, "parties", [&] { return static_cast<std::size_t>(barrier_of(*state_).parties()); });
}

std::size_t Barrier::n_waiting() const {
    return guarded(*state_, "n_waiting", [&] { return static_cast<std::size_t>(barrier_of(*state_).status().waiting); });
}

bool Barrier::broken() const {
    return guarded(*state_, "broken", [&] { return barrier_of(*state_).status().phase == sync::BarrierPhase::broken; });
}

}  // namespace muster
