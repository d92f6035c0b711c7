// What a handle holds: its object, and its process's place in the realm. And the one place where what the segment's
// layers throw becomes a muster::Error with the operation and the object's name.
#pragma once

#include <memory>
#include <string>

#include <muster/detail/object.hpp>
#include <muster/error.hpp>

#include "session/session.hpp"

namespace muster::detail {

struct ObjectState {
    std::shared_ptr<session::Session> session;
    heap::ObjectRef ref;
    heap::Kind kind;
    std::string name;  // empty: anonymous
    bool held;         // in the session, by this

    ObjectState(std::shared_ptr<session::Session> in, heap::ObjectRef object, heap::Kind of, std::string called)
        : ObjectState(std::move(in), object, of, called, called.empty()) {}
    ObjectState(std::shared_ptr<session::Session> in, heap::ObjectRef object, heap::Kind of, std::string called, bool holds)
        : session(std::move(in)), ref(object), kind(of), name(std::move(called)), held(holds) {}
    ObjectState(const ObjectState&) = delete;
    ObjectState& operator=(const ObjectState&) = delete;
    ~ObjectState() {
        if (held) session->release(ref);
    }

    const segment::Segment& segment() const noexcept { return session->segment(); }
    heap::ObjectRep& object() const { return heap::object_at(session->segment(), ref.id); }
    // Also when whoever erased it was killed before it was done: then this call does the rest.
    bool destroyed() const { return !alive() || ((object().flags & heap::flag_doomed) != 0 && finish_erasing()); }
    std::string subject() const;

  private:
    bool alive() const {
        const heap::Ident ident = heap::Ident::unpack(object().ident);
        return ident.generation == ref.generation && ident.life == heap::Life::live;
    }
    bool finish_erasing() const;
};

// "dict 'totals'"
std::string subject_of(heap::Kind kind, std::string_view name, std::uint32_t id);
std::string_view kind_text(heap::Kind kind) noexcept;
std::string memory_text(std::uint64_t bytes);  // "4.0 MiB"

[[noreturn]] void throw_out_of_memory(const session::Session& session, const char* operation, std::string subject,
                                      const heap::OutOfMemory& missing);
[[noreturn]] void throw_damaged(const char* operation, std::string subject, const char* what);
[[noreturn]] void throw_busy(const session::Session& session, const char* operation, std::string subject,
                             const tx::Busy& busy);

// destroyed; or closed, when all objects are gone as the daemon was shut down.
[[noreturn]] void throw_gone(const ObjectState& state, const char* operation);
[[noreturn]] void throw_closed(const char* operation, std::string subject);

// The error being handled; what decoding throws says what was decoded.
[[noreturn]] void rethrow_named(const Error& error, const ObjectState& state, const char* operation);

// Runs `fn`, an operation on the object, and names what it throws.
template <typename Fn>
decltype(auto) guarded(const ObjectState& state, const char* operation, Fn&& fn) {
    try {
        return fn();
    } catch (const heap::Destroyed&) {
        throw_gone(state, operation);
    } catch (const heap::OutOfMemory& missing) {
        throw_out_of_memory(*state.session, operation, state.subject(), missing);
    } catch (const segment::Damage& damage) {
        throw_damaged(operation, state.subject(), damage.what);
    } catch (const tx::Busy& busy) {
        throw_busy(*state.session, operation, state.subject(), busy);
    } catch (const Error& error) {
        rethrow_named(error, state, operation);
    }
}

// How long an operation with a deadline waits for somebody who is inside and does work: a busy machine may take its time.
// One who is stopped is waited for until the deadline, or a moment where that is nearer.
inline constexpr std::chrono::seconds worker_patience{5};
inline constexpr std::chrono::milliseconds moment{100};

// Runs `attempt` under the deadline: tx::Busy, with who it is, rather than a wait that may never end.
template <typename Attempt>
auto within(base::Deadline deadline, Attempt&& attempt) {
    if (deadline.is_never()) return attempt();
    std::optional<base::Deadline> end;
    for (;;) {
        try {
            const tx::Patience patience(deadline, moment);
            return attempt();
        } catch (const tx::Busy& busy) {
            if (!end) end = base::Deadline::after(worker_patience);
            if (end->passed() || sync::occupant(busy.seen.owner).stopped()) throw;
        }
    }
}

// A new queue's options, while nobody can see it; and the order that it has.
void init_queue(heap::ObjectRep& object, std::int64_t maxsize, std::uint8_t order, std::uint64_t max_deliveries);
std::uint8_t queue_order(const ObjectState& state);
void init_pipe(const segment::Segment& segment, heap::ObjectRep& object, bool duplex, std::int64_t maxsize,
               std::uint32_t maker);
void init_semaphore(heap::ObjectRep& object, std::int64_t value, bool bounded);
void init_condition(heap::ObjectRep& object, std::uint64_t lock);
void init_barrier(heap::ObjectRep& object, std::size_t parties, Timeout timeout);
void check_parties(const ObjectState& state, std::size_t parties);

// The element that a Python index means. Throws index_error.
std::uint64_t array_position(const ObjectState& state, const char* operation, std::ptrdiff_t index, std::size_t length);

// No such key (key_error, no_attribute); a count beyond 64 bits.
[[noreturn]] void throw_absent_key(const ObjectState& state, const char* operation, Bytes key);
[[noreturn]] void throw_count_overflow(const ObjectState& state, const char* operation);

// Throws limit_exceeded.
[[noreturn]] void throw_limit(const ObjectState& state, const char* operation, const char* what, std::size_t size,
                              std::size_t limit);
inline void check_size(const ObjectState& state, const char* operation, const char* what, std::size_t size,
                       std::size_t limit) {
    if (__builtin_expect(size > limit, false)) throw_limit(state, operation, what, size, limit);
}

}  // namespace muster::detail
