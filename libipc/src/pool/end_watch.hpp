// Watches the sentinels of a pool's workers, in a thread of its own, and says when one of them has ended.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "base/base.hpp"

namespace muster::pool {

class EndWatch {
  public:
    // `tell` is called in the watching thread, once for each watch(); may not throw.
    explicit EndWatch(std::function<void()> tell);
    EndWatch(const EndWatch&) = delete;
    EndWatch& operator=(const EndWatch&) = delete;
    ~EndWatch();

    // From now on these, which may end at any time. They should be open until the next call; one that is not does no harm.
    void watch(std::vector<int> sentinels);
    // Whether it has told since this was asked last.
    bool told() noexcept { return told_.exchange(false, std::memory_order_acquire); }

  private:
    void run() noexcept;
    bool next(std::vector<int>& sentinels);
    void wake() noexcept;

    const std::function<void()> tell_;
    base::UniqueFd changed_;
    std::mutex mutex_;
    std::vector<int> sentinels_;
    bool stop_ = false;
    std::atomic<bool> told_{false};
    std::thread thread_;
};

// Throws system.
std::thread start_thread(std::function<void()> run);

}  // namespace muster::pool
