// What the supervisor knows about one process.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/base.hpp"
#include "link/messages.hpp"
#include "service/supervisor/state.hpp"

namespace muster::service {

using Clock = std::chrono::steady_clock;

inline constexpr std::size_t max_name = 64;  // bytes of a process' name
// Arguments are remembered to be shown: so many bytes of all processes together, and when these are used up so many
// of each one that is started; what was left out is told by a last argument "...".
inline constexpr std::size_t max_arguments = 8 << 20, max_arguments_each = 1024;
inline constexpr double default_grace = 5;   // seconds from the stop signal to SIGKILL
inline constexpr double max_grace = 1e6;

enum class Kind : std::uint8_t { spawned, forked };

// How it ended. What nobody could tell (a forked child whose parent died first) stays absent.
struct Outcome {
    double ended = 0;  // seconds since the epoch
    std::optional<int> exit_code, signal;
    std::optional<bool> core_dumped;
    std::optional<double> user_seconds, system_seconds;
    std::optional<std::int64_t> max_rss_kib;

    bool told() const noexcept { return exit_code || signal; }
    static Outcome of(const link::Ending& ending);
};

// A stop in progress: the signal was sent, and at `deadline` SIGKILL follows; it is over when nothing of the tree is
// left.
struct Stopping {
    Clock::time_point deadline;
    bool killed = false;
    std::optional<Clock::time_point> look_again;  // the process has ended: is there something left of its tree?
    std::chrono::milliseconds pause{5};           // until look_again; grows
};

struct Process {
    std::uint64_t id = 0;
    std::string name;
    std::string group;              // of those started together as NAME-1 to NAME-N: NAME; else empty
    Kind kind = Kind::spawned;
    State state = State::starting;
    uid_t uid = 0;                  // who may act on it
    pid_t pid = 0, ppid = 0;
    std::vector<std::string> argv;
    double started = 0;             // seconds since the epoch
    int stop_signal = 15;
    double grace = default_grace;
    std::string failure;            // state failed: "exec '/x': No such file or directory"
    std::optional<Outcome> outcome;
    std::optional<Stopping> stopping;
    bool discard = false;           // of a launch that failed: forgotten as soon as it has ended

    std::uint64_t start_time = 0;   // forked: clock ticks since boot, tells a reused pid apart
    base::UniqueFd pidfd;           // forked: until it has ended

    bool ended() const noexcept { return is_final(state); }
    bool settled() const noexcept { return ended() && !stopping; }  // and nothing of its tree is left
};

using ProcessPtr = std::shared_ptr<Process>;
using Processes = std::vector<std::shared_ptr<const Process>>;

// What remembering costs, in bytes; and as many of the first ones as may cost `most`.
std::size_t cost_of(const std::vector<std::string>& argv) noexcept;
std::vector<std::string> shortened(const std::vector<std::string>& argv, std::size_t most);

// The note that the keeper keeps for the next service (JSON), and back. `now` relates the two clocks.
struct Instant {
    Clock::time_point steady;
    double wall;  // seconds since the epoch
};
std::string to_note(const Process& process, const Instant& now);
// Never throws on a strange note: what is missing keeps its default.
void from_note(Process& process, const std::string& note, const Instant& now);

}  // namespace muster::service
