// What the handles of those primitives share that keep a line of waiters (sync/line.hpp).
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "handles/waiting.hpp"

namespace muster::detail {

// Of these owners, who is dead as far as can be known here. Asked without the object's lock: it takes others. The answer
// goes on holding: an owner's number is never given again.
inline sync::Dead dead_of(const ObjectState& state, std::vector<std::uint64_t> owners) {
    const sync::Sessions& sessions = state.session->sessions();
    std::erase_if(owners, [&](std::uint64_t owner) { return sync::owner_alive(sessions, owner); });
    return [dead = std::move(owners)](std::uint64_t owner) {
        return std::find(dead.begin(), dead.end(), owner) != dead.end();
    };
}

// Is it this caller who looks whether the others live? Under the object's lock, as a line's every call: who comes late must
// not write into what has the object's place by then. Throws heap::Destroyed.
template <typename Kind>
bool may_look(const ObjectState& state, const Kind& kind) {
    const heap::ObjectLock lock(state.segment(), state.ref);
    return kind.may_look();
}

// Out of the line when the wait ends in whatever way. Where that cannot be done (somebody is stopped inside the object, or
// it is gone) the record is nobody's as soon as its thread waits no longer, and others take it out.
template <typename Leave>
class Leaving {
  public:
    explicit Leaving(Leave leave) : leave_(std::move(leave)) {}
    Leaving(const Leaving&) = delete;
    Leaving& operator=(const Leaving&) = delete;
    ~Leaving() {
        if (done_) return;
        try {
            const tx::Patience patience(base::Deadline::now(), moment);
            (void)leave_();
        } catch (...) {
        }
    }
    void done() noexcept { done_ = true; }
    auto leave() {
        auto result = leave_();
        done_ = true;
        return result;
    }

  private:
    Leave leave_;
    bool done_ = false;
};

}  // namespace muster::detail
