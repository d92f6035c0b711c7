// What a caller can be blocked in, and who may die on whom: each cell has a scene, or a reason why there is none. Every
// scene is played with a service that cleans up at once, and with none.
#pragma once

#include <cstdint>

namespace muster::test {

enum class Primitive : std::uint8_t {
    lock, rlock, semaphore, bounded, event, barrier, condition, queue_put, queue_get, queue_join, pipe_send, pipe_recv,
    watch, wait_any, inside, directory, count
};
// The one who has what others wait for, one of several who wait, the one who lets others on.
enum class Role : std::uint8_t { holder, waiter, waker, count };

// Each blocking call of the public headers, which `meta: wakes` compares with them.
struct BlockingCall {
    const char* header;
    const char* call;
    Primitive primitive;
};
inline constexpr BlockingCall blocking_calls[] = {
    {"barrier.hpp", "wait_for", Primitive::barrier},
    {"condition.hpp", "wait_for", Primitive::condition},
    {"event.hpp", "wait_for", Primitive::event},
    {"lock.hpp", "try_lock_for", Primitive::lock},
    {"pipe.hpp", "recv_for", Primitive::pipe_recv},
    {"pipe.hpp", "send_for", Primitive::pipe_send},
    {"queue.hpp", "get_for", Primitive::queue_get},
    {"queue.hpp", "get_leased_for", Primitive::queue_get},
    {"queue.hpp", "get_many_for", Primitive::queue_get},
    {"queue.hpp", "join_for", Primitive::queue_join},
    {"queue.hpp", "put_for", Primitive::queue_put},
    {"queue.hpp", "put_many_for", Primitive::queue_put},
    {"semaphore.hpp", "try_acquire_for", Primitive::semaphore},
    {"wait_any.hpp", "wait_any_for", Primitive::wait_any},
    {"watch.hpp", "wait_for", Primitive::watch},
};

// Why a cell is empty; null: it is to have a scene.
constexpr const char* no_scene(Primitive primitive, Role role) noexcept {
    if (role == Role::holder) switch (primitive) {
            case Primitive::event: return "nobody has a flag";
            case Primitive::watch: return "nobody has a change";
            case Primitive::queue_put: return "nobody has the room: what is leased goes back into it";
            default: break;
        }
    if (role == Role::waiter && primitive == Primitive::directory) return "as inside: the lock is of the same kind";
    if (role == Role::waker && primitive == Primitive::directory) return "as inside";
    return nullptr;
}

}  // namespace muster::test
