// Pool and ThreadPool: workers that are given functions to call, as Python's multiprocessing.Pool and ThreadPool.
//
//     muster::Pool pool(manager, {.processes = 5});
//     auto squares = pool.map([](int i) { return i * i; }, std::views::iota(0, 10));   // in order
//     auto later = pool.apply_async(render, "page.html");
//     std::cout << later.get();
//     pool.close();
//     pool.join();
//
// What a task may be. Pool's workers are forked processes (muster::Process, daemons), to which a task goes as bytes: a
// function, or a lambda without captures or with plain values (anything trivially copyable; what a captured pointer or
// reference leads to is the worker's copy, as of its fork, or nothing). Arguments and results are values of any type with a
// codec (<muster/codec.hpp>), handles of shared objects included, which are the objects themselves. All else is refused when
// compiled. A function must be in the program before the pool is made: not in a library that is loaded later. ThreadPool's
// workers are threads of this process; there anything that can be called and moved will do, and no daemon is needed.
//
// What an error is. Whatever a task throws comes out of get(). From a process a muster::Error comes as it was; others come as
// one: task_failed, or out_of_memory, index_error, value_error, invalid_argument, limit_exceeded, system where that is what
// the std exception means, with its type and what(). A thread's exception comes as it is.
//
// Death of a worker (Pool). Killed when and how it may be, it is replaced, the others go on, and nothing hangs. A task that it
// had begun and not finished is begun again, up to PoolOptions::deliveries times in all; then get() throws worker_died, with
// the task, the worker's name and pid, and the signal or exit code. What it had taken and not begun goes to another worker
// and does not count. A map's task is a chunk: begun again, all its items are. When the parent dies, the workers end by
// themselves. The daemon's service may come and go.
//
// Order of things. A callback runs in the pool's one thread for that, before ready() is true and get() returns; what it throws
// goes to PoolOptions::callback_error (stderr without one) and changes nothing. It may give the pool work, close and terminate
// it; to wait there for the pool's work is the error `deadlock`. Tasks begin in the order they were given, and end in any.
//
// End. close(): no more work; join() then waits until all is done and the workers have ended. terminate(), and the
// destructor: queued work is dropped, workers get SIGTERM, a second later SIGKILL, and whoever waits in get() is told
// (closed). A ThreadPool cannot end a function that runs: join() and the destructor wait for it. In a forked child a pool is
// nobody's: using it is an error (invalid_argument) and its destructor does nothing.
//
// Thread safety: any thread may call anything.
// Throws Error: closed (after close or terminate; the daemon was shut down), invalid_argument, start_failed (a worker, or the
// initializer kept failing), out_of_memory, limit_exceeded; what a task throws.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <iterator>
#include <ranges>

#include <muster/detail/task.hpp>
#include <muster/detail/timeout.hpp>

namespace muster {

class Manager;

struct PoolOptions {
    std::optional<int> processes = {};               // none: one for each processor; below 1: value_error
    std::function<void()> initializer = {};          // called by each worker before its first task; may capture anything
    std::optional<unsigned> maxtasksperchild = {};   // after so many tasks (of a map: chunks) a worker is replaced
    unsigned deliveries = 1;                         // so often a task is begun at most, if its workers die of it
    std::function<void(std::exception_ptr)> callback_error = {};
};
struct ThreadPoolOptions {
    std::optional<int> threads = {};         // at most so many, started when they are needed; none: one for each processor
    std::function<void()> initializer = {};  // in each thread; one that fails ends the pool
    std::function<void(std::exception_ptr)> callback_error = {};
};

// What a task gives, when it has. Cheap to copy.
template <typename T>
class AsyncResult {
  public:
    // Waits; throws what the task threw, worker_died, closed (the pool was terminated). May be called again, if T can be
    // copied: otherwise the first call has it.
    T get() const { return get_within({}); }
    // Throws `timeout`.
    template <typename Rep, typename Period>
    T get(std::chrono::duration<Rep, Period> timeout) const { return get_within(detail::saturated(timeout)); }
    void wait() const { (void)call_->wait_within({}); }
    template <typename Rep, typename Period>
    [[nodiscard]] bool wait_for(std::chrono::duration<Rep, Period> timeout) const {
        return call_->wait_within(detail::saturated(timeout));
    }
    bool ready() const { return call_->ready(); }
    // Throws value_error when it is not ready.
    bool successful() const {
        if (!ready()) throw Error(Errc::value_error, "successful", call_->subject(), "it is not ready");
        return !call_->error();
    }

