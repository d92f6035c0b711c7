#include "handles/nesting.hpp"

#include <muster/manager.hpp>
#include <muster/reader.hpp>

namespace muster::detail {
namespace {

[[noreturn]] void throw_foreign(const char* operation, std::string subject) {
    throw Error(Errc::invalid_argument, operation, std::move(subject),
                "the handle is of another realm; an object can hold handles to objects of its own realm only");
}

// fn(ref) for each handle in the next value; of what is no value, none.
template <typename Fn>
void for_each_ref(Reader& in, Fn&& fn) {
    switch (in.peek()) {
        case Kind::array: {
            for (std::size_t left = in.begin_array(); left > 0; --left) for_each_ref(in, fn);
            return in.end();
        }
        case Kind::map: {
            for (std::size_t left = 2 * in.begin_map(); left > 0; --left) for_each_ref(in, fn);
            return in.end();
        }
        case Kind::extension: {
            const Bytes bytes = in.raw();
            if (containers::find_handle(bytes.data(), bytes.data() + bytes.size()) == bytes.data()) fn(load_ref(bytes.data() + 2));
            return;
        }
        default: return in.skip();
    }
}

}  // namespace

void Entering::admit(const char* operation, Bytes value) {
    std::vector<muster::ObjectRef> refs;
    try {
        Reader in(value);
        for_each_ref(in, [&](const muster::ObjectRef& ref) { refs.push_back(ref); });
        in.finish();
    } catch (const Error&) {  // bytes of the user's own (send_bytes): nobody reads a handle from them
        return;
    }
    try {
        for (const muster::ObjectRef& ref : refs) admit(operation, ref);
    } catch (...) {
        for (const heap::ObjectRef ref : held_) into_.session->release(ref);
        throw;
    }
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
    if (!there || there->ref != inner || static_cast<std::uint8_t>(there->kind) != ref.kind || !session->hold(inner)) return {};
    auto state = std::make_shared<ObjectState>(session, inner, there->kind, std::string(), true);
    if (auto entry = session->directory().look_up(ref.id); entry && entry->ref == inner) state->name = std::move(entry->name);
    return state;
}

bool Kept::hold(Bytes bytes) {
    bool all = true;
    containers::for_each_handle(bytes, session_->realm(), [&](const muster::ObjectRef& ref) {
        const Key key{ref.id, ref.generation};
        if (held_.contains(key) || gone_.contains(key)) return;
        auto state = open_ref(session_, ref);
        if (state) {
            held_.emplace(key, std::move(state));
        } else {
            gone_.emplace(key, true);
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
