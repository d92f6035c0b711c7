// "Fail the Nth until none fires", for what failures.hpp cannot replace: each system call of a process, those of a child
// that it starts up to its exec included.
//
//   for (int nth = 1;; ++nth) {
//       const Outcome outcome = with_failing_call(nth, as_it_would, [] {
//           { const Counted counted; ... the operation ... }
//           ... looks at what has come of it ...
//           return what_it_found;
//       });
//       if (!outcome.call.fired) break;
//   }
//
// The call is not made: it returns the error. Those that cannot fail in the world, or whose failure means nothing, are not
// counted; system_calls.cpp names them. Built on ptrace: ask no_tracing_here() first. x86-64 only.
// Thread safety: all calls for a process from the thread that traces it. What is traced has one thread.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>

namespace muster::test {

// Why this machine cannot do it, empty when it can.
std::string no_tracing_here();

// Where an errno value is asked for: what the call says when there are no descriptors, no memory or no processes. EPERM is
// what a sandbox says, ENOSYS an old kernel.
inline constexpr int as_it_would = 0;

struct FailedCall {
    bool fired = false;
    int error = 0;
    bool in_child = false;  // not of the process itself
    std::string name;       // "openat"; "call 123" of one that the table does not have
    std::string path;       // the one it was given, if any
    std::array<std::uint64_t, 6> arguments{};
};

// Follows a process and what it forks, each until its exec. Nothing fails until fail().
class CallTracer {
  public:
    explicit CallTracer(pid_t pid);  // throws std::system_error
    CallTracer(const CallTracer&) = delete;
    CallTracer& operator=(const CallTracer&) = delete;
    ~CallTracer();  // lets them all go on by themselves

    // The nth of the calls that are counted. `counts`, if given, is asked about each of those that could be, with its
    // name; it is not asked any more once the call has failed.
    using Counts = std::function<bool(pid_t, const std::string& name)>;
    void fail(int nth, int error, Counts counts = {});
    const FailedCall& call() const noexcept { return call_; }

    // Deals with the next stop of one of them. False: none is left to be traced, or, if not to wait for, none has stopped.
    bool step(bool wait = true);
    // The wait status of the process itself, once it has ended.
    std::optional<int> ended() const noexcept { return ended_; }

  private:
    void stopped(pid_t pid, int status, int request);  // which then lets it go on
    void at_call(pid_t pid);
    void entered(pid_t pid, std::uint64_t number, const std::uint64_t* arguments);

    const pid_t pid_;
    std::map<pid_t, bool> traced_;  // and whether its call is being failed
    std::optional<int> ended_;
    int left_ = 0;
    bool marked_ = false;  // between the marks of a Counted
    std::set<pid_t> bystanders_;  // that were there when it began: theirs are not counted
    int error_ = as_it_would;
    Counts counts_;
    FailedCall call_;
};

// What is counted of with_failing_call()'s operation: the calls of the process, and of those that it starts meanwhile.
class Counted {
  public:
    Counted();
    Counted(const Counted&) = delete;
    Counted& operator=(const Counted&) = delete;
    ~Counted();
};

struct Outcome {
    FailedCall call;
    std::string found;  // what the operation returned: up to 16 KiB
    int status = 0;     // of the child's end, 0 when it returned
};

// Forks; the child carries `operation` out, and must not assert.
Outcome with_failing_call(int nth, int error, const std::function<std::string()>& operation);

}  // namespace muster::test
