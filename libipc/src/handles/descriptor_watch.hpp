// Watches descriptors for a thread that sleeps on futexes: a futex wait cannot, so another thread polls them and changes a
// word that the sleeper has among its own.
#pragma once

#include <cstdint>
#include <thread>
#include <vector>

#include "base/base.hpp"

namespace muster::detail {

class DescriptorWatch {
  public:
    // Starts the thread. Where there is none to be had, works() is false.
    explicit DescriptorWatch(std::vector<int> descriptors) noexcept;
    DescriptorWatch(const DescriptorWatch&) = delete;
    DescriptorWatch& operator=(const DescriptorWatch&) = delete;
    ~DescriptorWatch();

    bool works() const noexcept { return thread_.joinable(); }
    // Changes whenever one of them has become readable.
    std::uint32_t* word() noexcept { return &word_; }
    std::uint32_t value() const noexcept { return __atomic_load_n(&word_, __ATOMIC_ACQUIRE); }

  private:
    void run() noexcept;

    const std::vector<int> descriptors_;
    base::UniqueFd stop_;
    std::uint32_t word_ = 0;
    std::thread thread_;
};

// Which of them are readable, or at their end, before the deadline; empty when none is. An absent one (-1) is none.
std::vector<bool> poll_readable(const std::vector<int>& descriptors, base::Deadline deadline);

}  // namespace muster::detail