    explicit AsyncResult(std::shared_ptr<detail::ValueCall<T>> call) noexcept : call_(std::move(call)) {}

  private:
    T get_within(detail::Timeout timeout) const {
        call_->get_within("get", timeout);
        if constexpr (std::is_void_v<T>) return;
        else if constexpr (std::is_copy_constructible_v<T>) return call_->value();
        else return std::move(call_->value());
    }
    std::shared_ptr<detail::ValueCall<T>> call_;
};

// The results of imap, one after the other. An error is met at its place, and what comes after it is there still:
// next() throws it and goes on with the call after; an iterator throws it when it is dereferenced. One thread at a time.
template <typename R>
class Results {
  public:
    using value_type = detail::Stored<R>;

    // None: that was all. The other one throws `timeout`, and nothing is lost.
    std::optional<value_type> next() { return next_within({}); }
    template <typename Rep, typename Period>
    std::optional<value_type> next(std::chrono::duration<Rep, Period> timeout) { return next_within(detail::saturated(timeout)); }

    class Iterator {
      public:
        using iterator_category = std::input_iterator_tag;
        using value_type = Results::value_type;
        using difference_type = std::ptrdiff_t;
        using pointer = value_type*;
        using reference = value_type&;
        explicit Iterator(Results* of) : of_(of) { ++*this; }
        value_type& operator*() const {
            if (of_->current_->error) std::rethrow_exception(of_->current_->error);
            return *of_->current_->value;
        }
        value_type* operator->() const { return &**this; }
        Iterator& operator++() {
            of_->current_ = of_->take({});  // what it is not there for in time is thrown here
            return *this;
        }
        void operator++(int) { ++*this; }
        bool operator==(std::default_sentinel_t) const noexcept { return !of_->current_; }

      private:
        Results* of_;
    };
    Iterator begin() { return Iterator(this); }
    std::default_sentinel_t end() const noexcept { return {}; }

    explicit Results(std::shared_ptr<detail::StreamCall<R>> call) noexcept : call_(std::move(call)) {}
    // All of them until then; what has not begun when this object goes is dropped.
    Results(std::shared_ptr<detail::StreamCall<R>> call, detail::Timeout timeout) : call_(std::move(call)) {
        if (timeout && *timeout < std::chrono::hours(24 * 365 * 10)) until_ = std::chrono::steady_clock::now() + *timeout;
        dropping_ = std::shared_ptr<detail::StreamCall<R>>(call_.get(), [call = call_](auto*) { call->drop(); });
    }

  private:
    std::optional<detail::Outcome<R>> take(detail::Timeout timeout) {
        while (at_ == part_.size()) {
            if (!timeout && until_) timeout = detail::left_until(*until_);
            auto part = call_->next("next", timeout);
            if (!part) return {};
            part_ = std::move(*part);
            at_ = 0;
        }
        return std::move(part_[at_++]);
    }
    std::optional<value_type> next_within(detail::Timeout timeout) {
        auto outcome = take(timeout);
        if (!outcome) return {};
        if (outcome->error) std::rethrow_exception(outcome->error);
        return std::move(outcome->value);
    }
    std::shared_ptr<detail::StreamCall<R>> call_, dropping_;
    std::optional<std::chrono::steady_clock::time_point> until_;
    std::vector<detail::Outcome<R>> part_;
    std::size_t at_ = 0;
    std::optional<detail::Outcome<R>> current_;
};

namespace detail {

// A pool's owner: its end ends the pool.
class CoreHolder {
  public:
    explicit CoreHolder(std::shared_ptr<PoolCore> core) noexcept : core_(std::move(core)) {}
    CoreHolder(CoreHolder&&) noexcept = default;
    CoreHolder& operator=(CoreHolder&& other) noexcept {
        std::swap(core_, other.core_);
        return *this;
    }
    ~CoreHolder() {
        if (core_) core_->abandon();
    }
    explicit operator bool() const noexcept { return core_ != nullptr; }
    PoolCore& operator*() const noexcept { return *core_; }
    PoolCore* operator->() const noexcept { return core_.get(); }

