// Manager's makers of what threads and processes wait on.
#include <muster/manager.hpp>

#include "handles/object_state.hpp"

namespace muster {
namespace {

using detail::ObjectKind;
using StatePtr = std::shared_ptr<detail::ObjectState>;

heap::ObjectRep& object_at(void* object) { return *static_cast<heap::ObjectRep*>(object); }

void check_initial(std::string_view name, std::int64_t initial) {
    const auto fail = [&](Errc code, const char* why) {
        throw Error(code, "open", name.empty() ? "semaphore" : "semaphore '" + std::string(name) + "'",
                    "a start value of " + std::to_string(initial) + ", " + why);
    };
    if (initial < 0) fail(Errc::value_error, "less than none");
    if (initial > Semaphore::max()) fail(Errc::limit_exceeded, "the limit is 2147483647");
}

auto semaphore_init(std::int64_t initial, bool bounded) {
    return [=](void* object) { detail::init_semaphore(object_at(object), initial, bounded); };
}

void check_parties(std::string_view name, std::size_t parties) {
    const auto fail = [&](Errc code, const char* why) {
        throw Error(code, "open", name.empty() ? "barrier" : "barrier '" + std::string(name) + "'",
                    std::to_string(parties) + " parties, " + why);
    };
    if (parties == 0) fail(Errc::value_error, "at least 1 makes sense");
    if (parties > segment::max_slots) fail(Errc::limit_exceeded, "a realm has 4096 threads at most");
}

auto barrier_init(std::size_t parties, detail::Timeout timeout) {
    return [=](void* object) { detail::init_barrier(object_at(object), parties, timeout); };
}

}  // namespace

StatePtr Manager::open_semaphore(std::string_view name, std::int64_t initial, bool bounded) const {
    check_initial(name, initial);
    return open_with(name, ObjectKind::semaphore, semaphore_init(initial, bounded));
}

StatePtr Manager::make_semaphore(std::int64_t initial, bool bounded) const {
    check_initial({}, initial);
    return make_with(ObjectKind::semaphore, semaphore_init(initial, bounded));
}

StatePtr Manager::open_condition(std::string_view name, std::uint64_t lock) const {
    return open_with(name, ObjectKind::condition, [=](void* object) { detail::init_condition(object_at(object), lock); });
}

StatePtr Manager::make_condition(std::uint64_t lock) const {
    return make_with(ObjectKind::condition, [=](void* object) { detail::init_condition(object_at(object), lock); });
}

StatePtr Manager::open_barrier(std::string_view name, std::size_t parties, detail::Timeout timeout) const {
    check_parties(name, parties);
    auto state = open_with(name, ObjectKind::barrier, barrier_init(parties, timeout));
    detail::guarded(*state, "open", [&] { detail::check_parties(*state, parties); });
    return state;
}

StatePtr Manager::make_barrier(std::size_t parties, detail::Timeout timeout) const {
    check_parties({}, parties);
    return make_with(ObjectKind::barrier, barrier_init(parties, timeout));
}

}  // namespace muster
