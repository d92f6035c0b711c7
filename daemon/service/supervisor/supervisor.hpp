// The supervisor: what is to happen to processes. The keeper does it.
//
// Every decision is here and no system call but for forked processes (those that a program forked itself): the keeper,
// the clock and the pidfd watch are behind `Outside`, so that tests drive it without a daemon. Calls answer through
// `Answer`, now or later, exactly once, unless cancelled; invalid ones throw CallError.
//
// A spawned process is a record of the keeper's, with our note; so a new service knows everything from the keeper's
// Child messages (restore()), and forked ones from their journal (restore_forked()). Ended ones are kept, newest first, up to the history's limit; then they are forgotten
// here and at the keeper. Thread safety: the service's one thread.
#pragma once

#include <deque>
#include <exception>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "service/server/call.hpp"
#include "service/supervisor/process.hpp"
#include "service/supervisor/selection.hpp"
#include "service/supervisor/waits.hpp"

namespace muster::service {

class Outside {
  public:
    virtual ~Outside() = default;
    virtual void send(link::ToKeeper message) = 0;
    virtual Instant now() = 0;
    // Call forked_gone(id) when this pidfd becomes readable; it stays open until unwatch(id).
    virtual void watch(std::uint64_t id, int pidfd) = 0;
    virtual void unwatch(std::uint64_t id) = 0;
    // A forked process as it is now, to be given to restore_forked() of the next service; and one that is forgotten.
    virtual void record(const Process& forked) = 0;
    virtual void erase(std::uint64_t forked) = 0;
};

struct SupervisorOptions {
    std::size_t history = 256;     // ended processes kept
    std::size_t processes = 4096;  // not yet ended ones, of everybody
    std::size_t processes_per_uid = 2048;
    double grace = default_grace;
    pid_t keeper_pid = 0;
};

struct Requester {
    uid_t uid = 0;
    pid_t pid = 0;
};

struct Launch {
    link::SpawnSpec spec;
    std::string name;
    uid_t uid = 0;           // whose process it will be
    int stop_signal = 15;
    std::optional<double> grace;
    std::size_t count = 1;   // more than one: NAME-1 ... NAME-N
};

// A change that an exception ends in the middle, for want of memory, would stay half done. So the service ends, too: the
// next one goes on with what the keeper was told, which is always before what is done by it.
class Whole {
  public:
    Whole() = default;
    Whole(const Whole&) = delete;
    Whole& operator=(const Whole&) = delete;
    ~Whole() {
        if (std::uncaught_exceptions() > before_) std::terminate();
    }

  private:
    const int before_ = std::uncaught_exceptions();
};

class Supervisor {
  public:
    using Answer = std::function<void(const std::variant<Processes, CallError>&)>;
    using Watcher = std::function<void(const Process&)>;
    using Token = std::uint64_t;

    Supervisor(SupervisorOptions options, Outside& outside);
    ~Supervisor();

    // --- what clients ask for ---
    void spawn(const Launch& launch, Answer answer);
    Processes list(uid_t caller, bool all, const std::optional<std::string>& selection) const;
    void signal(const Requester& who, const std::string& selection, int signal, Answer answer);
    // The tokens are for cancel(), when the client is gone: the stop goes on, nobody is told.
    Token stop(const Requester& who, const std::string& selection, std::optional<double> grace, Answer answer);
    Token kill(const Requester& who, const std::string& selection, Answer answer);
    Token wait(const Requester& who, const std::string& selection, std::optional<double> timeout, Answer answer);
    void cancel(Token wait) noexcept { waits_.cancel(wait); }
    Token watch(uid_t caller, Watcher watcher);  // every change of a process that the caller may see
    void unwatch(Token watcher) noexcept { watchers_.erase(watcher); }

    // --- forked processes ---
    void announce(const Requester& parent, pid_t pid, const std::string& name);
    void ended(const Requester& parent, pid_t pid, const Outcome& outcome);
    void forked_gone(std::uint64_t id);

    // --- what the keeper tells ---
    void next_id(std::uint64_t next) noexcept { next_id_ = std::max(next_id_, next); }
    void restore(const link::Child& child);
    void restore_forked(ProcessPtr process);
    void restored();  // all of them
    void started(const link::Started& message);
    void start_failed(const link::StartFailed& message);
    void exited(const link::Exited& message);
    void orphan_reaped(const link::OrphanReaped& message);
    void signal_done(const link::SignalDone& message);

    // Stops every spawned process and starts no other; `done` when all have settled.
    void shut_down(std::function<void()> done);

    // --- the clock ---
    void tick();
    std::optional<Clock::time_point> next_deadline() const;

    ProcessPtr find(std::uint64_t id) const;
    std::size_t live() const noexcept;

  private:
    struct Start;  // one launch of several processes, all or none
    using SignalAnswer = std::function<void(int error)>;

    void apply(Process& process, Event event);
    void changed(const Process& process);
    void keep_note(const Process& process);
    void begin_stop(const ProcessPtr& process, double grace);
    void send_to_tree(const ProcessPtr& process, int signal);
    void ask_to_signal(std::uint64_t id, int signal, bool tree, SignalAnswer answer);
    void kill_if_due(const ProcessPtr& process, const Instant& now);
    void look_for_remains(const ProcessPtr& process, Clock::time_point when);
    void remains(const ProcessPtr& process, bool some);
    void settle(const ProcessPtr& process);
    void finish(const ProcessPtr& process, Outcome outcome);
    void forget(std::uint64_t id);
    void roll_back(Start& start);
    void start_decided(std::uint64_t id);
    Token stop_all(const std::vector<ProcessPtr>& processes, std::optional<double> grace, Answer answer);
    ProcessPtr find_forked(pid_t pid, std::uint64_t start_time) const;
    int signal_forked(const Process& process, int signal, bool tree, uid_t caller) const;
    // As much of them as there is room for, beside `others` bytes.
    std::vector<std::string> remembered(const std::vector<std::string>& argv, std::size_t others) const;
    void require_room(uid_t uid, std::size_t more) const;

    SupervisorOptions options_;
    Outside& outside_;
    Table table_;
    std::deque<std::uint64_t> ended_;  // settled ones, the oldest first: the history
    std::map<std::uint64_t, std::shared_ptr<Start>> starts_;  // by the id of each process of them
    // One for each Signal that the keeper has not answered, by the process' id and in order. Not a part of the process:
    // an answer holds processes, and it is due when the process is forgotten already.
    std::map<std::uint64_t, std::deque<SignalAnswer>> signals_;
    std::map<Token, std::pair<uid_t, Watcher>> watchers_;
    Waits waits_;
    std::uint64_t next_id_ = 1;
    std::size_t arguments_ = 0;  // cost_of all argv in the table
    Token last_watcher_ = 0;
    bool shutting_down_ = false;
};

}  // namespace muster::service
