// Threads that begin together: workers do a number of turns, watchers go on until the last worker is done.
// What one of them throws is the test's failure.
#pragma once

#include <atomic>
#include <exception>
#include <functional>
#include <latch>
#include <mutex>
#include <thread>
#include <vector>

namespace muster::test {

class Team {
  public:
    using Turn = std::function<void(std::size_t)>;

    void work(std::size_t turns, Turn turn) {
        ++working_;
        members_.push_back([turns, turn = std::move(turn)] {
            for (std::size_t i = 0; i < turns; ++i) turn(i);
        });
        workers_ = members_.size();
    }
    // After all work().
    void watch(Turn turn) {
        members_.push_back([this, turn = std::move(turn)] {
            for (std::size_t i = 0; i == 0 || working_.load() != 0; ++i) turn(i);
        });
    }
    void run() {
        std::latch begin(static_cast<std::ptrdiff_t>(members_.size()));
        std::vector<std::thread> threads;
        for (std::size_t m = 0; m < members_.size(); ++m)
            threads.emplace_back([&, m] {
                begin.arrive_and_wait();
                try {
                    members_[m]();
                } catch (...) {
                    const std::lock_guard hold(mutex_);
                    if (!failure_) failure_ = std::current_exception();
                }
                if (m < workers_) --working_;
            });
        for (std::thread& thread : threads) thread.join();
        if (failure_) std::rethrow_exception(failure_);
    }

  private:
    std::vector<std::function<void()>> members_;
    std::size_t workers_ = 0;
    std::atomic<int> working_{0};
    std::mutex mutex_;
    std::exception_ptr failure_;
};

}  // namespace muster::test
