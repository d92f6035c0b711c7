#include "keeper/service_process.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <climits>
#include <csignal>
#include <string_view>
#include <variant>

#include "base/system_error.hpp"
#include "keeper/launch.hpp"
#include "keeper/tree.hpp"

namespace muster::keeper {
namespace {

// Ours, but for what systemd tells to the keeper alone.
std::vector<std::string> service_environment() {
    std::vector<std::string> entries;
    for (char** entry = ::environ; entry != nullptr && *entry != nullptr; ++entry) {
        const std::string_view text = *entry;
        if (text.starts_with("NOTIFY_SOCKET=") || text.starts_with("WATCHDOG_") || text.starts_with("LISTEN_")) continue;
        entries.emplace_back(text);
    }
    return entries;
}

// Our own program by its path, so that the service has a name in process lists; through /proc when another file has
// taken its place, for the two halves must be of one version.
std::string by_path(const std::string& program) {
    if (program != "/proc/self/exe") return program;
    char target[PATH_MAX];
    const auto length = ::readlink(program.c_str(), target, sizeof target);
    if (length <= 0 || length == sizeof target) return program;
    const std::string path(target, static_cast<std::size_t>(length));
    struct stat ours {}, there {};
    const bool same = ::stat(program.c_str(), &ours) == 0 && ::stat(path.c_str(), &there) == 0 &&
                      ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
    return same ? path : program;
}

}  // namespace

ServiceProcess::ServiceProcess(std::string program, std::vector<std::string> arguments)
    : program_(std::move(program)), arguments_(std::move(arguments)) {}

std::chrono::milliseconds ServiceProcess::schedule() noexcept {
    const auto now = Clock::now();
    const auto delay = backoff_.after_life_of(std::chrono::duration_cast<Backoff::Duration>(now - started_));
    next_start_ = now + delay;
    return delay;
}

std::optional<std::string> ServiceProcess::start() {
    started_ = Clock::now();
    ++starts_;
    auto ends = link::make_link();
    LaunchPlan plan;
    plan.programs = {by_path(program_)};
    plan.argv = {"musterd", "--service-fd", "3"};
    plan.argv.insert(plan.argv.end(), arguments_.begin(), arguments_.end());
    plan.environment = service_environment();
    plan.out = {LaunchPlan::Stream::Kind::descriptor, STDOUT_FILENO, {}};
    plan.err = {LaunchPlan::Stream::Kind::descriptor, STDERR_FILENO, {}};
    plan.pass = ends.second.get();
    plan.dies_with_parent = true;
    auto result = launch(plan);
    if (const auto* failure = std::get_if<LaunchFailure>(&result)) {
        schedule();
        return failure->step + ": " + base::errno_text(failure->error);
    }
    Launched& launched = std::get<Launched>(result);
    pid_ = launched.pid;
    pidfd_ = std::move(launched.pidfd);
    link_.emplace(std::move(ends.first));
    return std::nullopt;
}

std::chrono::milliseconds ServiceProcess::died() {
    pid_ = -1;
    pidfd_.reset();
    return schedule();
}

void ServiceProcess::kill(int signal) noexcept {
    if (pidfd_) send_signal(pidfd_.get(), signal);
}

}  // namespace muster::keeper
