// Threads of a process of its own, one for each lane, that sleep on shared objects when told to, side by side: so that
// hundreds of sleepers wait for their slices to end at once.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "support/child.hpp"

namespace muster::test {

class Sleepers {
  public:
    // Forks. `sleep(lane)` is what a lane's thread does when it is told to; it returns when it was let on.
    using Sleep = std::function<void(std::size_t lane)>;
    Sleepers(std::size_t lanes, const Sleep& sleep);

    void start(std::size_t lane);
    bool done(std::size_t lane) const;  // with what it was last told to
    // Of the lane that is done: empty, or what its sleep threw.
    std::string error(std::size_t lane) const;
    // The futex it sleeps on now, null when it does not. The address as all forked processes of this family have it.
    const void* sleeps_on(std::size_t lane) const;

  private:
    struct Lane {
        std::atomic<std::uint32_t> asked, answered;
        std::atomic<pid_t> thread;
        char error[160];
    };
    [[noreturn]] void run(std::size_t index, const Sleep& sleep);

    Lane& lane(std::size_t index) const { return shared_.get()[index]; }

    std::shared_ptr<Lane> shared_;
    std::unique_ptr<Child> process_;
};

}  // namespace muster::test
