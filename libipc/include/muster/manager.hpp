// Manager: the way to a daemon and to the realm of its caller: shared objects by name, and processes.
//
// Once connected, objects are used in shared memory without the daemon; they go on working while it is away.
// A Manager is cheap to copy; copies share one connection and one mapping. Handles keep it alive. In a forked child
// everything goes on working: the child is attached as a process of its own when it first needs that.
// Thread safety: any thread may call anything.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <muster/array.hpp>
#include <muster/barrier.hpp>
#include <muster/condition.hpp>
#include <muster/counter.hpp>
#include <muster/detail/nested.hpp>
#include <muster/dict.hpp>
#include <muster/error.hpp>
#include <muster/event.hpp>
#include <muster/list.hpp>
#include <muster/lock.hpp>
#include <muster/namespace.hpp>
#include <muster/pipe.hpp>
#include <muster/queue.hpp>
#include <muster/semaphore.hpp>
#include <muster/set.hpp>
#include <muster/shared_value.hpp>
#include <muster/spawn.hpp>
#include <muster/transaction.hpp>
#include <muster/watch.hpp>

namespace muster {

namespace detail {
// As heap::Kind, whose numbers are stored.
enum class ObjectKind : unsigned char {
    dict = 1, list = 2, queue = 3, lock = 4,
    rlock = 5, semaphore = 6, condition = 7, event = 8, barrier = 9,
    set = 20, name_space = 21, counter = 22, value = 23, array = 24,
    pipe = 30,
};
template <typename Handle>
struct KindOf;
template <typename K, typename V>
struct KindOf<Dict<K, V>> { static constexpr auto value = ObjectKind::dict; };
template <typename T>
struct KindOf<List<T>> { static constexpr auto value = ObjectKind::list; };
template <typename T>
struct KindOf<Queue<T>> { static constexpr auto value = ObjectKind::queue; };
template <typename T>
struct KindOf<Set<T>> { static constexpr auto value = ObjectKind::set; };
template <typename K>
struct KindOf<Counter<K>> { static constexpr auto value = ObjectKind::counter; };
template <typename T>
struct KindOf<SharedValue<T>> { static constexpr auto value = ObjectKind::value; };
template <typename T>
struct KindOf<Array<T>> { static constexpr auto value = ObjectKind::array; };
template <>
struct KindOf<Namespace> { static constexpr auto value = ObjectKind::name_space; };
template <>
struct KindOf<Lock> { static constexpr auto value = ObjectKind::lock; };
template <>
struct KindOf<RLock> { static constexpr auto value = ObjectKind::rlock; };
template <>
struct KindOf<Semaphore> { static constexpr auto value = ObjectKind::semaphore; };
template <>
struct KindOf<BoundedSemaphore> { static constexpr auto value = ObjectKind::semaphore; };
template <>
struct KindOf<Condition> { static constexpr auto value = ObjectKind::condition; };
template <>
struct KindOf<Event> { static constexpr auto value = ObjectKind::event; };
template <>
struct KindOf<Barrier> { static constexpr auto value = ObjectKind::barrier; };

class Realm;  // what the copies of a Manager share
}  // namespace detail

struct LaunchOptions {
    std::string memory = "1 GiB";  // capacity of the realm, reserved only as it is used
    std::string program = {};      // musterd; empty: $MUSTER_DAEMON, beside this program, the installed one, $PATH
};

class Manager {
  public:
    // As multiprocessing.Manager(): the daemon at $MUSTER_ADDRESS if that is set, otherwise launch().
    Manager();
    // The daemon at `address` ("unix:PATH"), or when empty: $MUSTER_ADDRESS, the user's, the system's.
    // Throws unreachable, refused, protocol, out_of_memory, damaged.
    static Manager connect(std::string_view address = {});
    // A private daemon, which ends when this process does. Throws start_failed.
    static Manager launch(const LaunchOptions& options = {});

    // "unix:PATH" of the daemon.
    std::string address() const;

