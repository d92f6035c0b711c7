#include <muster/semaphore.hpp>

#include <algorithm>

#include "base/spin.hpp"
#include "handles/line.hpp"

namespace muster {

using detail::guarded;
using detail::ObjectState;

namespace detail {

void init_semaphore(heap::ObjectRep& object, std::int64_t value, bool bounded) {
    sync::Semaphore::init(object, static_cast<std::uint64_t>(value), bounded);
}

}  // namespace detail

namespace {

sync::Semaphore semaphore_of(const ObjectState& state) { return {state.segment(), state.ref}; }

// Permits of the dead come back, and go to those who wait.
void look_around(const ObjectState& state, sync::Semaphore& semaphore) {
    if (!detail::may_look(state, semaphore)) return;
    sync::Woken woken;
    semaphore.drop_dead(detail::dead_of(state, semaphore.owners()), woken);
    sync::wake(state.segment(), woken);
}

std::uint64_t owner_of(const ObjectState& state) { return sync::owner_of(state.session->id()); }

void check_count(const ObjectState& state, const char* operation, std::int64_t count) {
    if (count < 1)
        throw Error(Errc::invalid_argument, operation, state.subject(), std::to_string(count) + " permits, at least 1 makes sense");
}

// In line until it has a permit. False: the time ran out.
bool wait_in_line(const ObjectState& state, sync::Semaphore& semaphore, base::Deadline deadline) {
    const sync::SlotId self = detail::within(deadline, [&] { return state.session->slot(); });
    sync::WaitingThread me(state.segment(), self, state.session->id());
    const auto place = detail::within(deadline, [&] { return semaphore.enter(me.who()); });
    if (!place) return true;
    detail::Leaving leaving([&] {
        sync::Woken woken;
        semaphore.give_up(*place, me.who(), woken);
        sync::wake(state.segment(), woken);
    });
    const sync::Waiting shown(state.session->sessions(), self, state.ref, state.kind);
    const auto has_permit = [&] { return semaphore.claim(*place, me.who()); };
    const auto blocked = [&] { return semaphore.looks_waiting(*place); };
    if (detail::wait_on_word(state, me.word(), deadline, has_permit, blocked, [&] { look_around(state, semaphore); })) {
        leaving.done();
        return true;
    }
    const bool granted = detail::within(base::Deadline::now(), [&] { return semaphore.leave(*place, me.who()); });
    leaving.done();
    return granted;
}

}  // namespace

bool Semaphore::acquire_within(detail::Timeout timeout) {
    return guarded(*state_, "acquire", [&] {
        const base::Deadline deadline = base::Deadline::after(timeout);
        sync::Semaphore semaphore = semaphore_of(*state_);
        const std::uint64_t owner = owner_of(*state_);
        const auto attempt = [&] { return detail::within(deadline, [&] { return semaphore.try_acquire(owner); }); };
        if (attempt()) return true;
        if (deadline.is_now()) {
            // Nobody may be waiting who would find out that a permit's owner has gone.
            detail::within(deadline, [&] { look_around(*state_, semaphore); });
            return attempt();
        }
        base::spin_until([&] { return !semaphore.looks_taken(); });
        return wait_in_line(*state_, semaphore, deadline);
    });
}

void Semaphore::release(std::int64_t count) {
    check_count(*state_, "release", count);
    guarded(*state_, "release", [&] {
        sync::Woken woken;
        sync::Semaphore semaphore = semaphore_of(*state_);
        switch (semaphore.release(owner_of(*state_), static_cast<std::uint64_t>(count), woken)) {
            case sync::Semaphore::Released::yes: break;
            case sync::Semaphore::Released::too_often:
                throw Error(Errc::released_too_often, "release", state_->subject(),
                            std::to_string(count) + " more than the " + std::to_string(semaphore.value()) +
                                " that are free would be more than it began with");
            case sync::Semaphore::Released::too_many:
                throw Error(Errc::limit_exceeded, "release", state_->subject(),
                            "its value would be above " + std::to_string(max()));
        }
        sync::wake(state_->segment(), woken);
    });
}

std::int64_t Semaphore::get_value() const {
    return guarded(*state_, "get_value", [&] { return static_cast<std::int64_t>(semaphore_of(*state_).value()); });
}

bool Semaphore::bounded() const {
    return guarded(*state_, "bounded", [&] { return semaphore_of(*state_).bounded(); });
}

std::int64_t Semaphore::held() const {
    return guarded(*state_, "held",
                   [&] { return static_cast<std::int64_t>(semaphore_of(*state_).held(owner_of(*state_))); });
}

void Semaphore::disown(std::int64_t count) {
    check_count(*state_, "disown", count);
    guarded(*state_, "disown", [&] {
        if (!semaphore_of(*state_).disown(owner_of(*state_), static_cast<std::uint64_t>(count)))
            throw Error(Errc::value_error, "disown", state_->subject(),
                        "this process does not have " + std::to_string(count) + " of its permits");
    });
}

}  // namespace muster
