// A process that the daemon started and supervises, seen from a program.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <muster/detail/timeout.hpp>

namespace muster {

namespace detail {
class Realm;
}

struct SpawnOptions {
    std::string name = {};                             // empty: argv[0] without its folders
    std::map<std::string, std::string> environment = {};  // added to the daemon's clean default
    std::string directory = {};                        // empty: the caller's working directory
    std::string output = "log";                        // stdout: "log" (the daemon's), "null", or a file's path
    std::string errors = "log";                        // stderr: the same
    std::optional<std::chrono::milliseconds> grace = {};  // from stop()'s SIGTERM to SIGKILL; none: the daemon's default
};

// What the daemon knows of a process: one that it started, or one that a program forked itself (muster::Process).
struct ProcessInfo {
    std::uint64_t id = 0;
    std::string name;
    pid_t pid = 0, ppid = 0;
    bool forked = false;
    std::string state;            // "starting", "running", "stopping", "exited", "failed"
    std::optional<int> exitcode;  // none while it runs, or when nobody knows; N; -SIGNAL
};

// Cheap to copy. Thread safety: any thread may call anything. Calls go to the daemon; they throw unreachable when it
// does not answer, no_such_process when it has forgotten the process (its history is bounded).
class SpawnedProcess {
  public:
    const std::string& name() const noexcept { return name_; }
    std::uint64_t id() const noexcept { return id_; }
    pid_t pid() const noexcept { return pid_; }

    bool is_alive() const;
    // None while it runs; N; -SIGNAL.
    std::optional<int> exitcode() const;
    // Blocks until it has ended, at most so long; whether it has.
    template <typename Rep, typename Period>
    [[nodiscard]] bool wait_for(std::chrono::duration<Rep, Period> timeout) const {
        return wait_within(detail::saturated(timeout));
    }
    int wait() const;  // the exit code
    void signal(int number) const;
    void stop() const;  // SIGTERM to its whole tree, grace, SIGKILL; returns when all has ended
    void kill() const;  // SIGKILL to its whole tree; returns when all has ended

    SpawnedProcess(std::shared_ptr<detail::Realm> realm, std::uint64_t id, pid_t pid, std::string name) noexcept;

  private:
    bool wait_within(std::chrono::nanoseconds timeout) const;
    std::shared_ptr<detail::Realm> realm_;
    std::uint64_t id_;
    pid_t pid_;
    std::string name_;
};

}  // namespace muster
