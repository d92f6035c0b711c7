// The keeper's event loop: what Keeper is made of. One thread; every method runs in run().
//
//   serving --begin_stop--> stopping --service exited 0--> killing --no children left--> done
//      |                       |  service died, or too slow    ^
//      |   (no service)        v                               |
//      +----------------> terminating --kill_grace, or asked again
//
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>

#include "keeper/children.hpp"
#include "keeper/keeper.hpp"
#include "keeper/notify.hpp"
#include "keeper/service_process.hpp"

namespace muster::keeper {

class Keeper::Loop {
  public:
    Loop(Options options, base::UniqueFd listening);
    int run() noexcept;

  private:
    using Clock = std::chrono::steady_clock;
    enum class Source : std::uint32_t { signals, owner, link };
    enum class Phase { serving, stopping, terminating, killing, done };

    void step();
    int wait_time() const;
    void on_signals();
    void reap_all();
    void on_service_end(const link::Ending& ending);
    void on_deadlines();

    void watch(int operation, int fd, Source source, std::uint32_t events);

    // loop_link.cpp
    void start_service();
    void hand_over();
    void send(const link::ToService& message, std::initializer_list<int> fds = {});
    void on_link();
    bool drain_link() noexcept;  // handles some messages; false when there are no more, or not now: unhandled_
    void start_anew(const char* why) noexcept;
    void drop_link();   // it is at its end, or of no use, and the service still lives
    void watch_link();

    void handle(link::KeeperEnd::Received& received);
    void handle(link::Spawn& message);
    void handle(link::SetNote& message);
    void handle(link::Signal& message);
    void handle(link::Forget& message);
    void handle(link::DropMemory& message);
    void handle(link::ServiceState& message);
    void handle(link::Ready& message);
    void handle(link::Shutdown& message);
    void keep_memory(link::KeepMemory& message, std::vector<base::UniqueFd>& fds);

    void begin_stop(const char* why);
    void terminate();
    void kill_all();
    void finish();

    Options options_;
    base::UniqueFd listening_, epoll_, signals_, owner_, ready_;
    Notifier notifier_;
    std::optional<Children> children_;
    std::map<std::string, base::UniqueFd> memories_;
    ServiceProcess service_;
    // What had no memory is tried again soon: the message, or one that receive() still holds; zombies.
    std::optional<link::KeeperEnd::Received> message_;
    bool unhandled_ = false, unreaped_ = false;
    std::uint32_t link_events_ = 0;  // that it is watched for; 0: not watched
    bool was_ready_ = false;
    double started_ = 0;
    Phase phase_ = Phase::serving;
    Clock::time_point deadline_{};          // of the phase, but for serving
    Clock::time_point sweep_{};             // killing: when to look again for who appeared meanwhile
    Clock::time_point watchdog_{};          // when WATCHDOG=1 is due
    std::optional<Clock::time_point> link_end_deadline_;  // a service that closed its link must end by then
};

}  // namespace muster::keeper
