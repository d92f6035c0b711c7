#include "pool/process_core.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>

namespace muster::pool {

using muster::detail::ErrorHandler;

ProcessCore::ProcessCore(const Manager& manager, std::size_t size, PoolOptions options)
    : owner_(::getpid()),
      options_(std::move(options)),
      errors_(options_.callback_error ? std::make_shared<const ErrorHandler>(options_.callback_error) : nullptr),
      manager_(manager),
      tasks_(manager.queue<std::string>()),
      results_(manager.queue<std::string>()),
      crew_(size, prototype(options_)),
      ends_([this] { poke(); }) {}

WorkerTask ProcessCore::prototype(const PoolOptions& options) const {
    return {tasks_, results_, nullptr, options.initializer, options.maxtasksperchild};
}

void ProcessCore::start() {
    try {
        crew_.fill();
        receiver_ = start_thread([self = shared_from_this()] { self->run(); });
    } catch (...) {
        crew_.end_all();
        throw;
    }
}

void ProcessCore::check_owner(const char* operation) const {
    if (::getpid() != owner_) throw Error(Errc::invalid_argument, operation, "pool", "it is that of another process");
}

void ProcessCore::poke() noexcept {
    try {
        static constexpr std::array nil{std::byte{muster::detail::lead::nil}};
        results_.put(nil);
    } catch (const std::exception&) {  // it looks around now and then anyhow
    }
}

void ProcessCore::submit(const char* operation, std::vector<Task>&& tasks) {
    check_owner(operation);
    const std::scoped_lock hold(mutex_);
    if (broken_) std::rethrow_exception(broken_);
    if (closed_) throw Error(Errc::closed, operation, "pool");
    if (tasks.empty()) return;
    tasks.front().call->submitted(*this, ++last_call_, errors_);
    const std::size_t before = pending_.size();
    try {
        for (Task& task : tasks) pending_.push_back(std::move(task));
    } catch (...) {  // no memory
        while (pending_.size() > before) pending_.pop_back();
        throw;
    }
    unfinished_ += tasks.size();
    try {
        if (send()) poke();
    } catch (...) {  // no memory: the receiver tries again
        poke();
    }
}

void ProcessCore::close() {
    check_owner("close");
    {
        const std::scoped_lock hold(mutex_);
        closed_ = true;
    }
    poke();
}

void ProcessCore::terminate() {
    check_owner("terminate");
    {
        const std::scoped_lock hold(mutex_);
        closed_ = terminated_ = true;
    }
    poke();
}

void ProcessCore::cancel_queued() {
    check_owner("cancel");
    std::vector<std::shared_ptr<Call>> calls;
    {
        const std::scoped_lock hold(mutex_);
        for (const Task& task : pending_) calls.push_back(task.call);
    }
    for (const auto& call : calls) call->cancel();  // they are dropped when it is their turn
    poke();
}

void ProcessCore::join() {
    check_owner("join");
    {
        std::unique_lock hold(mutex_);
        if (!closed_ && !broken_) throw Error(Errc::invalid_argument, "join", "pool", "close() or terminate() comes first");
        if (handled_by_this_thread() == this)
            throw Error(Errc::deadlock, "join", "pool", "this thread is the one that brings its results");
        changed_.wait(hold, [&] { return finished_; });
    }
    const std::scoped_lock hold(join_mutex_);
    if (receiver_.joinable()) receiver_.join();
    if (broken_ && !terminated_) std::rethrow_exception(broken_);
}

void ProcessCore::abandon() noexcept {
    if (::getpid() != owner_) {  // the threads are not here: nothing can be ended
        static auto& kept = *new std::vector<std::shared_ptr<ProcessCore>>;
        kept.push_back(shared_from_this());
        return;
    }
    terminate();
    const std::scoped_lock hold(join_mutex_);
    if (!receiver_.joinable()) return;
    if (handled_by_this_thread() == this) receiver_.detach();  // a callback has the last handle: it ends when that returns
    else receiver_.join();
}

std::shared_ptr<PoolCore> make_process_core(const Manager& manager, PoolOptions options) {
    const int size = options.processes.value_or(static_cast<int>(std::max(1u, std::thread::hardware_concurrency())));
    if (size < 1) throw Error(Errc::value_error, "make", "pool", "at least one process");
    if (options.maxtasksperchild && *options.maxtasksperchild == 0)
        throw Error(Errc::value_error, "make", "pool", "maxtasksperchild is at least one");
    auto core = std::make_shared<ProcessCore>(manager, static_cast<std::size_t>(size), std::move(options));
    core->start();
    return core;
}

}  // namespace muster::pool

namespace muster {

Pool::Pool(const Manager& manager, PoolOptions options) : BasicPool(pool::make_process_core(manager, std::move(options))) {}

std::vector<pid_t> Pool::pids() const { return static_cast<const pool::ProcessCore&>(*core_).pids(); }

}  // namespace muster
