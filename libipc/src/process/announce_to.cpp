// The announcer of programs that are connected to a daemon: a line to each.
#include <algorithm>
#include <list>
#include <map>

#include "process/daemon_line.hpp"
#include "process/process.hpp"

namespace muster::process {
namespace {

class Lines final : public Announcer {
  public:
    void add(const session::Address& address) {
        const std::scoped_lock hold(mutex_);
        const auto same = [&](const DaemonLine& line) { return line.address().path() == address.path(); };
        if (std::any_of(lines_.begin(), lines_.end(), same)) return;
        DaemonLine& line = lines_.emplace_back(address);
        for (const auto& [pid, name] : alive_) line.started(pid, name);
    }

    void started(pid_t pid, const std::string& name) noexcept override {
        const std::scoped_lock hold(mutex_);
        try {
            if (!alive_.try_emplace(pid, name).second) return;
        } catch (...) {  // no memory: lines that are added later will not know this one
        }
        for (DaemonLine& line : lines_) line.started(pid, name);
    }
    void ended(pid_t pid, const Ending& ending) noexcept override {
        const std::scoped_lock hold(mutex_);
        alive_.erase(pid);
        for (DaemonLine& line : lines_) line.ended(pid, ending);
    }
    void settle() noexcept override {
        const std::scoped_lock hold(mutex_);
        for (DaemonLine& line : lines_) line.settle();
    }

    void before_fork() noexcept override {
        mutex_.lock();
        for (DaemonLine& line : lines_) line.lock_for_fork();
    }
    void after_fork_in_parent() noexcept override {
        for (DaemonLine& line : lines_) line.unlock_after_fork();
        mutex_.unlock();
    }
    void after_fork_in_child() noexcept override {
        alive_.clear();
        for (DaemonLine& line : lines_) {
            line.forget();
            line.unlock_after_fork();
        }
        mutex_.unlock();
    }

  private:
    std::mutex mutex_;  // before each DaemonLine's own
    std::list<DaemonLine> lines_;
    std::map<pid_t, std::string> alive_;
};

}  // namespace

void announce_to(const session::Address& address) {
    static Lines* const lines = new Lines;  // lives for ever, as an announcer must
    lines->add(address);
    static Announcer* const before = set_announcer(lines);
    static_cast<void>(before);
}

}  // namespace muster::process
