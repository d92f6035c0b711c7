// Child processes that run a function of this program, as Python's multiprocessing.Process.
//
//     muster::Process worker([&] { totals.insert_or_assign("runs", 1); });
//     worker.start();
//     worker.join();
//     return *worker.exitcode();
//
// start() forks: the child has everything the parent had, by copy, and shared objects stay shared. The
// function runs in the child and the child ends with it; start() returns in the parent only. How a child
// ends:
//   - the function returns int: that is the exit code (its low 8 bits); returns anything else: 0;
//   - it lets an exception out: 1, and "Process NAME: WHAT" on stderr;
//   - a signal ends it: exitcode() is -SIGNAL in the parent.
// The child then ends its own children (as below), flushes std::cout, std::cerr, stdout and stderr, and
// leaves without running the parent's atexit handlers and static destructors. Its stdin is /dev/null, so that
// it does not eat the parent's input. Signal handlers and masks are inherited, as with any fork. In a program
// of several threads only the one that called start() exists in the child: what the others had locked stays
// locked there.
//
// Parents and children. A handle may be dropped while the process runs; this does not end it. When the parent
// ends normally (return from main, exit), its daemon children get SIGTERM, 5 seconds later SIGKILL, and all
// others are joined: the parent waits for them. When the parent is killed, daemon children end all the same
// (a thread in each watches the parent; gone if the child calls exec), the others live on. A daemon child may
// not start children.
//
// Every process is held by a pidfd from birth, so no signal ever goes to a stranger that got a recycled pid.
// If the program ignores SIGCHLD, or waits for any child (waitpid(-1)) and so takes ours away, join() and
// is_alive() still work, but the exit code may be lost: exitcode() is then none although the process has
// ended. (Linux 6.15 and later remember it: there it is not lost.)
//
// Thread safety: all methods and functions here may be called by several threads at once; moving and
// destroying a handle may not run beside other uses of the same handle. A Process that was moved from can be
// assigned and destroyed. Errors are muster::Error; Errc::closed after close().
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <muster/detail/timeout.hpp>

namespace muster {

namespace detail {

struct Child;  // what all handles of one process share
struct Parent;

class Target {
  public:
    virtual ~Target() = default;
    virtual int call() = 0;
};

// A function and its arguments, kept by value as std::thread keeps them.
template <typename F, typename... Args>
class BoundTarget final : public Target {
  public:
    template <typename G, typename... Given>
    explicit BoundTarget(G&& function, Given&&... args)
        : function_(std::forward<G>(function)), args_(std::forward<Given>(args)...) {}

    int call() override {
        return std::apply(
            [this](Args&... args) {
                if constexpr (std::is_same_v<std::invoke_result_t<F, Args...>, int>) {
                    return std::invoke(std::move(function_), std::move(args)...);
                } else {
                    static_cast<void>(std::invoke(std::move(function_), std::move(args)...));
                    return 0;
                }
            },
            args_);
    }

  private:
    F function_;
    std::tuple<Args...> args_;
};

}  // namespace detail

struct ProcessOptions {
    std::string name = {};            // empty: Process-N, in a child Process-N:M
    std::optional<bool> daemon = {};  // none: as the process that makes it
};

class Process {
  public:
    using Options = ProcessOptions;

    // A process whose class overrides run(); run() as it is here does nothing.
    explicit Process(Options options = {});
    // A process that calls `function` with `args`; both are copied or moved into the handle.
    template <typename F, typename... Args>
    requires std::is_invocable_v<std::decay_t<F>, std::decay_t<Args>...>
    explicit Process(F&& function, Args&&... args)
        : Process(Options{}, std::forward<F>(function), std::forward<Args>(args)...) {}
    template <typename F, typename... Args>
    requires std::is_invocable_v<std::decay_t<F>, std::decay_t<Args>...> Process(Options options,
                                                                                 F&& function, Args&&... args)
        : Process(std::move(options)) {
        target_ = std::make_unique<detail::BoundTarget<std::decay_t<F>, std::decay_t<Args>...>>(
            std::forward<F>(function), std::forward<Args>(args)...);
    }

    Process(Process&&) noexcept;
    Process& operator=(Process&&) noexcept;
    virtual ~Process();

    // What the child runs; the result is its exit code. Called by start(), in the child.
    virtual int run();

    // Forks. Flushes stdout and std::cout first, so that nothing buffered is printed twice. Throws
    // already_running on a second call, start_failed when the kernel refuses, invalid_argument in a daemon
    // process or in a process that did not make this object.
    Process& start();

    // Blocks until the process has ended, and reaps it. Throws not_running before start(), invalid_argument
    // in a process that is not its parent. May be called again.
    void join();
    // ... for so long; whether it ended in time. Zero and less: does not block.
    template <typename Rep, typename Period>
    [[nodiscard]] bool join_for(std::chrono::duration<Rep, Period> timeout) {
        return join_within(detail::saturated(timeout));
    }
    template <typename Clock, typename Duration>
    [[nodiscard]] bool join_until(std::chrono::time_point<Clock, Duration> when) {
        return join_within(detail::left_until(when));
    }

    // Started and not ended (asked of the kernel now). Throws invalid_argument in a process that is not its
    // parent.
    bool is_alive() const;
    // SIGTERM, SIGKILL, any signal, to this process alone. A no-op on one that has ended; not_running before
    // start(). A process may be alive for a while after it: join() tells.
    void terminate();
    void kill();
    void signal(int number);

    // None while it has not started or still runs; its exit code; -N when signal N ended it.
    std::optional<int> exitcode() const;

    std::string name() const;
    void name(std::string name);       // at any time, but the daemon hears it only before start()
    std::optional<pid_t> pid() const;  // none before start(); kept after the end
    bool daemon() const;
    void daemon(bool daemon);  // before start(); afterwards throws already_running

    // A descriptor (a pidfd) that polls readable once the process has ended; owned by this object, valid
    // until close() or until the last handle goes. Throws not_running before start().
    int sentinel() const;

    // Gives back what the handle holds; only the destructor and close() may follow. Throws invalid_argument
    // while the process runs.
    void close();

  private:
    friend std::vector<Process> active_children();
    friend Process& current_process();
    explicit Process(std::shared_ptr<detail::Child> child) noexcept;
    bool join_within(std::chrono::nanoseconds timeout);

    std::shared_ptr<detail::Child> child_;
    std::unique_ptr<detail::Target> target_;
};

// The started children of this process that have not ended; reaps those that have. Handles beside those there
// are: dropping them changes nothing.
std::vector<Process> active_children();

// This process: "MainProcess", or what it was started as. Valid until the end of the process.
Process& current_process();

// The process that started this one with Process::start.
class ParentProcess {
  public:
    std::string name() const;
    pid_t pid() const noexcept;
    bool is_alive() const;
    void join() const;  // until it has ended
    template <typename Rep, typename Period>
    [[nodiscard]] bool join_for(std::chrono::duration<Rep, Period> timeout) const {
        return join_within(detail::saturated(timeout));
    }
    int sentinel() const noexcept;  // as Process::sentinel

  private:
    friend std::optional<ParentProcess> parent_process();
    explicit ParentProcess(std::shared_ptr<const detail::Parent> parent) noexcept;
    bool join_within(std::chrono::nanoseconds timeout) const;
    std::shared_ptr<const detail::Parent> parent_;
};

// None in a process that Process::start did not make.
std::optional<ParentProcess> parent_process();

}  // namespace muster
