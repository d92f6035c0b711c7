#include <muster/condition.hpp>

#include <exception>
#include <limits>

#include "handles/line.hpp"
#include "handles/realm.hpp"

namespace muster {

using detail::guarded;
using detail::ObjectState;
using StatePtr = std::shared_ptr<ObjectState>;

namespace detail {

void init_condition(heap::ObjectRep& object, std::uint64_t lock) {
    sync::Condition::init(object, {static_cast<std::uint32_t>(lock), static_cast<std::uint32_t>(lock >> 32)});
}

}  // namespace detail

namespace {

sync::Condition condition_of(const ObjectState& state) { return {state.segment(), state.ref}; }

void look_around(const ObjectState& state, sync::Condition& condition) {
    if (!detail::may_look(state, condition)) return;
    sync::Woken woken;
    condition.drop_dead(detail::dead_of(state, condition.owners()), woken);
    sync::wake(state.segment(), woken);
}

// The lock of a condition that was found by its name.
StatePtr lock_state_of(const StatePtr& state) {
    return guarded(*state, "open", [&]() -> StatePtr {
        const heap::ObjectRef ref = condition_of(*state).lock();
        if (ref.id == 0) return state;
        const auto gone = [&] {
            throw Error(Errc::destroyed, "open", state->subject(), "the lock that it was given is gone; erase it and make it anew");
        };
        for (const auto& entry : state->session->directory().list()) {
            if (!(entry.ref == ref)) continue;
            // Without a name it lives as long as it is held; a handle's state lets go of it.
            if (entry.name.empty() && !state->session->hold(ref)) gone();
            return std::make_shared<ObjectState>(state->session, ref, entry.kind, entry.name);
        }
        gone();
        return {};
    });
}

}  // namespace

Condition::Condition(StatePtr condition) : BasicLock(lock_state_of(condition)), condition_(std::move(condition)) {}

Condition::Condition(StatePtr condition, detail::BasicLock lock) : BasicLock(std::move(lock)), condition_(std::move(condition)) {
    if (condition_ == nullptr) return;
    const heap::ObjectRef has = guarded(*condition_, "open", [&] { return condition_of(*condition_).lock(); });
    if (!(has == state_->ref))
        throw Error(Errc::value_error, "open", condition_->subject(), "it is there, and belongs to another lock than " + state_->subject());
}

std::uint64_t Condition::stored(const detail::BasicLock& lock, const detail::Realm& realm) {
    const Condition view(nullptr, lock);
    if (view.state_->session->segment().header().instance != realm.session()->segment().header().instance)
        throw Error(Errc::invalid_argument, "open", "condition", view.state_->subject() + " is of another realm");
    return std::uint64_t{view.state_->ref.generation} << 32 | view.state_->ref.id;
}

const std::string& Condition::name() const noexcept { return condition_->name; }

void Condition::check_owner(const char* operation) const {
    const sync::SlotId self = state_->session->known_slot();
    const sync::RecursiveLock lock(state_->segment(), state_->session->sessions(), state_->ref);
    if (self && lock.levels(self) != 0) return;
    // It held what is another object by now, perhaps.
    if (state_->destroyed() || condition_->destroyed()) throw heap::Destroyed{};
    throw Error(Errc::not_owner, operation, condition_->subject(), "the calling thread does not hold its lock");
}

bool Condition::wait_within(detail::Timeout timeout) {
    return guarded(*condition_, "wait", [&] {
        check_owner("wait");
        const base::Deadline deadline = base::Deadline::after(timeout);
        sync::Condition condition = condition_of(*condition_);
        sync::RecursiveLock lock(state_->segment(), state_->session->sessions(), state_->ref);
        const sync::SlotId self = state_->session->slot();
        sync::WaitingThread me(condition_->segment(), self, state_->session->id());
        const std::uint64_t place = detail::within(deadline, [&] { return condition.enter(me.who()); });
        const auto leave = [&] { return condition.leave(place, me.who()); };
        detail::Leaving leaving([&] {
            sync::Woken woken;
            condition.give_up(place, me.who(), woken);
            sync::wake(condition_->segment(), woken);
        });
        const std::uint32_t levels = lock.release_all(self);
        if (levels == 0) check_owner("wait");  // its hold was broken just now

        bool notified = false, left = false;
        std::exception_ptr failure;
        try {
            const sync::Waiting shown(state_->session->sessions(), self, condition_->ref, condition_->kind);
            notified = detail::wait_on_word(*condition_, me.word(), deadline, [&] { return condition.notified(place, me.who()); },
                                            [&] { return condition.looks_waiting(place); }, [&] { look_around(*condition_, condition); });
            // Nobody is to notify one who does not wait any more.
            if (!notified) {
                notified = detail::within(base::Deadline::now(), leave);
                leaving.done();
                left = true;
            }
        } catch (...) {
            failure = std::current_exception();
        }
        const auto destroyed = [&] { return state_->destroyed(); };
        if (lock.acquire_restoring(self, levels, base::Deadline::never(), destroyed) != sync::LockWord::Outcome::acquired)
            throw heap::Destroyed{};
        if (failure) std::rethrow_exception(failure);
        // Only now: until here its death would pass the notification on.
        if (!left) {
            (void)detail::within(timeout ? base::Deadline::now() : deadline, leave);
            leaving.done();
        }
        return notified;
    });
}

void Condition::notify(std::int64_t count) {
    guarded(*condition_, "notify", [&] {
        check_owner("notify");
        if (count <= 0) return;
        sync::Woken woken;
        sync::Condition condition = condition_of(*condition_);
        condition.notify(static_cast<std::uint64_t>(count), woken);
        sync::wake(condition_->segment(), woken);
    });
}

void Condition::notify_all() { notify(std::numeric_limits<std::int64_t>::max()); }

std::size_t Condition::n_waiting() const {
    return guarded(*condition_, "n_waiting", [&] { return static_cast<std::size_t>(condition_of(*condition_).waiting()); });
}

}  // namespace muster
