// What a well-behaved client notices of a hostile one: the 99th percentile of its calls during an attack on the daemon,
// beside the same while the same attack goes on a server of its own, which throws everything away. Both cost the machine
// the attacker; what is left is the daemon's doing.
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <system_error>

#include "base/base.hpp"
#include "realm.hpp"
#include "session/control.hpp"
#include "shared.hpp"

namespace muster::bench {
namespace {

using base::UniqueFd;

constexpr std::size_t calls = 300;   // of the well-behaved client in a round
constexpr unsigned think_us = 300;   // between two of them
constexpr std::size_t connections = 4;

UniqueFd connect_to(const std::string& path) {
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) fd.reset();
    return fd;
}

std::string message(const char* method, bool oneway, nlohmann::json parameters = nlohmann::json::object()) {
    return nlohmann::json{{"method", method}, {"oneway", oneway}, {"parameters", std::move(parameters)}}.dump() + '\0';
}

// Several connections that send the same bytes again and again, for ever.
struct Flood {
    std::string bytes;
    std::size_t piece;   // bytes of one send
    bool reads;          // the replies
    bool insists = false;  // a connection that takes no more is given up for a new one
};

void send_on(const Flood& stream, const std::string& path, std::vector<UniqueFd>& open, std::vector<std::size_t>& at) {
    static char dropped[64 * 1024];
    bool stuck = true;
    for (std::size_t i = 0; i < open.size(); ++i) {
        if (!open[i]) {
            open[i] = connect_to(path);
            at[i] = 0;
            if (!open[i]) continue;
        }
        const std::size_t piece = std::min(stream.piece, stream.bytes.size() - at[i]);
        const ssize_t sent = ::send(open[i].get(), stream.bytes.data() + at[i], piece, MSG_NOSIGNAL);
        if (sent > 0) {
            at[i] = (at[i] + static_cast<std::size_t>(sent)) % stream.bytes.size();
            stuck = false;
        } else if (errno != EAGAIN || stream.insists) {
            open[i].reset();
        }
        while (stream.reads && open[i] && ::recv(open[i].get(), dropped, sizeof dropped, 0) > 0) {
        }
    }
    if (stuck) ::usleep(200);
}

void storm(const std::string& bytes, const std::string& path) {
    const UniqueFd fd = connect_to(path);
    if (!fd) {
        ::usleep(100);
        return;
    }
    if (!bytes.empty()) [[maybe_unused]] const auto sent = ::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
}

// Reads and drops, for as long as its parent lives.
[[noreturn]] void be_sink(const UniqueFd& listener) {
    std::vector<pollfd> all{{listener.get(), POLLIN, 0}};
    static char dropped[64 * 1024];
    for (;;) {
        if (::poll(all.data(), all.size(), -1) < 0) continue;
        if (all[0].revents)
            for (int fd; (fd = ::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;)
                all.push_back({fd, POLLIN, 0});
        for (std::size_t i = 1; i < all.size(); ++i) {
            if (!all[i].revents || ::recv(all[i].fd, dropped, sizeof dropped, 0) > 0 || errno == EAGAIN) continue;
            ::close(all[i].fd);
            all[i] = all.back();
            all.pop_back();
            --i;
        }
    }
}

class Fork {
  public:
    template <typename Work>
    explicit Fork(Work&& work) : pid_(::fork()) {
        if (pid_ < 0) throw std::system_error(errno, std::generic_category(), "fork");
        if (pid_ != 0) return;
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        work();
        ::_exit(0);
    }
    Fork(const Fork&) = delete;
    Fork& operator=(const Fork&) = delete;
    ~Fork() {
        ::kill(pid_, SIGKILL);
        while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
        }
    }

  private:
    pid_t pid_;
};

enum Target : std::uint32_t { nobody, daemon, elsewhere };

struct Order {
    std::atomic<std::uint32_t> target{nobody}, obeyed{nobody};
    std::atomic<std::uint64_t> turns{0};
};

struct Attack {
    const char* name;
    std::optional<Flood> stream;
    std::string storm = {};  // without a stream: what each new connection says before it is closed
};

class Battle {
  public:
    explicit Battle(const Attack& attack)
        : manager_(Manager::launch({.memory = "64 MiB"})),
          daemon_(session::Address::parse(manager_.address()).path()),
          directory_(std::filesystem::temp_directory_path() / ("muster-bench-" + std::to_string(::getpid()))),
          sink_path_(directory_ / "sink") {
        std::filesystem::create_directories(directory_);
        UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strncpy(address.sun_path, sink_path_.c_str(), sizeof address.sun_path - 1);
        ::unlink(sink_path_.c_str());
        if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
            ::listen(listener.get(), 4096) != 0)
            throw std::system_error(errno, std::generic_category(), "bench: sink");
        sink_.emplace([&] { be_sink(listener); });
        attacker_.emplace([&] { be_attacker(attack); });
        client_ = connect_to(daemon_);
        if (!client_) throw std::system_error(errno, std::generic_category(), "bench: connect");
        ::fcntl(client_.get(), F_SETFL, 0);
    }
    ~Battle() {
        attacker_.reset();
        sink_.reset();
        std::error_code ignored;
        std::filesystem::remove_all(directory_, ignored);
    }

