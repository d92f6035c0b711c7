#include "handles/nesting.hpp"

#include <muster/manager.hpp>
#include <muster/reader.hpp>

namespace muster::detail {
namespace {

[[noreturn]] void throw_foreign(const char* operation, std::string subject) {
    throw Error(Errc::invalid_argument, operation, std::move(subject),
                "the handle is of another realm; an object can hold handles to objects of its own realm only");
}

}  // namespace

void Entering::admit(const char* operation, Bytes value) {
    std::vector<muster::ObjectRef> refs;
    containers::read_handles(value, refs);
    held_.reserve(held_.size() + refs.size());  // what is held is remembered
    for (const muster::ObjectRef& ref : refs) admit(operation, ref);
}

void Entering::admit(const char* operation, const muster::ObjectRef& ref) {
    session::Session& session = *into_.session;
    if (ref.realm != session.realm()) throw_foreign(operation, into_.subject());
    const auto there = session.directory().standing(ref.id);
    const heap::ObjectRef inner{ref.id, ref.generation};
    const auto gone = [&] {
        return Error(Errc::destroyed, operation, into_.subject(),
                     "the " + std::string(kind_text(static_cast<heap::Kind>(ref.kind))) + " #" + std::to_string(ref.id) +
                         " that the value names is gone");
    };
    guarded(into_, operation, [&] {
        if (!there || there->ref != inner || !session.hold(inner)) throw gone();
        held_.push_back(inner);
        if (static_cast<heap::Kind>(ref.kind) != there->kind)
            throw Error(Errc::invalid_argument, operation, into_.subject(),
                        "the value says that #" + std::to_string(ref.id) + " is a " +
                            std::string(kind_text(static_cast<heap::Kind>(ref.kind))) + ", it is a " +
                            std::string(kind_text(there->kind)));
        // False: `into_` is gone, which the change will say; or the other was erased by name this moment.
        (void)session.directory().note_stored(into_.ref, inner);
    });
}

std::shared_ptr<ObjectState> open_ref(const std::shared_ptr<session::Session>& session, const muster::ObjectRef& ref) {
    const heap::ObjectRef inner{ref.id, ref.generation};
    const auto there = session->directory().standing(ref.id);
    if (!there || there->ref != inner || static_cast<std::uint8_t>(there->kind) != ref.kind) return {};
    auto state = std::make_shared<ObjectState>(session, inner, there->kind, std::string(), false);
    if (!session->hold(inner)) return {};
    state->held = true;
    if (auto entry = session->directory().look_up(ref.id); entry && entry->ref == inner) state->name = std::move(entry->name);
    return state;
}

bool Kept::hold(Bytes bytes) {
    bool all = true;
    containers::for_each_handle(bytes, session_->realm(), [&](const muster::ObjectRef& ref) {
        const Key key{ref.id, ref.generation};
        if (held_.contains(key) || gone_.contains(key)) return;
        if (auto state = open_ref(session_, ref)) {
            held_.emplace(key, std::move(state));
        } else {
            gone_.insert(key);
            all = false;
        }
    });
    return all;
}

std::shared_ptr<ObjectState> Kept::open(const muster::ObjectRef& ref) const {
    if (ref.realm != session_->realm()) throw_foreign("decode", "value");
    if (const auto found = held_.find({ref.id, ref.generation}); found != held_.end()) return found->second;
    if (auto state = open_ref(session_, ref)) return state;
    // Destroyed: as a handle whose object was erased.
    return std::make_shared<ObjectState>(session_, heap::ObjectRef{ref.id, ref.generation}, static_cast<heap::Kind>(ref.kind),
                                         std::string(), false);
}

std::shared_ptr<const Kept>& Kept::last() noexcept {
    thread_local std::shared_ptr<const Kept> last;
    return last;
}

void Kept::linger() const { last() = shared_from_this(); }

std::shared_ptr<ObjectState> read_handle(Reader& in, ObjectKind kind) {
    const muster::ObjectRef ref = in.object_ref();
    if (in.origin() == nullptr)
        throw Error(Errc::invalid_argument, "decode", "value", "a handle can be read from a shared object only");
    if (kind != ObjectKind{} && ref.kind != static_cast<std::uint8_t>(kind))
        throw Error(Errc::type_mismatch, "decode", "value",
                    "expected a handle to a " + std::string(kind_text(static_cast<heap::Kind>(kind))) + ", found one to a " +
                        std::string(kind_text(static_cast<heap::Kind>(ref.kind))));
    return in.origin()->open(ref);
}

}  // namespace muster::detail
