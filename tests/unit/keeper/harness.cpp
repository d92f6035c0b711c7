#include "harness.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <stdexcept>
#include <thread>

#include "keeper/proc.hpp"

namespace muster::keeper::test {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using base::UniqueFd;
using Clock = std::chrono::steady_clock;

bool eventually(const std::function<bool()>& condition, std::chrono::seconds limit) {
    for (const auto end = Clock::now() + limit; !condition(); std::this_thread::sleep_for(2ms))
        if (Clock::now() > end) return false;
    return true;
}

std::string read_until(int fd, std::string_view until) {
    std::string text;
    while (!text.ends_with(until) || until.empty()) {
        pollfd watched{fd, POLLIN, 0};
        if (::poll(&watched, 1, 20'000) <= 0) throw std::runtime_error("nothing to read; so far: " + text);
        char buffer[4096];
        const auto count = ::read(fd, buffer, sizeof buffer);
        if (count <= 0) break;
        text.append(buffer, static_cast<std::size_t>(count));
    }
    return text;
}

bool same_file(int a, int b) {
    struct stat one {}, other {};
    return ::fstat(a, &one) == 0 && ::fstat(b, &other) == 0 && one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

std::vector<pid_t> processes_with(const std::string& text) {
    std::vector<pid_t> found;
    std::error_code error;
    for (fs::directory_iterator it("/proc", error), end; !error && it != end; it.increment(error)) {
        const pid_t pid = std::atoi(it->path().filename().c_str());
        if (pid <= 0 || pid == ::getpid()) continue;
        const auto command = read_small_file(it->path().string() + "/cmdline");
        if (command && command->find(text) != std::string::npos) found.push_back(pid);
    }
    return found;
}

std::size_t open_descriptors(pid_t pid) {
    const fs::directory_iterator all("/proc/" + std::to_string(pid) + "/fd");
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

TempFolder::TempFolder() : TempFolder(fs::temp_directory_path().string()) {}

TempFolder::TempFolder(const std::string& parent) {
    path_ = parent + "/keeper.XXXXXX";
    if (::mkdtemp(path_.data()) == nullptr) throw std::runtime_error("mkdtemp");
}

TempFolder::~TempFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
}

link::SpawnSpec shell(std::string script) {
    link::SpawnSpec spec;
    spec.argv = {"sh", "-c", std::move(script)};
    spec.environment = {"PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "LANG=C"};
    return spec;
}

RunningKeeper::RunningKeeper(const char* mode, const Adjust& adjust) {
    const std::string path = folder_ / "socket";
    listening_.reset(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) throw std::runtime_error("the folder for temporary files has a long name");
    std::strcpy(address.sun_path, path.c_str());
    if (::bind(listening_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0 ||
        ::listen(listening_.get(), 8) < 0)
        throw std::runtime_error("cannot listen");
    Options options;
    options.address = "unix:" + path;
    options.service_arguments = {mode};
    if (adjust) adjust(options);
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);  // for what a keeper leaves that is killed
    pid_ = ::fork();
    if (pid_ != 0) return;
    const int log = ::open((folder_ / "log").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    ::dup2(log, STDERR_FILENO);
    try {
        Keeper keeper(std::move(options), UniqueFd(::fcntl(listening_.get(), F_DUPFD_CLOEXEC, 3)));
        ::_exit(keeper.run());
    } catch (...) {
        ::_exit(99);
    }
}

RunningKeeper::~RunningKeeper() {
    if (!ended()) end();
    while (::waitpid(-1, nullptr, WNOHANG) > 0) {
    }
}

void RunningKeeper::end() {
    ::kill(pid_, SIGTERM);
    ::kill(pid_, SIGCONT);
    eventually([&] { return ended() || log().find("stopping") != std::string::npos; });
    if (!ended()) ::kill(pid_, SIGINT);
    if (!eventually([&] { return ended(); })) {
        ::kill(pid_, SIGKILL);
        wait_for_end();
    }
}

bool RunningKeeper::ended() {
    int status = 0;
    if (!end_ && ::waitpid(pid_, &status, WNOHANG) == pid_)
        end_ = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    return end_.has_value();
}

int RunningKeeper::wait_for_end() {
    if (!eventually([&] { return ended(); })) throw std::runtime_error("the keeper does not end: " + log());
    return *end_;
}

pid_t RunningKeeper::service_pid() const {
    for (const pid_t pid : children_of(pid_)) {
        const auto command = read_small_file("/proc/" + std::to_string(pid) + "/cmdline");
        if (command && command->find("--service-fd") != std::string::npos) return pid;
    }
    return 0;
}

HandOver RunningKeeper::take_over() {
    pending_.clear();
    UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, (folder_ / "socket").c_str());
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0)
        throw std::runtime_error("cannot connect to the relay");
    ::fcntl(socket.get(), F_SETFL, O_NONBLOCK);
    link_.emplace(std::move(socket));
    HandOver state;
    for (bool first = true;; first = false) {
        Received received = next();
        if (first != std::holds_alternative<link::Hello>(received.message)) throw std::runtime_error("no Hello at first");
        if (auto* hello = std::get_if<link::Hello>(&received.message)) {
            state.hello = *hello;
            state.listening = std::move(received.fds);
        } else if (auto* memory = std::get_if<link::Memory>(&received.message)) {
            state.memories[memory->label] = std::move(received.fds.at(0));
        } else if (auto* child = std::get_if<link::Child>(&received.message)) {
            state.children[child->id] = {*child, std::move(received.fds)};
        } else if (std::holds_alternative<link::StateEnd>(received.message)) {
            next_id_ = state.hello.next_id;
            return state;
        } else {
            throw std::runtime_error("something else in the hand-over");
        }
    }
}

Received RunningKeeper::next() {
    for (const auto end = Clock::now() + 20s; Clock::now() < end;) {
        if (auto received = link_.value().receive()) return std::move(*received);
        if (link_->closed()) throw std::runtime_error("the relay hung up");
        link_->flush();
        pollfd watched{link_->fd(), static_cast<short>(POLLIN | (link_->wants_write() ? POLLOUT : 0)), 0};
        ::poll(&watched, 1, 1000);
    }
    throw std::runtime_error("no message came");
}

bool RunningKeeper::pending(const std::function<bool(const link::ToService&)>& matches) const {
    return std::any_of(pending_.begin(), pending_.end(), [&](const Received& item) { return matches(item.message); });
}

void RunningKeeper::send(const link::ToKeeper& message, std::initializer_list<int> fds) {
    link_.value().send(message, fds);
}

link::Started RunningKeeper::start(link::SpawnSpec spec, std::vector<UniqueFd>* logs, std::string note) {
    const std::uint64_t id = next_id_++;
    send(link::Spawn{id, std::move(spec), std::move(note)});
    const auto answers = [](const link::ToService& message) {
        return std::holds_alternative<link::Started>(message) || std::holds_alternative<link::StartFailed>(message);
    };
    while (!pending(answers)) pending_.push_back(next());
    if (pending([](const link::ToService& message) { return std::holds_alternative<link::StartFailed>(message); })) {
        const auto failed = expect<link::StartFailed>();
        throw std::runtime_error("start failed: " + failed.step + " " + failed.subject + " " + std::to_string(failed.error));
    }
    auto started = expect<link::Started>(logs);
    if (started.id != id) throw std::runtime_error("an answer to something else");
    return started;
}

link::StartFailed RunningKeeper::start_failing(link::SpawnSpec spec) {
    send(link::Spawn{next_id_++, std::move(spec), {}});
    return expect<link::StartFailed>();
}

int RunningKeeper::signal(std::uint64_t id, int number, bool tree) {
    send(link::Signal{id, number, tree});
    return expect<link::SignalDone>().error;
}

}  // namespace muster::keeper::test
