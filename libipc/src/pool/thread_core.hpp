// A pool of threads of this process.
//
// Invariants: as P1 and P3 of process_core.hpp; a call without callbacks is finished by the thread that brings its last part,
// others by the handler, the one thread for callbacks, which is started when it is first needed.
// Thread safety: as PoolCore's.
#pragma once

#include <sys/types.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "pool/pool.hpp"

namespace muster::pool {

using muster::detail::Call;
using muster::detail::PoolCore;
using muster::detail::Task;

class ThreadCore final : public PoolCore, public std::enable_shared_from_this<ThreadCore> {
  public:
    ThreadCore(std::size_t size, ThreadPoolOptions options);

    void submit(const char* operation, std::vector<Task>&& tasks) override;
    void close() override;
    void cancel_queued() override;
    void terminate() override;
    void join() override;
    std::size_t workers() const noexcept override { return size_; }
    bool in_processes() const noexcept override { return false; }
    void abandon() noexcept override;
    std::size_t generated() const;
    std::size_t idle() const;

  private:
    using Calls = std::vector<std::shared_ptr<Call>>;

    void check_owner(const char* operation) const;
    void work();
    bool initialize();
    void run_one(std::unique_lock<std::mutex>& hold);
    void finish(std::shared_ptr<Call> call);
    void handle();
    void start_needed();  // under the mutex
    void end_all(std::exception_ptr error);
    void join_all();

    const pid_t owner_;
    const std::size_t size_;
    const ThreadPoolOptions options_;
    const std::shared_ptr<const muster::detail::ErrorHandler> errors_;

    mutable std::mutex mutex_;  // guards what follows
    std::condition_variable work_, handled_;
    std::deque<Task> pending_;
    Calls running_;                           // of tasks that run
    std::deque<std::shared_ptr<Call>> over_;  // for the handler
    std::vector<std::thread> threads_;
    std::thread handler_;
    std::size_t generated_ = 0, idle_ = 0;
    std::size_t unfinished_ = 0;  // tasks; at 0 the handler gets no more calls once the pool is closed
    std::uint64_t last_call_ = 0;
    bool closed_ = false, terminated_ = false;
    std::exception_ptr broken_;
    std::mutex join_mutex_;  // before the other one
};

}  // namespace muster::pool
