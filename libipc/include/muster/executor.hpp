// Executor: functions called by others, with a Future for what each gives, as Python's concurrent.futures.
//
//     void render_all(muster::Executor& executor) {            // by processes or by threads
//         auto page = executor.submit(render, "index.html");
//         page.add_done_callback([](muster::Future<std::string> done) { ... });
//         for (auto& size : executor.map(size_of, names)) ...
//     }
//
// ProcessExecutor and ThreadExecutor are one interface: what an Executor& is given must be able to go to a process, whichever
// it is; a ThreadExecutor called by its own name takes anything that can be called and moved. What a task may be, what comes
// of its errors, and what the death of a worker means (one task, never the executor) is as in <muster/pool.hpp>.
//
// Thread safety: any thread may call anything; of Results one at a time.
// Throws Error: closed (after shutdown), and what a pool does.
#pragma once

#include <muster/pool.hpp>

namespace muster {

// Cheap to copy; outlives its executor.
template <typename T>
class Future {
  public:
    // Waits; throws what the task threw, worker_died, cancelled; with a timeout `timeout`. May be called again, if T can be
    // copied: otherwise the first call has it.
    T result() const { return result_within({}); }
    template <typename Rep, typename Period>
    T result(std::chrono::duration<Rep, Period> timeout) const { return result_within(detail::saturated(timeout)); }
    // What result() would throw; null: nothing. Throws cancelled, and with a timeout `timeout`.
    std::exception_ptr exception() const { return exception_within({}); }
    template <typename Rep, typename Period>
    std::exception_ptr exception(std::chrono::duration<Rep, Period> timeout) const {
        return exception_within(detail::saturated(timeout));
    }
    bool done() const { return call_->ready(); }  // also when it was cancelled
    bool running() const { return call_->running(); }
    bool cancelled() const { return call_->cancelled(); }
    // Only what is queued can be cancelled, and then never runs; true when it is. As many tasks as there are workers, and one
    // more, are with them already (more, if tasks take less than a millisecond).
    bool cancel() const { return call_->cancel(); }
    // fn(future) when it is done or cancelled: in the thread that brings that about, after result() has it; at once, in this
    // thread, when it is already. What it throws is reported as of a pool's callbacks.
    template <std::invocable<Future> Fn>
    void add_done_callback(Fn fn) const {
        const auto shared = std::make_shared<Fn>(std::move(fn));
        auto run = [shared, call = std::weak_ptr(call_)] {
            if (auto alive = call.lock()) (*shared)(Future(std::move(alive)));
        };
        if (!call_->when_done(run)) call_->run_callback(run);
    }

    explicit Future(std::shared_ptr<detail::ValueCall<T>> call) noexcept : call_(std::move(call)) {}

  private:
    T result_within(detail::Timeout timeout) const {
        call_->get_within("result", timeout);
        if constexpr (std::is_void_v<T>) return;
        else if constexpr (std::is_copy_constructible_v<T>) return call_->value();
        else return std::move(call_->value());
    }
    std::exception_ptr exception_within(detail::Timeout timeout) const {
        if (!call_->wait_within(timeout)) throw Error(Errc::timeout, "exception", call_->subject());
        if (call_->cancelled()) throw Error(Errc::cancelled, "exception", call_->subject());
        return call_->error();
    }
    std::shared_ptr<detail::ValueCall<T>> call_;
};

struct MapOptions {
    std::optional<std::chrono::nanoseconds> timeout = {};  // for all of it, from the call on
    std::size_t chunk = 1;                                 // items of a task
};

class Executor {
  public:
    Executor(Executor&&) noexcept = default;
    Executor& operator=(Executor&&) noexcept = delete;
    // shutdown()
    virtual ~Executor();

    template <typename F, typename... Args>
    requires detail::Appliable<F, Args...>
    auto submit(F&& function, Args&&... args) {
        using R = detail::ApplyResult<F, Args...>;
        auto call = std::make_shared<detail::ApplyCall<R, detail::InProcesses>>();
        std::tuple<detail::Argument<Args>...> arguments(std::forward<Args>(args)...);
        std::decay_t<F> callable(std::forward<F>(function));
        return begin<R>(call, core_->in_processes()
                                  ? detail::InProcesses::apply<R>(call, std::move(callable), std::move(arguments))
                                  : detail::InThreads::apply<R>(call, std::move(callable), std::move(arguments)));
    }
    // Results in the order of the items, as they are asked for; all is given to the workers at once. What has not begun when
    // the Results go is dropped. When the time is over, next() and ++ throw `timeout`.
    template <typename F, std::ranges::input_range Range>
    auto map(F&& function, Range&& items, MapOptions options = {}) {
        return core_->in_processes() ? begin_map<detail::InProcesses, detail::InProcesses>(function, items, options)
                                     : begin_map<detail::InProcesses, detail::InThreads>(function, items, options);
    }
    // No more work. With `cancel_futures` what is queued is cancelled; with `wait` it returns when all is done and the
    // workers have ended. May be called again.
    void shutdown(bool wait = true, bool cancel_futures = false);

  protected:
    explicit Executor(std::shared_ptr<detail::PoolCore> core) noexcept : core_(std::move(core)) {}

    template <typename R, typename CallType>
    Future<R> begin(std::shared_ptr<CallType> call, detail::Task task) {
        std::vector<detail::Task> tasks;
        tasks.push_back(std::move(task));
        core_->submit("submit", std::move(tasks));
        return Future<R>(std::move(call));
    }
    template <typename Decoder, typename Backend, typename F, typename Range>
    auto begin_map(F& function, Range& range, const MapOptions& options) {
        using R = detail::MapResult<detail::WithItem, F, Range>;
        auto items = detail::items_of(range);
        const std::decay_t<F> callable(function);
        const detail::Chunks chunks{items.size(), std::max<std::size_t>(options.chunk, 1)};
        auto call = std::make_shared<detail::StreamCallOf<R, Decoder>>(chunks, true);
        detail::submit_chunks<Backend, R, detail::WithItem>(*core_, "map", call, callable, std::move(items), chunks);
        return Results<R>(std::move(call), options.timeout);
    }
    detail::CoreHolder core_;
};

class ProcessExecutor final : public Executor {
  public:
    explicit ProcessExecutor(const Manager& manager, PoolOptions options = {});
    std::vector<pid_t> pids() const;
};

class ThreadExecutor final : public Executor {
  public:
    explicit ThreadExecutor(ThreadPoolOptions options = {});

    template <typename F, typename... Args>
    requires detail::Appliable<F, Args...>
    auto submit(F&& function, Args&&... args) {
        using R = detail::ApplyResult<F, Args...>;
        auto call = std::make_shared<detail::ApplyCall<R, detail::InThreads>>();
        return begin<R>(call, detail::InThreads::apply<R>(call, std::decay_t<F>(std::forward<F>(function)),
                                                          std::tuple<detail::Argument<Args>...>(std::forward<Args>(args)...)));
    }
    template <typename F, std::ranges::input_range Range>
    auto map(F&& function, Range&& items, MapOptions options = {}) {
        return begin_map<detail::InThreads, detail::InThreads>(function, items, options);
    }
};

}  // namespace muster
