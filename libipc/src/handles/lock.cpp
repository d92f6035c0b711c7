#include <muster/lock.hpp>

#include <nlohmann/json.hpp>

#include "handles/object_state.hpp"

namespace muster {

using detail::guarded;
using detail::ObjectState;
using Outcome = sync::LockWord::Outcome;

namespace {

sync::RecursiveLock lock_of(const ObjectState& state) { return {state.segment(), state.session->sessions(), state.ref}; }
bool recursive(const ObjectState& state) noexcept { return state.kind != heap::Kind::lock; }

// ObjectState::destroyed() for the hot path: two words of an object that was looked up once.
auto destruction_of(const ObjectState& state, heap::ObjectRep& object) {
    const std::uint64_t alive = heap::Ident{state.ref.generation, state.kind, heap::Life::live}.pack();
    return [&state, &object, alive] {
        if (__builtin_expect(object.ident == alive && (object.flags & heap::flag_doomed) == 0, true)) return false;
        return state.destroyed();
    };
}
auto destruction_of(const ObjectState& state) { return destruction_of(state, state.object()); }

// What takes a few instructions, with little around it; whatever is not so is for the functions below. One that nobody
// has, or the caller has and nobody waits for, by a thread that used this session last.
template <typename Call>
bool at_once(const ObjectState& state, Call&& call) {
    const sync::SlotId self = state.session->last_slot();
    if (!self) return false;
    heap::ObjectRep& object = state.object();
    sync::LockWord lock(state.segment(), state.session->sessions(), object, state.ref);
    return call(lock, self, destruction_of(state, object));
}

[[gnu::noinline]] bool lock_slowly(const ObjectState& state, detail::Timeout timeout, OnDeadlock on_deadlock) {
    const base::Deadline deadline =
        !timeout ? base::Deadline::never() : base::Deadline::after(std::chrono::nanoseconds(*timeout));
    const sync::SlotId self = detail::within(deadline, [&] { return state.session->slot(); });
    const auto destroyed = destruction_of(state);
    const auto policy = static_cast<sync::OnDeadlock>(on_deadlock);
    auto lock = lock_of(state);
    try {
        switch (recursive(state) ? lock.acquire(self, deadline, destroyed, policy)
                                 : lock.LockWord::acquire(self, deadline, destroyed, policy)) {
            case Outcome::acquired: return true;
            case Outcome::timed_out: return false;
            case Outcome::too_many_levels:
                throw Error(Errc::limit_exceeded, "lock", state.subject(), "the caller holds it 4294967295 times");
            case Outcome::destroyed: break;
        }
    } catch (const sync::Deadlock& deadlock) {
        std::string text = sync::describe(state.segment(), state.session->sessions(), deadlock.cycle);
        if (state.session->has_daemon()) try {
                state.session->control().oneway("io.muster.objects.DeadlockBroken", {{"text", text}});
            } catch (const Error&) {  // not there now: its log has a line less
            }
        throw Error(Errc::deadlock, "lock", state.subject(), std::move(text));
    }
    throw heap::Destroyed{};
}

[[gnu::noinline]] void unlock_slowly(const ObjectState& state, const detail::BasicLock& handle) {
    // Erased while it was held: there is nothing left to release, and a guard's destructor must not throw.
    const auto destroyed = destruction_of(state);
    const sync::SlotId self = state.session->known_slot();
    auto lock = lock_of(state);
    const auto broken = [&] {
        throw Error(Errc::not_owner, "unlock", state.subject(),
                    "the hold was broken, by force; what it guards may be in use by another");
    };
    if (recursive(state)) {
        const auto left = lock.release(self, destroyed);
        if (left == sync::RecursiveLock::Left::broken) broken();
        if (left != sync::RecursiveLock::Left::not_owner) return;
        const auto who = handle.owner();
        throw Error(Errc::not_owner, "unlock", state.subject(),
                    !who ? "nobody holds it"
                         : "it is held by thread " + std::to_string(who->tid) + " of PID " + std::to_string(who->pid));
    }
    const auto released = lock.LockWord::release(self, destroyed);
    if (released == sync::LockWord::Released::broken) broken();
    if (released == sync::LockWord::Released::not_locked)
        throw Error(Errc::not_locked, "unlock", state.subject(), "nobody holds it");
}

}  // namespace

namespace detail {

bool BasicLock::lock_within(Timeout timeout, OnDeadlock on_deadlock) {
    return guarded(*state_, "lock", [&] {
        const auto take = [](auto& lock, sync::SlotId self, const auto& destroyed) { return lock.take_free(self, destroyed); };
        return at_once(*state_, take) || lock_slowly(*state_, timeout, on_deadlock);
    });
}

void BasicLock::unlock() {
    guarded(*state_, "unlock", [&] {
        const auto let_go = [](auto& lock, sync::SlotId self, const auto& destroyed) { return lock.release_own(self, destroyed); };
        if (recursive(*state_) || !at_once(*state_, let_go)) unlock_slowly(*state_, *this);
    });
}

bool BasicLock::previous_owner_died() const {
    return guarded(*state_, "previous_owner_died", [&] { return lock_of(*state_).inherited(); });
}

std::optional<BasicLock::Owner> BasicLock::owner() const {
    return guarded(*state_, "owner", [&]() -> std::optional<Owner> {
        const sync::Sessions& sessions = state_->session->sessions();
        const sync::SlotId slot = lock_of(*state_).holder();
        const auto holder = sessions.holder(slot);
        // The numbers of the dead may be somebody else's by now.
        if (!holder || !sessions.alive(slot)) return {};
        return Owner{holder->pid, holder->tid};
    });
}

bool BasicLock::locked() const {
    return guarded(*state_, "locked", [&] { return static_cast<bool>(lock_of(*state_).holder()); });
}

std::uint64_t BasicLock::token() const {
    return guarded(*state_, "token", [&] {
        const auto lock = lock_of(*state_);
        const std::uint64_t now = lock.load();
        const sync::SlotId self = state_->session->known_slot();
        if ((!self || sync::LockWord::holder_in(now) != self) && lock.broken_for(self))
            throw Error(Errc::not_owner, "token", state_->subject(), "the hold was broken, by force");
        return lock.token_of(now);
    });
}

bool BasicLock::break_lock() {
    return guarded(*state_, "break", [&] {
        if (state_->destroyed()) throw heap::Destroyed{};
        return lock_of(*state_).break_hold([&] { return state_->destroyed(); });
    });
}

}  // namespace detail

std::uint32_t RLock::levels() const {
    return guarded(*state_, "levels", [&] { return lock_of(*state_).levels(state_->session->known_slot()); });
}

}  // namespace muster
