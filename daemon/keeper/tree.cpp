#include "keeper/tree.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <set>
#include <utility>
#include <vector>

#include "base/unique_fd.hpp"
#include "keeper/proc.hpp"

namespace muster::keeper {
namespace {

using base::UniqueFd;

UniqueFd open_pid(pid_t pid) { return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))); }

struct Member {
    pid_t pid;
    UniqueFd pidfd;
};

// Collects processes, each of them once, and then those below them.
class Gathering {
  public:
    using Identity = std::pair<pid_t, std::uint64_t>;

    explicit Gathering(std::set<Identity>& seen) : seen_(seen) {}

    // Takes `pid` in when it is still a child of `parent` and `accept` likes it.
    template <typename Accept>
    void consider(pid_t pid, pid_t parent, Accept&& accept) {
        UniqueFd pidfd = open_pid(pid);
        if (!pidfd) return;
        const auto stat = read_stat(pid);
        if (!stat || stat->parent != parent || stat->state == 'Z' || !accept(*stat)) return;
        descend_from(pid);
        if (seen_.emplace(pid, stat->start).second) fresh_.push_back({pid, std::move(pidfd)});
    }
    void descend_from(pid_t pid) {
        if (visited_.insert(pid).second) visit_.push_back(pid);
    }
    void descend() {
        for (std::size_t i = 0; i < visit_.size(); ++i) {
            const pid_t parent = visit_[i];
            for (const pid_t child : children_of(parent))
                if (!visited_.contains(child)) consider(child, parent, [](const ProcessStat&) { return true; });
        }
    }
    const std::vector<Member>& fresh() const { return fresh_; }

  private:
    std::set<Identity>& seen_;
    std::vector<pid_t> visit_;  // in order; grows while it is walked
    std::set<pid_t> visited_;
    std::vector<Member> fresh_;
};

// More rounds are of use only against processes that fork faster than we look; then the killing goes on at the next
// request, or when the keeper ends.
constexpr int kill_rounds = 200;

int signal_cgroup(const Tree& tree, int signal, const Cgroups& cgroups) {
    bool reached = false;
    for (int round = 0; round < (signal == SIGKILL ? kill_rounds : 1); ++round) {
        std::vector<Member> members;
        for (const pid_t pid : cgroups.members(tree.id))
            if (UniqueFd pidfd = open_pid(pid)) members.push_back({pid, std::move(pidfd)});
        if (members.empty()) break;
        if (signal == SIGKILL && cgroups.kill(tree.id)) return 0;
        // A pid that is in the list a second time was there when its pidfd was opened, or the pidfd's process is gone.
        const auto still = cgroups.members(tree.id);
        for (const Member& member : members)
            if (std::find(still.begin(), still.end(), member.pid) != still.end())
                reached |= send_signal(member.pidfd.get(), signal) == 0;
    }
    return reached ? 0 : ESRCH;
}

int signal_by_descent(const Tree& tree, int signal, const std::function<bool(pid_t)>& known) {
    const pid_t self = ::getpid();
    int main_error = ESRCH;
    bool reached = false;
    std::set<Gathering::Identity> seen;
    for (int round = 0; round < (signal == SIGKILL ? kill_rounds : 2); ++round) {
        Gathering gathering(seen);
        if (tree.pidfd >= 0) gathering.descend_from(tree.pid);
        for (const pid_t pid : children_of(self)) {
            if (known(pid)) continue;
            gathering.consider(pid, self, [&](const ProcessStat& stat) {
                // Once the main process is reaped a new one may have its number, and lead a session of that number.
                const bool ours = stat.session == tree.pid && (!tree.ended_ticks || stat.start <= *tree.ended_ticks);
                return ours || started_with(pid, tree.mark);
            });
        }
        gathering.descend();
        // The whole of it is gathered before the first one gets to know: parents die with their children known.
        if (round == 0 && tree.pidfd >= 0) main_error = send_signal(tree.pidfd, signal);
        for (const Member& member : gathering.fresh()) reached |= send_signal(member.pidfd.get(), signal) == 0;
        if (gathering.fresh().empty() && round > 0) break;
    }
    return reached ? 0 : main_error;
}

}  // namespace

int send_signal(int pidfd, int signal) noexcept {
    return ::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0) == 0 ? 0 : errno;
}

int signal_tree(const Tree& tree, int signal, const Cgroups& cgroups, const std::function<bool(pid_t)>& known) {
    return tree.has_cgroup ? signal_cgroup(tree, signal, cgroups) : signal_by_descent(tree, signal, known);
}

void signal_descendants(int signal, std::optional<pid_t> except) {
    const pid_t self = ::getpid();
    std::set<Gathering::Identity> seen;
    for (int round = 0; round < (signal == SIGKILL ? kill_rounds : 2); ++round) {
        Gathering gathering(seen);
        for (const pid_t pid : children_of(self))
            if (pid != except) gathering.consider(pid, self, [](const ProcessStat&) { return true; });
        gathering.descend();
        if (gathering.fresh().empty()) break;
        for (const Member& member : gathering.fresh()) send_signal(member.pidfd.get(), signal);
    }
}

}  // namespace muster::keeper
