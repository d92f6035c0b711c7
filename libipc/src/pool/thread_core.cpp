#include "pool/thread_core.hpp"

#include <unistd.h>

#include <algorithm>

#include "pool/end_watch.hpp"

namespace muster::pool {

namespace {

thread_local const ThreadCore* works_for = nullptr;

void join_or_detach(std::thread& thread) {
    if (!thread.joinable()) return;
    if (thread.get_id() == std::this_thread::get_id()) thread.detach();  // its function keeps the core
    else thread.join();
}

}  // namespace

ThreadCore::ThreadCore(std::size_t size, ThreadPoolOptions options)
    : owner_(::getpid()),
      size_(size),
      options_(std::move(options)),
      errors_(options_.callback_error ? std::make_shared<const muster::detail::ErrorHandler>(options_.callback_error) : nullptr) {
    threads_.reserve(size);
}

void ThreadCore::check_owner(const char* operation) const {
    if (::getpid() != owner_) throw Error(Errc::invalid_argument, operation, "thread pool", "it is that of another process");
}

void ThreadCore::submit(const char* operation, std::vector<Task>&& tasks) {
    check_owner(operation);
    const std::scoped_lock hold(mutex_);
    if (broken_) std::rethrow_exception(broken_);
    if (closed_) throw Error(Errc::closed, operation, "thread pool");
    if (tasks.empty()) return;
    tasks.front().call->submitted(*this, ++last_call_, errors_);
    const std::size_t before = pending_.size();
    try {
        for (Task& task : tasks) pending_.push_back(std::move(task));
        start_needed();
    } catch (...) {  // no memory; not one thread to be had
        while (pending_.size() > before) pending_.pop_back();
        throw;
    }
    unfinished_ += tasks.size();
    if (tasks.size() == 1) work_.notify_one();
    else work_.notify_all();
}

// A thread for each task that no idle one is there for, as long as there may be more.
void ThreadCore::start_needed() {
    while (threads_.size() < size_ && pending_.size() > idle_) {
        try {
            // It counts as idle from now on, so that the next task need not start another one.
            threads_.push_back(start_thread([self = shared_from_this()] { self->work(); }));
            ++idle_;
            ++generated_;
        } catch (...) {
            if (threads_.empty()) throw;
            return;
        }
    }
}

bool ThreadCore::initialize() {
    try {
        if (options_.initializer) options_.initializer();
        return true;
    } catch (...) {
        end_all(std::make_exception_ptr(Error(Errc::start_failed, "start", "thread pool",
                                              "the initializer failed: " + muster::detail::text_of(std::current_exception()))));
        return false;
    }
}

void ThreadCore::work() {
    works_for = this;
    const bool ready = initialize();
    std::unique_lock hold(mutex_);
    while (ready) {
        if (!pending_.empty()) {
            run_one(hold);
        } else if (closed_) {
            break;
        } else {
            work_.wait(hold);
        }
    }
    --idle_;
    --generated_;
}

void ThreadCore::run_one(std::unique_lock<std::mutex>& hold) {
    --idle_;
    Task task = std::move(pending_.front());
    pending_.pop_front();
    const bool runs = task.call->begin();  // or it was cancelled
    if (runs) running_.push_back(task.call);
    hold.unlock();
    const bool last = runs && task.local->run();
    task.local.reset();  // its arguments go in the thread that had them, before the call is done
    if (last) finish(task.call);
    hold.lock();
    if (runs) running_.erase(std::find(running_.begin(), running_.end(), task.call));
    hold.unlock();
    task = {};
    hold.lock();
    ++idle_;
    if (--unfinished_ == 0) handled_.notify_all();
}

void ThreadCore::finish(std::shared_ptr<Call> call) {
    if (!call->has_callbacks()) return call->finish();
    try {
        const std::scoped_lock hold(mutex_);
        if (!handler_.joinable()) handler_ = start_thread([self = shared_from_this()] { self->handle(); });
        over_.push_back(call);
        handled_.notify_all();
    } catch (...) {  // no thread to be had: better here than never
        call->finish();
    }
}

void ThreadCore::handle() {
    handled_by_this_thread() = this;
    std::unique_lock hold(mutex_);
    for (;;) {
        handled_.wait(hold, [&] { return !over_.empty() || (closed_ && unfinished_ == 0); });
        if (over_.empty()) return;
        const std::shared_ptr<Call> call = std::move(over_.front());
        over_.pop_front();
        hold.unlock();
        call->finish();
        hold.lock();
    }
}

void ThreadCore::close() {
    check_owner("close");
    const std::scoped_lock hold(mutex_);
    closed_ = true;
    work_.notify_all();
    handled_.notify_all();
}

void ThreadCore::cancel_queued() {
    check_owner("cancel");
    Calls calls;
    {
        const std::scoped_lock hold(mutex_);
        for (const Task& task : pending_) calls.push_back(task.call);
    }
    for (const auto& call : calls) call->cancel();
}

void ThreadCore::terminate() {
    check_owner("terminate");
    {
        const std::scoped_lock hold(mutex_);
        terminated_ = true;
    }
    end_all(std::make_exception_ptr(Error(Errc::closed, "get", "thread pool", "it was terminated")));
}

// Whoever waits is told, also for what runs: that goes on, and nobody asks for it any more.
void ThreadCore::end_all(std::exception_ptr error) {
    std::deque<Task> dropped;
    Calls calls;
    {
        const std::scoped_lock hold(mutex_);
        closed_ = true;
        if (!broken_) broken_ = error;
        dropped.swap(pending_);
        calls = running_;
        ++unfinished_;  // the handler stays
        work_.notify_all();
    }
    for (const Task& task : dropped) calls.push_back(task.call);
    for (const auto& call : calls)
        if (call->abandon(error)) finish(call);
    const std::scoped_lock hold(mutex_);
    unfinished_ -= dropped.size() + 1;
    handled_.notify_all();
}

void ThreadCore::join() {
    check_owner("join");
    {
        const std::scoped_lock hold(mutex_);
        if (!closed_) throw Error(Errc::invalid_argument, "join", "thread pool", "close() or terminate() comes first");
        if (handled_by_this_thread() == this || works_for == this)
            throw Error(Errc::deadlock, "join", "thread pool", "this thread is one of its own");
    }
    join_all();
    const std::scoped_lock hold(mutex_);
    if (broken_ && !terminated_) std::rethrow_exception(broken_);
}

void ThreadCore::join_all() {
    const std::scoped_lock once(join_mutex_);
    std::vector<std::thread> threads;
    {
        const std::scoped_lock hold(mutex_);
        threads.swap(threads_);
    }
    for (std::thread& thread : threads) join_or_detach(thread);
    std::thread handler;
    {
        const std::scoped_lock hold(mutex_);
        handler.swap(handler_);
    }
    join_or_detach(handler);
}

void ThreadCore::abandon() noexcept {
    if (::getpid() != owner_) {  // the threads are not here: nothing can be ended
        static auto& kept = *new std::vector<std::shared_ptr<ThreadCore>>;
        kept.push_back(shared_from_this());
        return;
    }
    terminate();
    join_all();
}

std::size_t ThreadCore::generated() const {
    const std::scoped_lock hold(mutex_);
    return generated_;
}
std::size_t ThreadCore::idle() const {
    const std::scoped_lock hold(mutex_);
    return idle_;
}

std::shared_ptr<PoolCore> make_thread_core(ThreadPoolOptions options) {
    const int size = options.threads.value_or(static_cast<int>(std::max(1u, std::thread::hardware_concurrency())));
    if (size < 1) throw Error(Errc::value_error, "make", "thread pool", "at least one thread");
    return std::make_shared<ThreadCore>(static_cast<std::size_t>(size), std::move(options));
}

}  // namespace muster::pool

namespace muster {

ThreadPool::ThreadPool(ThreadPoolOptions options) : BasicPool(pool::make_thread_core(std::move(options))) {}
std::size_t ThreadPool::generated() const { return static_cast<const pool::ThreadCore&>(*core_).generated(); }
std::size_t ThreadPool::idle() const { return static_cast<const pool::ThreadCore&>(*core_).idle(); }

}  // namespace muster
