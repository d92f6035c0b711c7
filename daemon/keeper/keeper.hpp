// The keeper: parent and subreaper of every worker, and of the service. Small and dull; it parses no client input.
//
// It holds what must outlive the service: the listening socket, the segments' memfds, the log pipes and the
// children with their exit statuses. When the service dies, the next one is started with all of it; no worker
// notices. One process, one thread, one epoll loop: construct and run() it in the main thread of a process that
// has no other threads and no children that it does not want reaped.
//
// Ending: SIGTERM, SIGINT, a Shutdown message or the owner's death ask the service to stop the workers and exit.
// What is left then is killed. If the service does not finish in stop_timeout, or dies meanwhile, the keeper ends
// the trees itself: SIGTERM, kill_grace, SIGKILL. A second SIGTERM or SIGINT kills at once.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.hpp"

namespace muster::keeper {

struct Options {
    std::string address;  // as printed: "musterd: ready on ADDRESS", once, to stderr, at the first Ready
    bool quiet = false;   // only what goes wrong is logged: not that it is ready, nor that it stops

    // The service is started as: program --service-fd N service_arguments...  With descriptor N comes its end of the
    // link; std streams: /dev/null and the keeper's stdout and stderr. It leads a session of its own, and it dies
    // with the keeper. NOTIFY_SOCKET, WATCHDOG_* and LISTEN_* are taken out of its environment.
    std::string program = "/proc/self/exe";
    std::vector<std::string> service_arguments;

    std::chrono::milliseconds stop_timeout{30'000};  // for the service to stop all workers
    std::chrono::milliseconds kill_grace{5'000};     // SIGTERM to SIGKILL when the keeper does it itself

    std::optional<pid_t> owner_pid;          // a private daemon: the end of this process is as SIGTERM
    int ready_fd = -1;                       // "ready\n" is written there at the first Ready; then it is closed
    std::optional<std::string> unlink_path;  // removed at the end: our socket's path

    // automatic: a cgroup of its own for each child, where ours is in a cgroup v2 tree and writable; otherwise, and
    // with off, trees are found by session, descent and the mark in the environment.
    enum class Cgroups { automatic, off } cgroups = Cgroups::automatic;
};

class Keeper {
  public:
    // Takes over the signal mask, the subreaper attribute and the soft limit of descriptors of the process.
    // Throws muster::Error when the loop's descriptors cannot be had.
    Keeper(Options options, base::UniqueFd listening);
    ~Keeper();
    Keeper(const Keeper&) = delete;
    Keeper& operator=(const Keeper&) = delete;

    // Serves until told to end, then returns the process' exit code. Never throws: what fails is logged.
    int run() noexcept;

  private:
    class Loop;
    std::unique_ptr<Loop> loop_;
};

}  // namespace muster::keeper