  private:
    std::shared_ptr<PoolCore> core_;
};

template <typename F, typename... Args>
concept Appliable = std::is_invocable_v<std::decay_t<F>&, Argument<Args>...>;
template <typename F, typename... Args>
using ApplyResult = std::decay_t<std::invoke_result_t<std::decay_t<F>&, Argument<Args>...>>;
template <typename Range>
using ItemOf = Argument<std::ranges::range_value_t<Range>>;
template <typename With, typename F, typename Range>
using MapResult = typename With::template Result<std::decay_t<F>, ItemOf<Range>>;

template <typename Range>
std::vector<ItemOf<Range>> items_of(Range& range) {
    std::vector<ItemOf<Range>> items;
    if constexpr (std::ranges::sized_range<Range>) items.reserve(static_cast<std::size_t>(std::ranges::size(range)));
    for (auto&& item : range) items.emplace_back(std::forward<decltype(item)>(item));
    return items;
}

template <typename Backend>
class BasicPool {
  public:
    // --- one call ---
    // function(args...), by some worker. Waits for what it gives.
    template <typename F, typename... Args>
    requires Appliable<F, Args...>
    ApplyResult<F, Args...> apply(F&& function, Args&&... args) {
        return apply_async(std::forward<F>(function), std::forward<Args>(args)...).get();
    }
    template <typename F, typename... Args>
    requires Appliable<F, Args...>
    AsyncResult<ApplyResult<F, Args...>> apply_async(F&& function, Args&&... args) {
        return begin<ApplyResult<F, Args...>>(std::forward<F>(function), std::tuple<Argument<Args>...>(std::forward<Args>(args)...), {});
    }
    // ... with callbacks: apply_async(add, std::tuple(1, 2), {.callback = [](int sum) { ... }})
    template <typename F, typename... Args>
    requires Appliable<F, Args...>
    AsyncResult<ApplyResult<F, Args...>> apply_async(F&& function, std::tuple<Args...> args,
                                                     Callbacks<std::type_identity_t<ApplyResult<F, Args...>>> callbacks) {
        return begin<ApplyResult<F, Args...>>(std::forward<F>(function), std::tuple<Argument<Args>...>(std::move(args)),
                                              std::move(callbacks));
    }

    // --- one call for each item ---
    // The results in the order of the items, or nothing for a function that gives nothing. `chunk` items are one task; 0: a
    // quarter of what is a worker's share. All items are run; then the error of the first one that had one is thrown.
    template <typename F, std::ranges::input_range Range>
    auto map(F&& function, Range&& items, std::size_t chunk = 0) {
        return begin_map<WithItem>("map", function, items, chunk, {}).get();
    }
    template <typename F, std::ranges::input_range Range>
    auto map_async(F&& function, Range&& items, Callbacks<ListOf<MapResult<WithItem, F, Range>>> callbacks = {}) {
        const std::size_t chunk = callbacks.chunk;
        return begin_map<WithItem>("map_async", function, items, chunk, std::move(callbacks));
    }
    // Items are tuples: their fields are the arguments.
    template <typename F, std::ranges::input_range Range>
    auto starmap(F&& function, Range&& items, std::size_t chunk = 0) {
        return begin_map<WithFields>("starmap", function, items, chunk, {}).get();
    }
    template <typename F, std::ranges::input_range Range>
    auto starmap_async(F&& function, Range&& items, Callbacks<ListOf<MapResult<WithFields, F, Range>>> callbacks = {}) {
        const std::size_t chunk = callbacks.chunk;
        return begin_map<WithFields>("starmap_async", function, items, chunk, std::move(callbacks));
    }
    // The results one by one, in order; as they come. All items are read, and given to the workers, at once.
    template <typename F, std::ranges::input_range Range>
    auto imap(F&& function, Range&& items, std::size_t chunk = 1) {
        return begin_stream("imap", function, items, chunk, true);
    }
    template <typename F, std::ranges::input_range Range>
    auto imap_unordered(F&& function, Range&& items, std::size_t chunk = 1) {
        return begin_stream("imap_unordered", function, items, chunk, false);
    }

