// A process that another one moves on instruction by instruction, and may kill at any of them. Built on ptrace and
// POSIX alone: it knows nothing of what runs in the child.
//
// Single-stepping costs microseconds an instruction, so the way to the i-th of them is stepped once, by record(), and
// then gone in few stops: a breakpoint (the processor's, not one in the code) runs the child to where a rare
// instruction comes by for the n-th time, and only the rest is stepped. An instruction that repeats itself (rep movs)
// counts once. x86-64 only: ask no_stepping_here() first.
// Thread safety: all calls for a child from the thread that made it.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

namespace muster::test {

// Why this machine cannot do it, empty when it can.
std::string no_stepping_here();

// The addresses that a child's instructions were fetched from, in order, from some stop of it on.
class Path {
  public:
    std::size_t size() const noexcept { return at_.size(); }
    // How often the i-th instruction's address came by before.
    std::uint32_t earlier(std::size_t i) const noexcept { return earlier_[i]; }

  private:
    friend class Stepped;
    void add(std::uint64_t address);
    std::vector<std::uint64_t> at_;
    std::vector<std::uint32_t> earlier_;
    std::vector<std::size_t> from_;  // the way to i: run to where from_[i] comes by as often as then, step the rest
    std::unordered_map<std::uint64_t, std::uint32_t> seen_;
};

class Stepped {
  public:
    using Run = std::function<void()>;
    // The child's, which can be made to stand still: stepped through, nothing takes longer than at full speed.
    class Clock {
      public:
        virtual ~Clock() = default;
        virtual void stand_still() = 0;
        virtual void go_on() = 0;
        virtual std::chrono::nanoseconds behind() const = 0;  // the kernel's
    };

    // Forks. The child runs `prepare`, at full speed, and stops before the first instruction of `operation`; when it
    // gets to the end of that, it stands at_end(). Whatever it throws ends it. Call while no other thread runs.
    Stepped(const Run& prepare, const Run& operation, Clock* clock = nullptr);
    Stepped(const Stepped&) = delete;
    Stepped& operator=(const Stepped&) = delete;
    ~Stepped() { kill(); }

    pid_t pid() const noexcept { return pid_; }
    bool ended() const noexcept { return !stopped_; }  // the process has; nothing but kill() can be done
    bool at_end();                                     // of the operation
    // The next instruction is the system call that puts it to sleep on a futex.
    bool before_sleep();

    // One instruction, or one system call. False: the process has ended.
    bool step();
    // Steps until `arrived`, or the operation's end, and says which way it went. The clock, if any, stands still.
    Path record(const std::function<bool()>& arrived = {});
    // From a stop like the one where `path` begins: to before its i-th instruction. False: it never came by there; the
    // child may have ended, or stand at another place, at_end(), or be stopped in its sleep.
    bool go(const Path& path, std::size_t i);
    // From before_sleep(): lets it sleep, until when it meant to by its own clock; returns when the kernel says it does.
    // Then woken() waits for it to wake up and stop behind the system call; false: the process has ended.
    bool sleep();
    bool woken() { return wait(); }

    // SIGKILL, wherever it is; reaped on return. The wait status.
    int kill();

  private:
    bool resume(int request);
    bool wait();
    bool wait_awake();
    char state() const;  // as /proc says
    bool run_to(std::uint64_t address, std::uint32_t earlier);
    std::uint64_t address();
    void put_off_deadline();

    Clock* const clock_;
    pid_t pid_ = -1;
    bool stopped_ = false;
    int status_ = 0, signal_ = 0;
};

}  // namespace muster::test