    // Opens the object of that name in the realm, or makes it, atomically: of many at once one makes it.
    // Throws wrong_kind, limit_exceeded (a name is 1 to 255 bytes), out_of_memory. Without a name: a new anonymous
    // object, which lives as long as some process holds a handle to it.
    template <typename K = Value, typename V = Value>
    Dict<K, V> dict(std::string_view name) const { return Dict<K, V>(open(name, detail::ObjectKind::dict, {})); }
    template <typename K = Value, typename V = Value>
    Dict<K, V> dict() const { return Dict<K, V>(make(detail::ObjectKind::dict, {})); }
    template <typename T = Value>
    List<T> list(std::string_view name) const { return List<T>(open(name, detail::ObjectKind::list, {})); }
    template <typename T = Value>
    List<T> list() const { return List<T>(make(detail::ObjectKind::list, {})); }
    template <typename T = Value>
    Queue<T> queue(std::string_view name, QueueOptions options = {}) const {
        return Queue<T>(open(name, detail::ObjectKind::queue, options));
    }
    template <typename T = Value>
    Queue<T> queue(QueueOptions options = {}) const { return Queue<T>(make(detail::ObjectKind::queue, options)); }
    // The two ends of a new pipe, connected: what one sends the other receives. Not duplex: the first only receives, the
    // second only sends. `maxsize`: so many messages may wait at an end, then send blocks; 0: no bound. It lives as long as
    // its handles. Throws out_of_memory.
    template <typename T = Value>
    std::pair<Connection<T>, Connection<T>> pipe(bool duplex = true, std::int64_t maxsize = 0) const {
        const auto state = make_pipe(duplex, maxsize);
        return {Connection<T>(detail::ConnectionBase::end_of(state, 0)), Connection<T>(detail::ConnectionBase::end_of(state, 1))};
    }
    Lock lock(std::string_view name) const { return Lock(open(name, detail::ObjectKind::lock, {})); }
    Lock lock() const { return Lock(make(detail::ObjectKind::lock, {})); }
    RLock rlock(std::string_view name) const { return RLock(open(name, detail::ObjectKind::rlock, {})); }
    RLock rlock() const { return RLock(make(detail::ObjectKind::rlock, {})); }

    // Where it is made, so many permits are free; one that is there stays as it is, also bounded or not. Throws
    // value_error for a negative number, limit_exceeded above Semaphore::max().
    Semaphore semaphore(std::string_view name, std::int64_t initial = 1) const { return Semaphore(open_semaphore(name, initial, false)); }
    Semaphore semaphore(std::int64_t initial = 1) const { return Semaphore(make_semaphore(initial, false)); }
    BoundedSemaphore bounded_semaphore(std::string_view name, std::int64_t initial = 1) const {
        return BoundedSemaphore(open_semaphore(name, initial, true));
    }
    BoundedSemaphore bounded_semaphore(std::int64_t initial = 1) const { return BoundedSemaphore(make_semaphore(initial, true)); }
    Event event(std::string_view name) const { return Event(open(name, detail::ObjectKind::event, {})); }
    Event event() const { return Event(make(detail::ObjectKind::event, {})); }
    // With an RLock of its own; or with that lock, whose every handle may go as long as one to the condition is there.
    // Throws value_error when it is there and has another lock, invalid_argument for a lock of another realm.
    Condition condition(std::string_view name) const { return Condition(open_condition(name, 0)); }
    Condition condition() const { return Condition(make_condition(0)); }
    Condition condition(std::string_view name, const detail::BasicLock& lock) const {
        return Condition(open_condition(name, Condition::stored(lock, *realm_)), lock);
    }
    Condition condition(const detail::BasicLock& lock) const {
        return Condition(make_condition(Condition::stored(lock, *realm_)), lock);
    }
    // Throws value_error for no parties, and when it is there and of another number; limit_exceeded above 4096.
    Barrier barrier(std::string_view name, std::size_t parties, BarrierOptions options = {}) const {
        return Barrier(open_barrier(name, parties, options.timeout), std::move(options.action));
    }
    Barrier barrier(std::size_t parties, BarrierOptions options = {}) const {
        return Barrier(make_barrier(parties, options.timeout), std::move(options.action));
    }

    template <typename T = Value>
    Set<T> set(std::string_view name) const { return Set<T>(open(name, detail::ObjectKind::set, {})); }
    template <typename T = Value>
    Set<T> set() const { return Set<T>(make(detail::ObjectKind::set, {})); }
    template <typename K = Value>
    Counter<K> counter(std::string_view name) const { return Counter<K>(open(name, detail::ObjectKind::counter, {})); }
    template <typename K = Value>
    Counter<K> counter() const { return Counter<K>(make(detail::ObjectKind::counter, {})); }
    Namespace ns(std::string_view name) const { return Namespace(open(name, detail::ObjectKind::name_space, {})); }
    Namespace ns() const { return Namespace(make(detail::ObjectKind::name_space, {})); }

    // A number. Where it is made, it is `initial`. Throws type_mismatch when it is there and of another type.
    template <Scalar T>
    SharedValue<T> value(std::string_view name, T initial = {}) const {
        return SharedValue<T>(open_numbers(name, detail::ObjectKind::value, 1, scalar_type_of<T>(), bytes_of(&initial, 1)));
    }
    template <Scalar T>
    SharedValue<T> value(T initial = {}) const {
        return SharedValue<T>(make_numbers(detail::ObjectKind::value, 1, scalar_type_of<T>(), bytes_of(&initial, 1)));
    }
    // `size` numbers, zero when made; or those of `initial`. Throws type_mismatch and value_error when it is there and of
    // another type or length, limit_exceeded over 1 GiB.
    template <Scalar T>
    Array<T> array(std::string_view name, std::size_t size) const {
        return Array<T>(open_numbers(name, detail::ObjectKind::array, size, scalar_type_of<T>(), {}));
    }
    template <Scalar T>
    Array<T> array(std::string_view name, std::initializer_list<T> initial) const {
        return Array<T>(open_numbers(name, detail::ObjectKind::array, initial.size(), scalar_type_of<T>(),
                                     bytes_of(initial.begin(), initial.size())));
    }
    template <Scalar T>
    Array<T> array(std::size_t size) const {
        return Array<T>(make_numbers(detail::ObjectKind::array, size, scalar_type_of<T>(), {}));
    }
    template <Scalar T>
    Array<T> array(std::initializer_list<T> initial) const { return array(std::span<const T>(initial.begin(), initial.size())); }
    template <Scalar T>
    Array<T> array(std::span<const T> initial) const {
        return Array<T>(make_numbers(detail::ObjectKind::array, initial.size(), scalar_type_of<T>(),
                                     bytes_of(initial.data(), initial.size())));
    }

