// Tells one daemon of the children that this program forks: io.muster.processes.Announce and Ended.
//
// The daemon hears of a child before the child's function runs, and of its end before it is reaped, so that
// the daemon can look at it in /proc. To that end started() waits for the daemon's answer, ended() for the
// answer to started(), each at most `patience`, as settle() does at the end of the program; once it came late
// nobody waits again until the daemon has answered. Usually it is a round trip for a start and nothing for an
// end.
//
// A thread keeps the connection while there is anything to tell. When the service ends, it tells the next one
// of all children that live, and of the ends that have not been acknowledged; with no daemon it tries once a
// second. The daemon takes what it knows already for what it is.
//
// Thread safety: all may be called by any thread. Around a fork the thread stands in poll() with nothing
// held, as lock_for_fork() takes the mutex that it works under.
#pragma once

#include <deque>
#include <list>
#include <memory>
#include <mutex>
#include <string>

#include "base/base.hpp"
#include "process/announcer.hpp"
#include "session/connection.hpp"

namespace muster::process {

class DaemonLine {
  public:
    static constexpr std::chrono::milliseconds patience{250};
    static constexpr std::size_t unacknowledged_limit =
        1024;  // ends kept for a daemon that is away; then the oldest go

    explicit DaemonLine(session::Address address) : address_(std::move(address)) {}

    const session::Address& address() const noexcept { return address_; }
    void started(pid_t pid, const std::string& name) noexcept;
    void ended(pid_t pid, const Ending& ending) noexcept;
    // Waits until all ends are acknowledged: what lies unread in a socket may be lost when we are gone.
    void settle() noexcept;

    void lock_for_fork() noexcept { mutex_.lock(); }
    void unlock_after_fork() noexcept { mutex_.unlock(); }
    // In the child, with the lock held: none of this is ours.
    void forget() noexcept;

  private:
    struct Record {
        pid_t pid;
        std::string name;
        enum { unsaid, said, answered } start = unsaid;
        std::optional<Ending> ending = {};
        bool end_said = false;
    };
    struct Expected {  // replies come in the order of the calls
        pid_t pid;
        bool end;
    };
    using Clock = base::Deadline::Clock;

    // All with the mutex held.
    bool connected() noexcept;  // tries to, when it is time
    void say(Record& record);
    void say_all();
    void flush();
    // `enough` is asked before each reply; true when it said so, false when the deadline passed or the
    // connection broke.
    template <typename Enough>
    bool take_replies(base::Deadline deadline, Enough&& enough);
    void take_reply(const std::string& text);
    void broken() noexcept;
    // Waits for the daemon, also for its next service, until `enough`; see `patience`.
    template <typename Enough>
    void await(Enough&& enough) noexcept;
    void await_answer(pid_t pid) noexcept;
    Record* find(pid_t pid) noexcept;
    void start_thread() noexcept;
    void serve() noexcept;  // the thread

    const session::Address address_;
    std::mutex mutex_;  // guards all below
    std::list<Record> records_;
    std::deque<Expected> expected_;
    std::unique_ptr<session::Connection> connection_;
    std::unique_ptr<session::Connection> retired_;  // broken, but the thread may be in poll on it
    base::UniqueFd wake_;                           // the thread should look again
    bool thread_runs_ = false;
    bool late_ = false;  // nobody waits for this daemon now
    std::chrono::milliseconds pause_{0};
    Clock::time_point next_attempt_{};
};

}  // namespace muster::process
