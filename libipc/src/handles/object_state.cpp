#include "handles/object_state.hpp"

#include <cstdio>

namespace muster::detail {

std::string_view kind_text(heap::Kind kind) noexcept {
    switch (kind) {
        case heap::Kind::dict: return "dict";
        case heap::Kind::list: return "list";
        case heap::Kind::queue: return "queue";
        case heap::Kind::lock: return "lock";
        case heap::Kind::rlock: return "rlock";
        case heap::Kind::semaphore: return "semaphore";
        case heap::Kind::condition: return "condition";
        case heap::Kind::event: return "event";
        case heap::Kind::barrier: return "barrier";
        case heap::Kind::set: return "set";
        case heap::Kind::name_space: return "namespace";
        case heap::Kind::counter: return "counter";
        case heap::Kind::value: return "value";
        case heap::Kind::array: return "array";
        case heap::Kind::pipe: return "pipe";
        case heap::Kind::none: break;
    }
    return "object";
}

std::string subject_of(heap::Kind kind, std::string_view name, std::uint32_t id) {
    std::string text(kind_text(kind));
    return name.empty() ? text + " #" + std::to_string(id) : text + " '" + std::string(name) + "'";
}

// An object that has been unlinked lives on until it is taken apart, by the one who erased it or whoever next changes the
// directory. Nobody may: so those who sleep on the object must not leave it to others. What the flag says may yet be
// undone: the directory's lock tells.
bool ObjectState::finish_erasing() const {
    static constexpr std::chrono::milliseconds patience{50};
    try {
        containers::Directory(session->segment(), patience).finish_erased();
    } catch (const tx::Busy&) {  // somebody is at it
    }
    return !alive();
}

std::string ObjectState::subject() const { return subject_of(kind, name, ref.id); }

std::string memory_text(std::uint64_t bytes) {
    static constexpr const char* units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    if (bytes < 1024) return std::to_string(bytes) + " bytes";
    double value = static_cast<double>(bytes);
    unsigned unit = 0;
    for (; value >= 1024 && unit < 4; ++unit) value /= 1024;
    char text[32];
    std::snprintf(text, sizeof text, "%.1f %s", value, units[unit]);
    return text;
}

void throw_out_of_memory(const session::Session& session, const char* operation, std::string subject,
                         const heap::OutOfMemory& missing) {
    const heap::Extents extents(session.segment());
    if (missing.error != 0)
        throw Error(Errc::out_of_memory, operation, std::move(subject),
                    "fallocate: " + std::generic_category().message(missing.error) + ": " + memory_text(missing.bytes) +
                        " needed that the system does not give; free some, or raise the limit of the memory group");
    const auto free = extents.free();
    throw Error(Errc::out_of_memory, operation, std::move(subject),
                memory_text(missing.bytes) + " needed in one piece, " + memory_text(extents.used_bytes()) +
                    " of the realm's " + memory_text(session.segment().capacity()) + " in use, " +
                    memory_text(free.bytes) + " free, the largest piece " + memory_text(free.largest) +
                    "; erase objects or give the daemon more (--memory)");
}

void throw_gone(const ObjectState& state, const char* operation) {
    if (state.session->directory().closed()) throw_closed(operation, state.subject());
    throw Error(Errc::destroyed, operation, state.subject());
}

void throw_closed(const char* operation, std::string subject) {
    throw Error(Errc::closed, operation, std::move(subject), "the daemon was shut down; connect to another one");
}

void throw_damaged(const char* operation, std::string subject, const char* what) {
    throw Error(Errc::damaged, operation, std::move(subject), std::string(what) + "; `musterctl check` tells more");
}

void throw_busy(const session::Session& session, const char* operation, std::string subject, const tx::Busy& busy) {
    throw Error(Errc::timeout, operation, std::move(subject), sync::describe(session.segment(), busy));
}

void rethrow_named(const Error& error, const ObjectState& state, const char* operation) {
    if (error.operation() == "decode" && error.subject() == "value")
        throw Error(error.errc(), operation, state.subject(), error.detail());
    throw;
}

void throw_limit(const ObjectState& state, const char* operation, const char* what, std::size_t size, std::size_t limit) {
    throw Error(Errc::limit_exceeded, operation, state.subject(),
                    std::string(what) + " of " + memory_text(size) + ", the limit is " + memory_text(limit));
}

const std::string& Handle::name() const noexcept { return state_->name; }
bool Handle::same(const Handle& other) const noexcept {
    return state_->ref == other.state_->ref &&
           state_->session->segment().header().instance == other.state_->session->segment().header().instance;
}
muster::ObjectRef Handle::ref() const noexcept {
    return {state_->ref.id, state_->ref.generation, static_cast<std::uint8_t>(state_->kind), state_->session->realm()};
}
std::string Handle::subject() const { return state_->subject(); }

}  // namespace muster::detail
