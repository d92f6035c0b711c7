#include "soak/target.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "session/control.hpp"
#include "support/child.hpp"
#include "support/contents.hpp"

namespace muster::soak {
namespace {

namespace fs = std::filesystem;

// Less than the machine, so that object entries are looked at quickly; more than the workers ever need.
constexpr const char* memory = "128 MiB";

std::string proc(pid_t pid, const char* file) { return "/proc/" + std::to_string(pid) + "/" + file; }

pid_t parent_of(pid_t pid) {
    const std::string stat = test::contents(proc(pid, "stat"));
    const auto end = stat.rfind(')');
    if (end == std::string::npos) return 0;
    std::istringstream fields(stat.substr(end + 1));
    char state = 0;
    pid_t parent = 0;
    fields >> state >> parent;
    return parent;
}

bool send(const base::UniqueFd& pidfd, int signal) noexcept {
    return ::syscall(SYS_pidfd_send_signal, pidfd.get(), signal, nullptr, 0) == 0;
}

}  // namespace

// The kernel's list may lack some while others end: who must be sure asks again.
std::vector<pid_t> children_of(pid_t parent) {
    std::vector<pid_t> found;
    std::ifstream file(proc(parent, "task/") + std::to_string(parent) + "/children");
    if (file) {
        for (pid_t pid = 0; file >> pid;) found.push_back(pid);
        return found;
    }
    // A kernel without that file.
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator("/proc", ignored)) {
        const std::string name = entry.path().filename();
        if (name.find_first_not_of("0123456789") != std::string::npos) continue;
        const auto pid = static_cast<pid_t>(std::stol(name));
        if (parent_of(pid) == parent) found.push_back(pid);
    }
    return found;
}

std::size_t descriptors_of(pid_t pid) {
    std::error_code failed;
    std::size_t count = 0;
    for (fs::directory_iterator entry(proc(pid, "fd"), failed), end; !failed && entry != end;
         entry.increment(failed))
        ++count;
    return count;
}

std::size_t resident_kib_of(pid_t pid) {
    std::istringstream fields(test::contents(proc(pid, "statm")));
    std::size_t size = 0, resident = 0;
    fields >> size >> resident;
    return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) / 1024;
}

Target::Target() {
    std::string pattern = fs::temp_directory_path() / "muster-soak-XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) base::throw_errno(errno, "start", pattern, "mkdtemp");
    directory_ = pattern;
    address_ = "unix:" + directory_ + "/muster.sock";
    const std::string program = fs::read_symlink("/proc/self/exe").parent_path() / "musterd";
    const std::string owner = std::to_string(::getpid());
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) base::throw_errno(errno, "start", program, "pipe2");
    const base::UniqueFd ready(ends[0]);
    base::UniqueFd ready_write(ends[1]);
    const base::UniqueFd log(
        ::open((directory_ + "/log").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    const base::UniqueFd nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    keeper_ = ::fork();
    if (keeper_ == 0) {
        ::dup2(nothing.get(), 0);
        ::dup2(log.get(), 1);
        ::dup2(log.get(), 2);
        ::dup2(ready_write.get(), 3);
        if (ready_write.get() == 3) ::fcntl(3, F_SETFD, 0);
        ::setsid();
        ::execl(program.c_str(), "musterd", "--private", "--address", address_.c_str(), "--memory", memory,
                "--owner", owner.c_str(), "--ready-fd", "3", "--log-level", "warning", nullptr);
        ::_exit(127);
    }
    ready_write.reset();
    pollfd polled{ready.get(), POLLIN, 0};
    char word[16];
    if (keeper_ > 0 && base::retry_interrupted([&] { return ::poll(&polled, 1, 20'000); }) > 0 &&
        ::read(ready.get(), word, sizeof word) > 0)
        return;
    const std::string said = this->log();
    (void)end();
    throw Error(Errc::start_failed, "start", program, said.empty() ? "it did not come up" : said);
}

Target::Target(const std::string& address) : address_(address) {
    auto control = session::Control::connect(session::Address::parse(address));
    keeper_ = control.call("io.muster.service.Status", nlohmann::json::object()).at("keeper_pid");
}

Target::~Target() {
    go_on();
    (void)end();
}

pid_t Target::service() const {
    for (const pid_t pid : children_of(keeper_)) {
        const std::string command = test::contents(proc(pid, "cmdline"));  // empty for one that is dead
        if (command.find("--service-fd") != std::string::npos) return pid;
    }
    return 0;
}

std::string Target::service_state() const {
    const pid_t pid = service();
    if (pid == 0) return "away";
    const std::string stat = test::contents(proc(pid, "stat"));
    const auto end = stat.rfind(')');
    return std::to_string(pid) + (end == std::string::npos ? "" : stat.substr(end + 1, 2)) + " in " +
           test::contents(proc(pid, "wchan"));
}

base::UniqueFd Target::open_service() const {
    const pid_t pid = service();
    if (pid == 0) return {};
    base::UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    // Still the one: the number was not given to another in between.
    return pidfd && parent_of(pid) == keeper_ ? std::move(pidfd) : base::UniqueFd();
}

bool Target::kill_service() {
    const base::UniqueFd pidfd = open_service();
    return pidfd && send(pidfd, SIGKILL);
}

bool Target::stop_service() {
    if (stopped_) return false;
    base::UniqueFd pidfd = open_service();
    if (!pidfd || !send(pidfd, SIGSTOP)) return false;
    stopped_ = std::move(pidfd);
    return true;
}

void Target::go_on() noexcept {
    if (stopped_) send(stopped_, SIGCONT);
    stopped_.reset();
}

std::string Target::log() const {
    if (!is_own()) return {};
    const std::string all = test::contents(directory_ + "/log");
    constexpr std::size_t most = 4000;
    return all.size() <= most ? all : all.substr(all.size() - most);
}

std::string Target::end() {
    if (!is_own()) return {};
    const std::string directory = std::exchange(directory_, {});
    const pid_t keeper = std::exchange(keeper_, 0);
    go_on();
    std::string wrong;
    if (keeper > 0) {
        ::kill(keeper, SIGTERM);
        int status = 0;
        if (!test::eventually([&] { return ::waitpid(keeper, &status, WNOHANG) == keeper; },
                              std::chrono::seconds(40))) {
            ::kill(keeper, SIGKILL);
            ::waitpid(keeper, &status, 0);
            wrong = "the daemon did not end when asked";
        } else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
            wrong = "the daemon's status at its end was " + std::to_string(status);
        }
    }
    std::error_code ignored;
    fs::remove(directory + "/log", ignored);
    for (const auto& left : fs::directory_iterator(directory, ignored))
        wrong = "the daemon left " + left.path().string();
    fs::remove_all(directory, ignored);
    return wrong;
}

}  // namespace muster::soak
