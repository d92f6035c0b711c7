// A value that is to be decoded before its object lets go of it (muster/detail/take.hpp), as lists and dicts take one: by
// its bytes, as items there have no number.
//
//     Departing item(state, taker);
//     for (;; item.decode()) { take it out if item.goes(bytes), asked under the lock; done unless item.kept(); }
//
// Thread safety: one thread's.
#pragma once

#include <algorithm>
#include <cstring>

#include <muster/detail/take.hpp>

#include "handles/nesting.hpp"

namespace muster::detail {

inline void copy(Bytes from, Buffer& to) {
    std::byte* at = to.resize(from.size());
    if (!from.empty()) std::memcpy(at, from.data(), from.size());
}

class Departing {
  public:
    Departing(const ObjectState& from, const Taker& taker) noexcept : from_(from), taker_(taker) {}
    // Under the lock: has it been decoded, or can it be now? Two byte strings are a key and its value.
    bool goes(Bytes first, Bytes second = {}) {
        if (is_decoded(first, second)) return true;
        copy(first, first_);
        copy(second, second_);
        if (!kept_) taker_(0, first_.bytes(), second_.bytes());
        return !kept_;
    }
    // The same of a copy.
    bool goes(const Buffer& value) {
        if (is_decoded(value.bytes(), {})) return true;
        if (kept_)
            copy(value.bytes(), first_);
        else
            taker_(0, value.bytes());
        return !kept_;
    }
    // What was asked about last is to be decoded, without the lock, before it may go.
    bool kept() const noexcept { return kept_; }
    void decode() {
        kept_ = false;
        if (!hold_copy(from_, handles_, first_) || !hold_copy(from_, handles_, second_)) return;
        taker_(0, first_.bytes(), second_.bytes());
        decoded_ = true;
    }

  private:
    bool is_decoded(Bytes first, Bytes second) {
        kept_ = false;
        if (decoded_ && std::ranges::equal(first, first_.bytes()) && std::ranges::equal(second, second_.bytes())) return true;
        if (decoded_) ++lost_;
        decoded_ = false;
        kept_ = has_handles(from_) || !taker_.may_run_locked(first.size() + second.size(), lost_);
        return false;
    }
    const ObjectState& from_;
    const Taker& taker_;
    std::shared_ptr<Kept> handles_;
    Buffer first_, second_;
    int lost_ = 0;  // so often others were faster
    bool decoded_ = false, kept_ = false;
};

}  // namespace muster::detail
