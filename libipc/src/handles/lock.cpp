#include <muster/lock.hpp>

#include "handles/object_state.hpp"

namespace muster {

using detail::guarded;
using detail::ObjectState;

namespace {

sync::LockWord word_of(const ObjectState& state) {
    return {heap::root_of<sync::LockRep>(state.object()), state.session->sessions()};
}

}  // namespace

bool Lock::lock_within(detail::Timeout timeout) {
    return guarded(*state_, "lock", [&] {
        const base::Deadline deadline =
            !timeout ? base::Deadline::never() : base::Deadline::after(std::chrono::nanoseconds(*timeout));
        const sync::SlotId self = detail::within(deadline, [&] { return state_->session->slot(); });
        switch (word_of(*state_).acquire(self, deadline, [&] { return state_->destroyed(); })) {
            case sync::LockWord::Outcome::acquired: return true;
            case sync::LockWord::Outcome::timed_out: return false;
            case sync::LockWord::Outcome::destroyed: break;
        }
        throw heap::Destroyed{};
    });
}

void Lock::unlock() {
    guarded(*state_, "unlock", [&] {
        // Erased while it was held: there is nothing left to release, and a guard's destructor must not throw.
        if (state_->destroyed()) return;
        if (!word_of(*state_).release())
            throw Error(Errc::not_locked, "unlock", state_->subject(), "nobody holds it");
    });
}

bool Lock::previous_owner_died() const {
    return guarded(*state_, "previous_owner_died", [&] { return word_of(*state_).inherited(); });
}

std::optional<Lock::Owner> Lock::owner() const {
    return guarded(*state_, "owner", [&]() -> std::optional<Owner> {
        const sync::Sessions& sessions = state_->session->sessions();
        const sync::SlotId slot = word_of(*state_).holder();
        const auto holder = sessions.holder(slot);
        // The numbers of the dead may be somebody else's by now.
        if (!holder || !sessions.alive(slot)) return {};
        return Owner{holder->pid, holder->tid};
    });
}

bool Lock::locked() const {
    return guarded(*state_, "locked", [&] { return static_cast<bool>(word_of(*state_).holder()); });
}

std::uint64_t Lock::token() const {
    return guarded(*state_, "token", [&] { return word_of(*state_).token(); });
}

}  // namespace muster
