// Handles to shared objects as values of others: what happens when a value enters an object and when one leaves it.
//
// A value enters: `const Entering entering(state, "set", value);` before the change. The objects that it names are held
// until the change is done, and both sides are marked before (heap/object.hpp, ObjectFlags).
// A value is read: `reading(state, out, [&] { ... copy into out ... })`. What the copy names is held before anybody decodes
// it; where that came too late because the value had gone from the object meanwhile, the copy is made again.
// A value is taken out: it is copied, `hold_copy` holds what it names, it is decoded, and then taken if it is the same still.
// A value is leased, which is decoded later: `taking(state, out, [&](heap::Taking what) { ... })`. As reading, and the
// thread's mark tells the collector meanwhile that something is on its way. Why this suffices: DESIGN.md, "Nesting".
// Values without handles cost a look at their first byte on the way in and at one flag on the way out: what is held, the
// mark, and the slot that it stands in, are for objects in which a handle was ever stored. As it may be the first that goes
// out, the flag is looked at once more under the object's lock; who leases without the mark is refused when it is set by now.
//
// Thread safety: as the handles.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include <muster/detail/origin.hpp>

#include "handles/object_state.hpp"

namespace muster::detail {

// Only arrays, maps and handles themselves have handles in them; and none has without these two bytes.
inline bool may_hold_handles(Bytes value) noexcept {
    if (value.empty()) return false;
    const auto first = static_cast<unsigned>(value[0]);
    if (first < lead::fixmap || (first >= lead::fixstr && first != lead::fixext16 && (first < lead::array16 || first > lead::map32)))
        return false;
    return containers::find_handle(value.data(), value.data() + value.size()) != nullptr;
}

class Entering {
  public:
    Entering(const ObjectState& into, const char* operation, Bytes value) : Entering(into) {
        if (__builtin_expect(may_hold_handles(value), false)) admit(operation, value);
    }
    Entering(const ObjectState& into, const char* operation, const Strings& values) : Entering(into) {
        for (std::size_t i = 0; i < values.size(); ++i)
            if (__builtin_expect(may_hold_handles(values[i]), false)) admit(operation, values[i]);
    }
    Entering(const Entering&) = delete;
    Entering& operator=(const Entering&) = delete;
    ~Entering() {
        for (const heap::ObjectRef ref : held_) into_.session->release(ref);
    }

  private:
    explicit Entering(const ObjectState& into) noexcept : into_(into) {}  // from here on what is held is let go
    // Throws invalid_argument, destroyed.
    void admit(const char* operation, Bytes value);
    void admit(const char* operation, const muster::ObjectRef& ref);
    const ObjectState& into_;
    std::vector<heap::ObjectRef> held_;
};

// What was read out of one object: the handles in it, held.
class Kept final : public Origin, public std::enable_shared_from_this<Kept> {
  public:
    explicit Kept(std::shared_ptr<session::Session> session) : session_(std::move(session)) {}
    // Holds what the bytes name. False: something is gone that was not known to be gone before; read again.
    bool hold(Bytes bytes);
    bool empty() const noexcept { return held_.empty() && gone_.empty(); }

    std::shared_ptr<ObjectState> open(const muster::ObjectRef& ref) const override;
    void linger() const override;
    // What lingers for the calling thread does so no longer: nothing that it was read for is left.
    static void let_go() noexcept { last().reset(); }

  private:
    static std::shared_ptr<const Kept>& last() noexcept;
    using Key = std::pair<std::uint32_t, std::uint32_t>;
    std::shared_ptr<session::Session> session_;
    std::map<Key, std::shared_ptr<ObjectState>> held_;
    std::set<Key> gone_;
};

inline Bytes all_bytes(const Buffer& out) noexcept { return out.bytes(); }
inline Bytes all_bytes(const Strings& out) noexcept { return out.bytes(); }

// As long as nothing was ever stored in the object that is a handle, nothing that came out of it has one.
inline bool has_handles(const ObjectState& from) noexcept {
    return (from.object().flags & heap::flag_with_handles) != 0;
}

template <typename Out>
bool hold_what_left(const ObjectState& from, std::shared_ptr<Kept>& kept, Out& out) {
    const Bytes bytes = all_bytes(out);
    if (bytes.empty() || containers::find_handle(bytes.data(), bytes.data() + bytes.size()) == nullptr) return true;
    if (kept == nullptr) kept = std::make_shared<Kept>(from.session);
    if (!kept->hold(bytes)) return false;
    if (!kept->empty()) out.set_origin(kept);
    return true;
}

// A copy of what is about to be taken, before it is decoded: what it names is held while the object has it still, so that
// nothing of it is on its way unheld. False: it has gone meanwhile; look again.
template <typename Out>
bool hold_copy(const ObjectState& from, std::shared_ptr<Kept>& kept, Out& out) {
    return __builtin_expect(!has_handles(from), true) || hold_what_left(from, kept, out);
}

// `read` copies values into `out` and changes nothing; or, if it changes something, can be done again.
template <typename Out, typename Read>
decltype(auto) reading(const ObjectState& from, Out& out, Read&& read) {
    std::shared_ptr<Kept> kept;
    for (;;) {
        if constexpr (std::is_void_v<decltype(read())>) {
            read();
            if (__builtin_expect(!has_handles(from), true) || hold_what_left(from, kept, out)) return;
        } else {
            auto result = read();
            if (__builtin_expect(!has_handles(from), true) || hold_what_left(from, kept, out)) return result;
        }
    }
}

// The calling thread has values in its hands that no object has any more, and does not hold yet what they name.
class Moving {
  public:
    explicit Moving(const ObjectState& from) : word_(from.session->moving()), before_(__atomic_load_n(&word_, __ATOMIC_RELAXED)) {
        __atomic_store_n(&word_, 1, __ATOMIC_RELAXED);  // before the change: that is made under a lock, which is left later
        std::atomic_signal_fence(std::memory_order_seq_cst);
    }
    Moving(const Moving&) = delete;
    Moving& operator=(const Moving&) = delete;
    ~Moving() { __atomic_store_n(&word_, before_, __ATOMIC_RELEASE); }

  private:
    std::uint64_t& word_;
    const std::uint64_t before_;
};

// `take` adds to `out` what it takes away, and gives anything but void. It passes on what it may take, and is called again
// when that was refused.
template <typename Out, typename Take>
auto taking(const ObjectState& from, Out& out, Take&& take) {
    if (__builtin_expect(!has_handles(from), true)) {
        try {
            return take(heap::Taking::plain);
        } catch (const heap::HandlesInside&) {  // the first one came this moment
        }
    }
    const Moving moving(from);
    auto result = take(heap::Taking::anything);
    if (__builtin_expect(has_handles(from), false)) {
        std::shared_ptr<Kept> kept;
        // What is gone was destroyed by name: nobody else can have freed it.
        while (!hold_what_left(from, kept, out)) {
        }
    }
    return result;
}

// The object that a handle names, as far as it is there, and held. Null: gone, or the handle lies about its kind.
std::shared_ptr<ObjectState> open_ref(const std::shared_ptr<session::Session>& session, const muster::ObjectRef& ref);

}  // namespace muster::detail