    // The 99th percentile of `n` calls, in nanoseconds.
    double p99(Target target, std::uint64_t n) {
        order(target);
        const std::uint64_t begun = order_->turns;
        for (int i = 0; i < 100 && order_->turns < begun + 20; ++i) ::usleep(1000);
        std::vector<double> all;
        for (std::uint64_t i = 0; i < n + n / 8; ++i) {
            ::usleep(think_us);
            const std::uint64_t begin = now_ns();
            call();
            if (i >= n / 8) all.push_back(static_cast<double>(now_ns() - begin));
        }
        order(nobody);
        for (int i = 0; i < 30; ++i) call();  // what is left of the attack is worked off
        const auto place = all.begin() + static_cast<std::ptrdiff_t>(all.size() * 99 / 100);
        std::nth_element(all.begin(), place, all.end());
        return *place;
    }

  private:
    void be_attacker(const Attack& attack) {
        std::uint32_t target = nobody;
        std::vector<UniqueFd> open(connections);
        std::vector<std::size_t> at(connections);
        for (;;) {
            if (const std::uint32_t wanted = order_->target; wanted != target) {
                open.clear();
                open.resize(connections);
                target = wanted;
                order_->obeyed = target;
            }
            if (target == nobody) {
                ::usleep(500);
                continue;
            }
            const std::string& path = target == daemon ? daemon_ : sink_path_;
            if (attack.stream)
                send_on(*attack.stream, path, open, at);
            else
                storm(attack.storm, path);
            ++order_->turns;
        }
    }
    void order(Target target) {
        order_->target = target;
        while (order_->obeyed != target) ::usleep(200);
        if (target == nobody) ::usleep(20'000);
    }
    void call() {
        static const std::string question = message("org.varlink.service.GetInfo", false);
        char answer[4096];
        if (::send(client_.get(), question.data(), question.size(), MSG_NOSIGNAL) != ssize_t(question.size()))
            throw std::runtime_error("bench: the daemon is gone");
        do {
            const ssize_t size = ::recv(client_.get(), answer, sizeof answer, 0);
            if (size <= 0) throw std::runtime_error("bench: the daemon is gone");
            if (answer[size - 1] == '\0') return;
        } while (true);
    }

    Manager manager_;
    std::string daemon_;
    std::filesystem::path directory_;
    std::string sink_path_;
    Shared<Order> order_;
    std::optional<Fork> sink_, attacker_;
    UniqueFd client_;
};

std::string repeated(const std::string& text, std::size_t times) {
    std::string result;
    for (std::size_t i = 0; i < times; ++i) result += text;
    return result;
}

std::vector<Attack> attacks() {
    const std::string info = message("org.varlink.service.GetInfo", false);
    const std::string endless = "{\"method\":\"" + std::string(1 << 16, 'x');
    std::vector<Attack> all;
    all.push_back({"oneway flood", Flood{repeated(message("org.varlink.service.GetInfo", true), 100), 16 * 1024, false}});
    all.push_back({"flood of calls", Flood{repeated(info, 50), 16 * 1024, true}});
    all.push_back({"unread replies",
                   Flood{message("org.varlink.service.GetInterfaceDescription", false,
                                  {{"interface", "io.muster.processes"}}),
                          16 * 1024, false, true}});
    all.push_back({"heavy values",
                   Flood{message("io.muster.processes.Wait", false,
                                  {{"select", std::vector<std::string>(30'000, "twenty-four bytes of it")}}),
                          64 * 1024, true}});
    all.push_back({"malformed", Flood{std::string("{\"method\":7}") + '\0', 4096, true}});
    all.push_back({"endless message", Flood{endless, 64 * 1024, false}});
    all.push_back({"endless, byte by byte", Flood{endless, 1, false}});
    all.push_back({"connect storm", std::nullopt});
    all.push_back({"connect storm, calls", std::nullopt, info});
    all.push_back({"connect storm, halves", std::nullopt, info.substr(0, 20)});
    return all;
}

}  // namespace

void add_attack_rows(Rows& rows) {
    for (const Attack& attack : attacks())
        rows.push_back({std::string("p99 under ") + attack.name, Unit::nanoseconds, [attack] {
                            const auto battle = std::make_shared<Battle>(attack);
                            return Setup{
                                .ours = [battle](std::uint64_t n) { return battle->p99(daemon, n); },
                                .limits = {{"the same attack elsewhere",
                                            [battle](std::uint64_t n) { return battle->p99(elsewhere, n); },
                                            Goal{Goal::Of::ratio, 3}}},
                                .fixed = calls};
                        }});
}

}  // namespace muster::bench
