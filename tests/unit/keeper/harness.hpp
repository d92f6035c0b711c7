// A keeper in a process of its own, with a service that is a relay: the test is the service's mind. The relay takes
// one connection on the listening socket at a time and passes messages and descriptors both ways.
#pragma once

#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "keeper/keeper.hpp"
#include "link/channel.hpp"
#include "support/contents.hpp"

namespace muster::keeper::test {

// Calls `condition` until it is true; false after `limit`.
bool eventually(const std::function<bool()>& condition, std::chrono::seconds limit = std::chrono::seconds(20));

// What the relay does besides, as its argument says.
namespace relay {
inline constexpr const char* obedient = "obedient";        // exits 0 when the test hangs up after a Stop
inline constexpr const char* deaf = "deaf";                // never exits
inline constexpr const char* dies_on_stop = "dies-on-stop";
inline constexpr const char* dies_at_once = "dies-at-once";
inline constexpr const char* dies_after_memory = "dies-after-memory";  // as soon as it has passed on a KeepMemory
inline constexpr const char* damaged = "damaged";          // sends rubbish as soon as somebody connects
inline constexpr const char* hangs_up = "hangs-up";        // closes its link as soon as somebody connects
}  // namespace relay

using muster::test::contents;
// All that comes from `fd` until it ends with `until`, or ends.
std::string read_until(int fd, std::string_view until);
bool same_file(int a, int b);
// Processes with this text in their command line.
std::vector<pid_t> processes_with(const std::string& text);
std::size_t open_descriptors(pid_t pid);

class TempFolder {
  public:
    TempFolder();
    explicit TempFolder(const std::string& parent);
    ~TempFolder();
    TempFolder(const TempFolder&) = delete;
    TempFolder& operator=(const TempFolder&) = delete;
    const std::string& path() const { return path_; }
    std::string operator/(std::string_view name) const { return path_ + '/' + std::string(name); }

  private:
    std::string path_;
};

using Received = link::ServiceEnd::Received;

struct HandOver {
    link::Hello hello;
    std::vector<base::UniqueFd> listening;
    std::map<std::string, base::UniqueFd> memories;
    struct Known {
        link::Child child;
        std::vector<base::UniqueFd> logs;
    };
    std::map<std::uint64_t, Known> children;
};

class RunningKeeper {
  public:
    using Adjust = std::function<void(Options&)>;
    explicit RunningKeeper(const char* mode = relay::obedient, const Adjust& adjust = {});
    ~RunningKeeper();  // ends it, the hard way if need be

    pid_t pid() const { return pid_; }
    const TempFolder& folder() const { return folder_; }
    std::string log() const { return contents(folder_ / "log"); }
    int listening() const { return listening_.get(); }
    pid_t service_pid() const;  // 0 when there is none

    // Becomes the service's mind: connects to the relay and takes the hand-over.
    HandOver take_over();
    void hang_up() { link_.reset(); }
    link::ServiceEnd& link() { return *link_; }

    // The next message of this kind; those before it are kept for later calls. Throws when none comes.
    template <typename T>
    T expect(std::vector<base::UniqueFd>* fds = nullptr) {
        for (;;) {
            for (auto it = pending_.begin(); it != pending_.end(); ++it) {
                if (T* message = std::get_if<T>(&it->message)) {
                    T result = std::move(*message);
                    if (fds != nullptr) *fds = std::move(it->fds);
                    pending_.erase(it);
                    return result;
                }
            }
            pending_.push_back(next());
        }
    }
    bool pending(const std::function<bool(const link::ToService&)>& matches) const;
    void send(const link::ToKeeper& message, std::initializer_list<int> fds = {});

    // The next free id; or what the start failed with.
    link::Started start(link::SpawnSpec spec, std::vector<base::UniqueFd>* logs = nullptr, std::string note = {});
    link::StartFailed start_failing(link::SpawnSpec spec);
    int signal(std::uint64_t id, int number, bool tree);
    // Everything sent before has been handled.
    void settle() { signal(0, 0, false); }

    // Exit code of the keeper, -N for a signal; waits for it.
    int wait_for_end();
    bool ended();
    void ended_with(int status) { end_ = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status); }  // as a tracer saw

  private:
    Received next();
    void end();

    TempFolder folder_;
    base::UniqueFd listening_;
    pid_t pid_ = -1;
    std::optional<int> end_;
    std::optional<link::ServiceEnd> link_;
    std::deque<Received> pending_;
    std::uint64_t next_id_ = 1;
};

// sh -c SCRIPT with a plain environment.
link::SpawnSpec shell(std::string script);

}  // namespace muster::keeper::test
