// What goes through musterd: starting and reaping a program, and a plain call, each against the least that
// does it.
#include <spawn.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <system_error>

#include "realm.hpp"
#include "session/control.hpp"

extern char** environ;

namespace muster::bench {
namespace {

Manager private_daemon() { return Manager::launch({.memory = "64 MiB"}); }

void spawn_and_wait() {
    char program[] = "/bin/true";
    char* argv[] = {program, nullptr};
    pid_t pid = 0;
    if (const int error = ::posix_spawn(&pid, program, nullptr, nullptr, argv, environ); error != 0)
        throw std::system_error(error, std::generic_category(), "posix_spawn");
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
}

Setup spawn_and_reap() {
    const auto manager = std::make_shared<Manager>(private_daemon());
    const auto ours = [manager] {
        if (manager->spawn({"/bin/true"}, {.output = "null", .errors = "null"}).wait() != 0)
            throw std::runtime_error("/bin/true failed");
    };
    return {.ours = elapsed_loop(ours),
            .limits = {{"posix_spawn + waitpid", elapsed_loop(spawn_and_wait), Goal{Goal::Of::ratio, 0.9}}}};
}

// A forked process that answers each line, parsed, with a line of the same content.
class EchoServer {
  public:
    EchoServer() {
        int ends[2];
        if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
            throw std::system_error(errno, std::generic_category(), "socketpair");
        ours_.reset(ends[0]);
        base::UniqueFd theirs(ends[1]);
        pid_ = ::fork();
        if (pid_ < 0) throw std::system_error(errno, std::generic_category(), "fork");
        if (pid_ != 0) return;
        ours_.reset();
        std::string line;
        while (receive(theirs.get(), line)) send(theirs.get(), nlohmann::json::parse(line));
        ::_exit(0);
    }
    EchoServer(const EchoServer&) = delete;
    EchoServer& operator=(const EchoServer&) = delete;
    ~EchoServer() {
        ours_.reset();  // the server reads the end, and goes
        while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
        }
    }

    nlohmann::json call(const nlohmann::json& request) {
        send(ours_.get(), request);
        if (!receive(ours_.get(), line_)) throw std::runtime_error("the echo server is gone");
        return nlohmann::json::parse(line_);
    }

  private:
    static void send(int socket, const nlohmann::json& value) {
        const std::string line = value.dump() + '\n';
        if (::send(socket, line.data(), line.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(line.size()))
            throw std::runtime_error("echo: a line was not taken whole");
    }
    static bool receive(int socket, std::string& line) {
        line.clear();
        char piece[4096];
        do {
            const ssize_t size = ::recv(socket, piece, sizeof piece, 0);
            if (size <= 0) return false;
            line.append(piece, static_cast<std::size_t>(size));
        } while (line.back() != '\n');
        return true;
    }

    base::UniqueFd ours_;
    pid_t pid_ = 0;
    std::string line_;
};

Setup control_call() {
    constexpr auto method = "org.varlink.service.GetInfo";
    const auto server = std::make_shared<EchoServer>();
    const auto manager = std::make_shared<Manager>(private_daemon());
    const auto control = std::make_shared<session::Control>(
        session::Control::connect(session::Address::parse(manager->address())));
    // What is echoed is as long as what the daemon answers.
    const auto message = std::make_shared<nlohmann::json>(
        nlohmann::json{{"method", method}, {"parameters", control->call(method, nlohmann::json::object())}});
    const auto ours = [manager, control] { keep(control->call(method, nlohmann::json::object())); };
    const auto limit = [server, message] { keep(server->call(*message)); };
    return {.ours = elapsed_loop(ours),
            .limits = {{"JSON-line echo server", elapsed_loop(limit), Goal{Goal::Of::ratio, 0.8}}}};
}

}  // namespace

void add_daemon_rows(Rows& rows) {
    rows.push_back({"spawn+reap /bin/true", Unit::rate, spawn_and_reap});
    rows.push_back({"control call GetInfo", Unit::rate, control_call});
}

}  // namespace muster::bench
