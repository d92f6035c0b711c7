// wait_any: sleeps until one of several things is ready, as multiprocessing.connection.wait.
//
//   auto ready = muster::wait_any({jobs, control, worker});
//   for (std::size_t i : ready) …            // 0: jobs has an item, 1: a message came, 2: the worker has ended
//
// What may be waited for, and what ready means: the call that is named would not block now.
//   a Queue           something to get, or it is closed and drained; Waitable::room(queue): room to put, or it is closed
//   a Connection      a message, or the end of all messages
//   an Event          it is set
//   a Semaphore       a permit is free, and nobody is in line for it
//   a Process, a ParentProcess   it has ended (exitcode() and join() reap, this does not)
//   a Lock, an RLock  nobody holds it; an RLock also when the caller does
//   Waitable::change(object, version)   it has another version than the one seen (watch.hpp)
//   Waitable::readable(fd)   a descriptor has something to read, or its end
// It is a hint, as with Python's: nothing is taken, so somebody else may be faster. Use the forms with a timeout of zero
// afterwards. A wake-up that was meant for one waiter is passed on: a wait_any beside a get costs the get nothing.
//
// Thread safety: any thread; a Waitable may be used by several at once. Blocks without spinning (futex_waitv; where the
// system has none it looks every few milliseconds). While processes or descriptors are among what is waited for, and
// objects, too, a thread of the call's own watches them. A death is seen within a fraction of a second.
// Throws Error: destroyed (one of the objects was erased), closed (a Connection or a Process that was closed here),
// invalid_argument (a Connection that only sends), not_running (a Process that was not started), damaged.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include <muster/detail/object.hpp>
#include <muster/detail/timeout.hpp>

namespace muster {

class Event;
class ParentProcess;
class Process;
class Semaphore;

namespace detail {
class BasicLock;
class ConnectionBase;
class QueueBase;
class WaitSource;  // libipc/src/handles/wait_source.hpp
}  // namespace detail

// Something that can be waited for, with what it needs kept alive. Cheap to copy.
class Waitable {
  public:
    Waitable(const detail::QueueBase& queue);
    Waitable(const detail::ConnectionBase& connection);
    Waitable(const Process& process);
    Waitable(const ParentProcess& process);
    Waitable(const detail::BasicLock& lock);
    Waitable(const Event& event);
    Waitable(const Semaphore& semaphore);
    static Waitable room(const detail::QueueBase& queue);
    static Waitable change(const detail::Handle& object, std::uint64_t seen);
    static Waitable readable(int descriptor);  // a duplicate is waited for

    explicit Waitable(std::shared_ptr<detail::WaitSource> source) noexcept : source_(std::move(source)) {}
    const std::shared_ptr<detail::WaitSource>& source() const noexcept { return source_; }

  private:
    std::shared_ptr<detail::WaitSource> source_;
};

namespace detail {
std::vector<std::size_t> wait_for_any(const std::vector<Waitable>& what, Timeout timeout);
}

// Which are ready, by their places in `what`, in order; at least one, unless `what` is empty.
inline std::vector<std::size_t> wait_any(const std::vector<Waitable>& what) { return detail::wait_for_any(what, {}); }
// ... or none, when the time ran out first. Zero and less: only looks.
template <typename Rep, typename Period>
std::vector<std::size_t> wait_any_for(const std::vector<Waitable>& what, std::chrono::duration<Rep, Period> timeout) {
    return detail::wait_for_any(what, detail::saturated(timeout));
}
template <typename Clock, typename Duration>
std::vector<std::size_t> wait_any_until(const std::vector<Waitable>& what,
                                        std::chrono::time_point<Clock, Duration> when) {
    return detail::wait_for_any(what, detail::left_until(when));
}

}  // namespace muster
