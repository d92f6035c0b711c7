// The parent's side of a pool of processes: what is to be done, who has it, what has become of it.
//
// Invariants:
//   P1 A task is in exactly one place: pending, in one item, or over. Of an item that is not in `items_` nothing is awaited any
//      more: what comes of it, late or twice, is dropped.
//   P2 Only the receiver takes results, runs callbacks, starts and buries workers. What a dead worker has put into the queue is
//      read before anybody asks what it was at.
//   P3 User code (codecs, callbacks) and forks run without the mutex.
//
// Thread safety: as PoolCore's.
#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

#include <muster/manager.hpp>

#include "pool/crew.hpp"
#include "pool/lanes.hpp"
#include "pool/pool.hpp"

namespace muster::pool {

using muster::detail::Call;
using muster::detail::PoolCore;
using muster::detail::Task;

class ProcessCore final : public PoolCore, public std::enable_shared_from_this<ProcessCore> {
  public:
    ProcessCore(const Manager& manager, std::size_t size, PoolOptions options);
    // Starts the workers and the threads.
    void start();

    void submit(const char* operation, std::vector<Task>&& tasks) override;
    void close() override;
    void cancel_queued() override;
    void terminate() override;
    void join() override;
    std::size_t workers() const noexcept override { return crew_.size(); }
    bool in_processes() const noexcept override { return true; }
    void abandon() noexcept override;
    std::vector<pid_t> pids() const { return crew_.pids(); }

  private:
    using Calls = std::vector<std::shared_ptr<Call>>;
    using Clock = std::chrono::steady_clock;
    struct Item {
        std::vector<Task> tasks;  // a task without a call is over, or elsewhere
        std::size_t left = 0;
        Clock::time_point sent;
    };

    void check_owner(const char* operation) const;
    void poke() noexcept;
    WorkerTask prototype(const PoolOptions& options) const;

    // --- sending; under the mutex: sending.cpp ---
    // As many items as may be on their way. What the first pending task, alone, could not be sent for; else null.
    std::exception_ptr send();
    std::size_t window() const noexcept;
    std::size_t bundle() noexcept;
    void bundle_up(Item& item, std::size_t most);
    void unbundle(Item& item, std::size_t first, std::size_t last);
    void take_back_stuck();

    // --- the receiver: receiver.cpp ---
    void run() noexcept;
    std::size_t receive(std::chrono::nanoseconds timeout);  // how many messages
    void take_message(Reader in) noexcept;
    void take_outcome(Reader& in, bool is_error, std::uint32_t item, std::size_t place) noexcept;
    void take_returned(std::uint32_t item);
    Task resolve(std::uint32_t item, std::size_t place);
    void look_for_ends();
    void bury(const Ended& ended);
    void keep_crew();
    void send_or_fail();
    void finish_calls() noexcept;
    bool wind_up();  // false: all has ended
    void fail_all(std::exception_ptr error) noexcept;
    std::chrono::nanoseconds patience();

    const pid_t owner_;
    const PoolOptions options_;
    const std::shared_ptr<const muster::detail::ErrorHandler> errors_;
    const Manager manager_;  // a private daemon lives as long as it does
    Lane tasks_, results_;
    Crew crew_;
    EndWatch ends_;

    std::mutex mutex_;  // guards what follows, to the next comment
    std::condition_variable changed_;
    std::deque<Task> pending_;
    std::unordered_map<std::uint32_t, Item> items_;
    std::size_t unfinished_ = 0;  // tasks that are pending or in an item
    std::uint32_t last_item_ = 0;
    std::uint64_t last_call_ = 0;
    double average_ns_ = 0;  // of a task, lately; 0: not known
    std::uint64_t busy_seen_ = 0, tasks_seen_ = 0;
    bool closed_ = false, terminated_ = false, finished_ = false;
    std::exception_ptr broken_;
    // The receiver's alone.
    Calls over_;  // complete, and not finished yet
    bool draining_ = false, came_back_ = false;
    std::size_t failed_starts_ = 0;
    Clock::time_point next_start_{};
    std::string not_ready_;
    std::mutex join_mutex_;  // guards the thread
    std::thread receiver_;
};

}  // namespace muster::pool