    // --- its end ---
    // What was given is done; more is refused. Again: nothing.
    void close() { core_->close(); }
    // What is queued is dropped, the workers are ended. Does not wait for that.
    void terminate() { core_->terminate(); }
    // Blocks until all workers have ended. Throws invalid_argument before close() or terminate(), deadlock in a callback;
    // what ended the pool, if that was not asked for.
    void join() { core_->join(); }

  protected:
    explicit BasicPool(std::shared_ptr<PoolCore> core) noexcept : core_(std::move(core)) {}
    CoreHolder core_;

  private:
    template <typename R, typename F, typename... Arguments>
    AsyncResult<R> begin(F&& function, std::tuple<Arguments...> arguments, Callbacks<R> callbacks) {
        auto call = std::make_shared<ApplyCall<R, Backend>>(std::move(callbacks));
        std::vector<Task> tasks;
        tasks.push_back(Backend::template apply<R>(call, std::decay_t<F>(std::forward<F>(function)), std::move(arguments)));
        core_->submit("apply", std::move(tasks));
        return AsyncResult<R>(std::move(call));
    }
    template <typename With, typename F, typename Range>
    auto begin_map(const char* operation, F& function, Range& range, std::size_t chunk,
                   Callbacks<ListOf<MapResult<With, F, Range>>> callbacks) {
        using R = MapResult<With, F, Range>;
        auto items = items_of(range);
        const Chunks chunks = Chunks::of(items.size(), chunk, core_->workers());
        auto call = std::make_shared<MapCall<R, Backend>>(chunks, std::move(callbacks));
        const std::decay_t<F> callable(function);
        submit_chunks<Backend, R, With>(*core_, operation, call, callable, std::move(items), chunks);
        return AsyncResult<ListOf<R>>(std::move(call));
    }
    template <typename F, typename Range>
    auto begin_stream(const char* operation, F& function, Range& range, std::size_t chunk, bool ordered) {
        using R = MapResult<WithItem, F, Range>;
        auto items = items_of(range);
        const Chunks chunks{items.size(), std::max<std::size_t>(chunk, 1)};
        auto call = std::make_shared<StreamCallOf<R, Backend>>(chunks, ordered);
        const std::decay_t<F> callable(function);
        submit_chunks<Backend, R, WithItem>(*core_, operation, call, callable, std::move(items), chunks);
        return Results<R>(std::move(call));
    }
};

}  // namespace detail

class Pool : public detail::BasicPool<detail::InProcesses> {
  public:
    // The workers run when it returns. Its queues are anonymous objects of the manager's realm.
    explicit Pool(const Manager& manager, PoolOptions options = {});
    // Of the workers that run now.
    std::vector<pid_t> pids() const;
};

class ThreadPool : public detail::BasicPool<detail::InThreads> {
  public:
    explicit ThreadPool(ThreadPoolOptions options = {});
    std::size_t generated() const;  // threads there are, at most `threads`
    std::size_t idle() const;       // of these, without work
};

}  // namespace muster
