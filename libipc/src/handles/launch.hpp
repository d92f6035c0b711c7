// A daemon of this process's own: started, ready, and ended with the object, or by itself when the process dies.
#pragma once

#include <sys/types.h>

#include <string>

#include "base/base.hpp"

namespace muster::detail {

class PrivateDaemon {
  public:
    // Returns when it accepts connections. Its messages go to our stderr. Throws start_failed.
    PrivateDaemon(const std::string& program, const std::string& memory);
    PrivateDaemon(const PrivateDaemon&) = delete;
    PrivateDaemon& operator=(const PrivateDaemon&) = delete;
    // Asks it to stop its workers and end, and waits for that.
    ~PrivateDaemon();

    const std::string& address() const noexcept { return address_; }

  private:
    void start(const std::string& program, const std::string& memory);
    void wait_ready(base::UniqueFd ready);
    void remove_directory() noexcept;
    std::string directory_, address_;
    pid_t owner_ = 0, pid_ = 0;
    base::UniqueFd pidfd_;
};

}  // namespace muster::detail