    // Only if it is there: manager.find<muster::Dict<std::string, int>>("totals"). Throws wrong_kind.
    template <typename Handle>
    std::optional<Handle> find(std::string_view name) const {
        auto state = find_existing(name, detail::KindOf<Handle>::value);
        if (!state) return {};
        return Handle(std::move(state));
    }
    // The object that a dynamic Value names, which was read from an object of this realm; see <muster/value.hpp>. Throws
    // type_mismatch (it is no handle), invalid_argument (of another realm), destroyed (it is gone).
    Object open(const Value& handle) const;
    template <std::derived_from<detail::Handle> H>
    H open(const Value& handle) const {
        return open(handle).template as<H>();
    }
    // "dict", "list", "queue", "lock", "rlock", "set", "counter", "namespace", "value", "array"; none: there is no object of that name.
    std::optional<std::string> kind_of(std::string_view name) const;
    // What a value or an array of that name holds. None: there is no such object.
    std::optional<ScalarType> scalar_type_of_object(std::string_view name) const;
    // An object of any kind, to be watched. Throws wrong_kind for those that have no version: locks and the like.
    std::optional<WatchedObject> watched(std::string_view name) const;
    std::vector<std::string> names() const;
    // The named object is gone for everybody; handles to it throw `destroyed`. False: there was none.
    bool erase(std::string_view name) const;

    // Runs fn(Transaction&), whose changes of the realm's objects happen all at once or not at all, and returns what it
    // returns. It may run more than once: see transaction.hpp, also for what is thrown.
    template <typename Fn>
        requires std::invocable<Fn&, Transaction&>
    auto transact(Fn&& fn) const {
        Transaction transaction(*realm_);
        return transaction.run(fn);
    }

    // Starts a program under the daemon. Throws start_failed, whose detail names the step.
    SpawnedProcess spawn(const std::vector<std::string>& argv, const SpawnOptions& options = {}) const;

    // The processes that the daemon knows, in order of their start; with `all` also those that have ended, as far back as
    // its history goes. Throws unreachable.
    std::vector<ProcessInfo> processes(bool all = false) const;

    explicit Manager(std::shared_ptr<detail::Realm> realm) noexcept : realm_(std::move(realm)) {}

  private:
    std::shared_ptr<detail::ObjectState> open(std::string_view name, detail::ObjectKind kind, QueueOptions options) const;
    std::shared_ptr<detail::ObjectState> make(detail::ObjectKind kind, QueueOptions options) const;
    std::shared_ptr<detail::ObjectState> open_numbers(std::string_view name, detail::ObjectKind kind, std::size_t length,
                                                      ScalarType type, detail::Bytes initial) const;
    std::shared_ptr<detail::ObjectState> make_numbers(detail::ObjectKind kind, std::size_t length, ScalarType type,
                                                      detail::Bytes initial) const;
    template <Scalar T>
    static detail::Bytes bytes_of(const T* numbers, std::size_t count) noexcept {
        return std::as_bytes(std::span<const T>(numbers, count));
    }
    std::shared_ptr<detail::ObjectState> make_pipe(bool duplex, std::int64_t maxsize) const;
    // `init` gets the new object while nobody can see it (heap::ObjectRep).
    using Init = std::function<void(void* object)>;
    std::shared_ptr<detail::ObjectState> open_with(std::string_view name, detail::ObjectKind kind, const Init& init) const;
    std::shared_ptr<detail::ObjectState> make_with(detail::ObjectKind kind, const Init& init) const;
    std::shared_ptr<detail::ObjectState> open_semaphore(std::string_view name, std::int64_t initial, bool bounded) const;
    std::shared_ptr<detail::ObjectState> make_semaphore(std::int64_t initial, bool bounded) const;
    std::shared_ptr<detail::ObjectState> open_condition(std::string_view name, std::uint64_t lock) const;
    std::shared_ptr<detail::ObjectState> make_condition(std::uint64_t lock) const;
    std::shared_ptr<detail::ObjectState> open_barrier(std::string_view name, std::size_t parties, detail::Timeout timeout) const;
    std::shared_ptr<detail::ObjectState> make_barrier(std::size_t parties, detail::Timeout timeout) const;
    std::shared_ptr<detail::ObjectState> find_existing(std::string_view name, detail::ObjectKind kind) const;
    std::shared_ptr<detail::Realm> realm_;
};

}  // namespace muster
