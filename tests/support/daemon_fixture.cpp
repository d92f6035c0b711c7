#include "support/daemon_fixture.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <thread>

#include "base/base.hpp"
#include "support/contents.hpp"

extern char** environ;

namespace muster::test {
namespace {

using base::UniqueFd;
namespace fs = std::filesystem;

std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> result;
    for (std::string& text : texts) result.push_back(text.data());
    result.push_back(nullptr);
    return result;
}

std::vector<std::string> with_environment(const std::vector<std::string>& entries) {
    std::vector<std::string> result;
    for (char** entry = environ; *entry; ++entry) {
        const std::string text = *entry;
        const std::string name = text.substr(0, text.find('=') + 1);
        bool replaced = name == "MUSTER_ADDRESS=";
        for (const std::string& other : entries) replaced = replaced || other.starts_with(name);
        if (!replaced) result.push_back(text);
    }
    result.insert(result.end(), entries.begin(), entries.end());
    return result;
}

pid_t spawn(std::vector<std::string> argv, const std::vector<std::string>& entries, int out, int err,
            int third = -1) {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out, 1);
    posix_spawn_file_actions_adddup2(&actions, err, 2);
    if (third >= 0) posix_spawn_file_actions_adddup2(&actions, third, 3);
    auto environment = with_environment(entries);
    pid_t pid = -1;
    const int error = ::posix_spawn(&pid, argv[0].c_str(), &actions, nullptr, pointers(argv).data(),
                                    pointers(environment).data());
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0) FAIL("cannot start " << argv[0] << ": " << base::errno_text(error));
    return pid;
}

int decoded(int status) { return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status); }

// Waits for a child; SIGKILL after `patience`.
int wait_for(pid_t pid, std::chrono::milliseconds patience) {
    int status = 0;
    if (!eventually([&] { return ::waitpid(pid, &status, WNOHANG) == pid; }, patience)) {
        ::kill(pid, SIGKILL);
        ::waitpid(pid, &status, 0);
    }
    return decoded(status);
}

}  // namespace

std::string program(const std::string& name) {
    if (const char* folder = std::getenv("MUSTER_BIN")) return std::string(folder) + "/" + name;
    return fs::read_symlink("/proc/self/exe").parent_path() / name;
}

Ran run(const std::vector<std::string>& argv, const std::vector<std::string>& environment) {
    const TempDirectory files;
    const auto open_file = [&](const char* name) {
        return UniqueFd(::open((files / name).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    };
    const UniqueFd out = open_file("out"), err = open_file("err");
    Ran result;
    result.status = wait_for(spawn(argv, environment, out.get(), err.get()), std::chrono::seconds(60));
    result.out = contents(files / "out");
    result.err = contents(files / "err");
    return result;
}

TempDirectory::TempDirectory() {
    std::string pattern = fs::temp_directory_path() / "muster-test-XXXXXX";
    if (!::mkdtemp(pattern.data())) FAIL("mkdtemp: " << base::errno_text(errno));
    path_ = pattern;
}

TempDirectory::~TempDirectory() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
}

Daemon::Daemon(std::vector<std::string> arguments) {
    bool has_mode = false;
    for (const std::string& argument : arguments)
        has_mode = has_mode || argument == "--user" || argument == "--system" || argument == "--private";
    std::vector<std::string> argv{program("musterd"), "--address", address()};
    if (!has_mode) argv.push_back("--private");
    argv.insert(argv.end(), {"--ready-fd", "3"});
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    const UniqueFd err(::open((directory_ / "log").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    const std::string ready = directory_ / "ready";
    const UniqueFd ready_file(::open(ready.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    keeper_ = spawn(argv, {}, err.get(), err.get(), ready_file.get());
    const bool came_up = eventually([&] { return contents(ready) == "ready\n" || process_state(keeper_) == 'Z'; });
    if (came_up && process_state(keeper_) != 'Z') return;
    const std::string said = log();
    kill();
    FAIL("musterd did not come up: " << said);
}

Daemon::~Daemon() {
    if (keeper_ > 0) {
        const int code = stop();
        CHECK(code == 0);
        if (code != 0) WARN("musterd said: " << log());
    }
    CHECK_FALSE(fs::exists(socket_path()));
}

pid_t Daemon::find_service() const {
    for (const pid_t pid : children_of(keeper_)) {
        const std::string command = contents("/proc/" + std::to_string(pid) + "/cmdline");
        if (command.find("--service-fd") != std::string::npos && process_state(pid) != 'Z') return pid;
    }
    return 0;
}

pid_t Daemon::service() const {
    pid_t found = 0;
    if (!eventually([&] { return (found = find_service()) != 0; }))
        throw std::runtime_error("musterd has no service; it said: " + log());
    return found;
}

std::string Daemon::log() const { return contents(directory_ / "log"); }

void Daemon::kill_service() const {
    const pid_t before = service();
    ::kill(before, SIGKILL);
    REQUIRE(eventually([&] {
        const pid_t now = find_service();
        return now > 0 && now != before;
    }));
}

int Daemon::stop() {
    REQUIRE(keeper_ > 0);  // kill(-1) would mean every process
    const pid_t keeper = std::exchange(keeper_, -1);
    const auto below = children_of(keeper);
    ::kill(keeper, SIGTERM);
    const int code = wait_for(keeper, std::chrono::seconds(30));
    for (const pid_t pid : below) {
        INFO("a process of the daemon's is left: " << pid);
        CHECK(eventually([&] { return process_state(pid) == '\0' || process_state(pid) == 'Z'; }));
    }
    return code;
}

void Daemon::kill() {
    REQUIRE(keeper_ > 0);  // kill(-1) would mean every process
    const pid_t keeper = std::exchange(keeper_, -1);
    ::kill(keeper, SIGKILL);
    int status = 0;
    ::waitpid(keeper, &status, 0);
    std::error_code ignored;
    fs::remove(socket_path(), ignored);
}

Ran Daemon::ctl(std::vector<std::string> arguments) const {
    std::vector<std::string> argv{program("musterctl"), "--address", address()};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    return run(argv);
}

void check_resident(long kib, long bound) {
#if defined(__SANITIZE_ADDRESS__)
    WARN("memory bound not checked under AddressSanitizer: " << kib << " KiB, bound " << bound);
#else
    CHECK(kib < bound);
#endif
}

std::vector<pid_t> children_of(pid_t parent) {
    std::vector<pid_t> result;
    for (const auto& entry : fs::directory_iterator("/proc")) {
        const std::string name = entry.path().filename();
        if (name.find_first_not_of("0123456789") != std::string::npos) continue;
        const std::string stat = contents(entry.path() / "stat");
        const auto end = stat.rfind(')');
        if (end == std::string::npos) continue;
        std::istringstream fields(stat.substr(end + 1));
        char state = 0;
        pid_t ppid = 0;
        if (fields >> state >> ppid && ppid == parent) result.push_back(static_cast<pid_t>(std::stol(name)));
    }
    return result;
}

char process_state(pid_t pid) {
    const std::string stat = contents("/proc/" + std::to_string(pid) + "/stat");
    const auto end = stat.rfind(')');
    return end == std::string::npos || end + 2 >= stat.size() ? '\0' : stat[end + 2];
}

}  // namespace muster::test
