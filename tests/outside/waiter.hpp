// A process that waits for something whenever it is told to.
#pragma once

#include <sys/types.h>

#include <functional>

namespace outside {

class Waiter {
  public:
    explicit Waiter(const std::function<void()>& wait);  // forks
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;
    ~Waiter();

    void start();
    bool done() const;
    // Sleeps in the kernel for something, or is done. (It may not sleep where it should for good, which is why this is
    // asked often.)
    bool settled() const;

  private:
    struct Words;
    pid_t pid_ = -1;
    int orders_ = -1;
    Words* words_;
};

// The third field of /proc/PID/stat, 'X' when there is none.
char process_state(pid_t pid);

}  // namespace outside
