#include <muster/manager.hpp>

#include <unistd.h>

#include <cstdlib>

#include "handles/object_state.hpp"
#include "handles/realm.hpp"
#include "session/control.hpp"
#include "session/erase.hpp"

namespace muster {
namespace {

using detail::ObjectKind;
using detail::ObjectState;
using StatePtr = std::shared_ptr<ObjectState>;

heap::Kind to_kind(ObjectKind kind) noexcept { return static_cast<heap::Kind>(kind); }
static_assert(static_cast<int>(ObjectKind::dict) == static_cast<int>(heap::Kind::dict) &&
              static_cast<int>(ObjectKind::list) == static_cast<int>(heap::Kind::list) &&
              static_cast<int>(ObjectKind::queue) == static_cast<int>(heap::Kind::queue) &&
              static_cast<int>(ObjectKind::lock) == static_cast<int>(heap::Kind::lock) &&
              static_cast<int>(ObjectKind::rlock) == static_cast<int>(heap::Kind::rlock) &&
              static_cast<int>(ObjectKind::semaphore) == static_cast<int>(heap::Kind::semaphore) &&
              static_cast<int>(ObjectKind::condition) == static_cast<int>(heap::Kind::condition) &&
              static_cast<int>(ObjectKind::event) == static_cast<int>(heap::Kind::event) &&
              static_cast<int>(ObjectKind::barrier) == static_cast<int>(heap::Kind::barrier) &&
              static_cast<int>(ObjectKind::set) == static_cast<int>(heap::Kind::set) &&
              static_cast<int>(ObjectKind::name_space) == static_cast<int>(heap::Kind::name_space) &&
              static_cast<int>(ObjectKind::counter) == static_cast<int>(heap::Kind::counter) &&
              static_cast<int>(ObjectKind::value) == static_cast<int>(heap::Kind::value) &&
              static_cast<int>(ObjectKind::array) == static_cast<int>(heap::Kind::array) &&
              static_cast<int>(ObjectKind::pipe) == static_cast<int>(heap::Kind::pipe));

containers::Directory::Init initializer(heap::Kind kind, const QueueOptions& options) {
    if (kind != heap::Kind::queue) return {};
    return [options](heap::ObjectRep& object) {
        const auto order = static_cast<std::uint8_t>(options.order.value_or(Order::fifo));
        detail::init_queue(object, options.maxsize, order, options.max_deliveries);
    };
}

void check_order(const ObjectState& state, Order wanted) {
    static constexpr const char* names[] = {"first in first out", "last in first out", "lowest first", "unknown"};
    const std::uint8_t has = detail::queue_order(state);
    if (has != static_cast<std::uint8_t>(wanted))
        throw Error(Errc::wrong_kind, "open", state.subject(),
                    std::string("its order is ") + names[has & 3] + ", not " + names[static_cast<std::uint8_t>(wanted) & 3]);
}

// Runs `fn`, an operation on the directory, and names what it throws.
template <typename Fn>
decltype(auto) guarded(const session::Session& session, const char* operation, const std::string& subject, Fn&& fn) {
    try {
        return fn();
    } catch (const containers::WrongKind& wrong) {
        throw Error(Errc::wrong_kind, operation, subject, "it is a " + std::string(detail::kind_text(wrong.kind)));
    } catch (const containers::Closed&) {
        detail::throw_closed(operation, subject);
    } catch (const containers::TooManyObjects&) {
        throw Error(Errc::limit_exceeded, operation, subject,
                    "all " + std::to_string(session.segment().regions().object_capacity) +
                        " objects of the realm are in use; erase some, or give the daemon more --memory");
    } catch (const heap::OutOfMemory& missing) {
        detail::throw_out_of_memory(session, operation, subject, missing);
    } catch (const segment::Damage& damage) {
        detail::throw_damaged(operation, subject, damage.what);
    } catch (const tx::Busy& busy) {
        detail::throw_busy(session, operation, subject, busy);
    }
}

// What a handle holds, made before its object: where there is no memory for the one, the other is not made.
std::shared_ptr<ObjectState> unbound(const std::shared_ptr<session::Session>& session, heap::Kind kind, std::string_view name) {
    return std::make_shared<ObjectState>(session, heap::ObjectRef{}, kind, std::string(name));
}

void check_name(std::string_view name, const std::string& subject) {
    if (name.empty() || name.size() > heap::max_name || name.find('\0') != name.npos)
        throw Error(Errc::limit_exceeded, "open", subject, "a name has 1 to 255 bytes, none of them NUL");
}

}  // namespace

Manager::Manager() {
    const char* address = std::getenv("MUSTER_ADDRESS");
    *this = address != nullptr && *address != '\0' ? connect(address) : launch();
}

Manager Manager::connect(std::string_view address) {
    return Manager(std::make_shared<detail::Realm>(session::Session::attach(session::resolve(address))));
}

Manager Manager::launch(const LaunchOptions& options) {
    auto daemon = std::make_unique<detail::PrivateDaemon>(options.program, options.memory);
    auto session = session::Session::attach(session::Address::parse(daemon->address()));
    return Manager(std::make_shared<detail::Realm>(std::move(session), std::move(daemon)));
}

std::string Manager::address() const { return realm_->session()->address().text(); }

StatePtr Manager::open(std::string_view name, ObjectKind of, QueueOptions options) const {
    const auto& session = realm_->session();
    const heap::Kind kind = to_kind(of);
    const std::string subject = detail::subject_of(kind, name, 0);
    check_name(name, subject);
    return guarded(*session, "open", subject, [&] {
        auto state = unbound(session, kind, name);
        state->ref = session->directory().open_or_create(name, kind, initializer(kind, options)).ref;
        if (kind == heap::Kind::queue && options.order) check_order(*state, *options.order);
        return state;
    });
}

StatePtr Manager::make(ObjectKind of, QueueOptions options) const {
    const auto& session = realm_->session();
    const heap::Kind kind = to_kind(of);
    return guarded(*session, "create", std::string(detail::kind_text(kind)), [&] {
        auto state = unbound(session, kind, {});
        state->ref = session->create(kind, initializer(kind, options));
        return state;
    });
}

namespace {

containers::Directory::Init numbers(const session::Session& session, std::size_t length, ScalarType type,
                                    detail::Bytes initial) {
    return [&session, length, type, initial](heap::ObjectRep& object) {
        const auto& regions = session.segment().regions();
        const std::uint64_t id = (session.segment().offset_of(&object) - regions.objects) / sizeof(heap::ObjectRep) + 1;
        containers::Scalars::init(session.segment(), object, static_cast<std::uint32_t>(id), type, length, initial);
    };
}

void check_length(const std::string& subject, std::size_t length, ScalarType type) {
    if (length > containers::Scalars::max_bytes / size_of(type))
        throw Error(Errc::limit_exceeded, "open", subject, std::to_string(length) + " elements, the limit is 1 GiB");
}

}  // namespace

StatePtr Manager::open_numbers(std::string_view name, ObjectKind of, std::size_t length, ScalarType type,
                               detail::Bytes initial) const {
    const auto& session = realm_->session();
    const heap::Kind kind = to_kind(of);
    const std::string subject = detail::subject_of(kind, name, 0);
    check_name(name, subject);
    check_length(subject, length, type);
    return guarded(*session, "open", subject, [&] {
        auto state = unbound(session, kind, name);
        state->ref = session->directory().open_or_create(name, kind, numbers(*session, length, type, initial)).ref;
        const std::uint64_t there = containers::Scalars(session->segment(), state->ref).length();
        if (there != length)
            throw Error(Errc::value_error, "open", subject,
                        "it has " + std::to_string(there) + " elements, not " + std::to_string(length));
        return state;
    });
}

StatePtr Manager::make_numbers(ObjectKind of, std::size_t length, ScalarType type, detail::Bytes initial) const {
    const auto& session = realm_->session();
    const heap::Kind kind = to_kind(of);
    const std::string subject(detail::kind_text(kind));
    check_length(subject, length, type);
    return guarded(*session, "create", subject, [&] {
        auto state = unbound(session, kind, {});
        state->ref = session->create(kind, numbers(*session, length, type, initial));
        return state;
    });
}

std::optional<ScalarType> Manager::scalar_type_of_object(std::string_view name) const {
    const auto& session = realm_->session();
    const std::string subject = "'" + std::string(name) + "'";
    return guarded(*session, "find", subject, [&]() -> std::optional<ScalarType> {
        const auto found = session->directory().find_any(name);
        if (!found) return {};
        if (found->kind != heap::Kind::value && found->kind != heap::Kind::array)
            throw Error(Errc::wrong_kind, "find", subject, "it is a " + std::string(detail::kind_text(found->kind)));
        return containers::Scalars(session->segment(), found->ref).type();
    });
}

StatePtr Manager::make_pipe(bool duplex, std::int64_t maxsize) const {
    const auto& session = realm_->session();
    return guarded(*session, "create", "pipe", [&] {
        const std::uint32_t maker = session->id().index;
        auto state = unbound(session, heap::Kind::pipe, {});
        state->ref = session->create(heap::Kind::pipe, [&](heap::ObjectRep& object) {
            detail::init_pipe(session->segment(), object, duplex, maxsize, maker);
        });
        return state;
    });
}

StatePtr Manager::open_with(std::string_view name, ObjectKind of, const Init& init) const {
    const auto& session = realm_->session();
    const heap::Kind kind = to_kind(of);
    const std::string subject = detail::subject_of(kind, name, 0);
    check_name(name, subject);
    return guarded(*session, "open", subject, [&] {
        auto state = unbound(session, kind, name);
        state->ref = session->directory().open_or_create(name, kind, [&](heap::ObjectRep& object) { init(&object); }).ref;
        return state;
    });
}

StatePtr Manager::make_with(ObjectKind of, const Init& init) const {
    const auto& session = realm_->session();
    const heap::Kind kind = to_kind(of);
    return guarded(*session, "create", std::string(detail::kind_text(kind)), [&] {
        auto state = unbound(session, kind, {});
        state->ref = session->create(kind, [&](heap::ObjectRep& object) { init(&object); });
        return state;
    });
}

StatePtr Manager::find_existing(std::string_view name, ObjectKind of) const {
    const auto& session = realm_->session();
    const heap::Kind kind = to_kind(of);
    return guarded(*session, "open", detail::subject_of(kind, name, 0), [&]() -> StatePtr {
        const auto found = session->directory().find(name, kind);
        if (!found && session->directory().closed()) throw containers::Closed{};
        if (!found) return nullptr;
        return std::make_shared<ObjectState>(session, *found, kind, std::string(name));
    });
}

std::optional<std::string> Manager::kind_of(std::string_view name) const {
    const auto& session = realm_->session();
    return guarded(*session, "find", "'" + std::string(name) + "'", [&]() -> std::optional<std::string> {
        const auto found = session->directory().find_any(name);
        if (!found) return {};
        return std::string(detail::kind_text(found->kind));
    });
}

std::optional<WatchedObject> Manager::watched(std::string_view name) const {
    const auto& session = realm_->session();
    const std::string subject = "'" + std::string(name) + "'";
    return guarded(*session, "watch", subject, [&]() -> std::optional<WatchedObject> {
        const auto found = session->directory().find_any(name);
        if (!found) return {};
        switch (found->kind) {
            case heap::Kind::dict:
            case heap::Kind::list:
            case heap::Kind::queue:
            case heap::Kind::set:
            case heap::Kind::name_space:
            case heap::Kind::counter:
            case heap::Kind::value:
            case heap::Kind::array:
                return WatchedObject(std::make_shared<ObjectState>(session, found->ref, found->kind, std::string(name)));
            default:
                throw Error(Errc::wrong_kind, "watch", subject,
                            "a " + std::string(detail::kind_text(found->kind)) + " has no contents that change");
        }
    });
}

std::vector<std::string> Manager::names() const {
    const auto& session = realm_->session();
    return guarded(*session, "list", "objects", [&] {
        std::vector<std::string> all;
        for (auto& entry : session->directory().list())
            if (!entry.name.empty()) all.push_back(std::move(entry.name));
        return all;
    });
}

bool Manager::erase(std::string_view name) const {
    const auto& session = realm_->session();
    return guarded(*session, "erase", "'" + std::string(name) + "'", [&] {
        containers::Directory directory = session->directory();
        return session::erase(session->segment(), directory, name);
    });
}

}  // namespace muster
