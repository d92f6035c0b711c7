// What goes through musterd: starting and reaping a program, and a plain call, each against the least that
// does it.
#include <spawn.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <csignal>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include "realm.hpp"
#include "session/control.hpp"
#include "shared.hpp"

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

// The least that answers as a server does, many at a time: Boost.Asio, a line of JSON in, parsed, the same out.
class Echo {
  public:
    Echo(boost::asio::io_context& context, int end) : socket_(context, boost::asio::local::stream_protocol(), end) { read(); }

  private:
    void read() {
        boost::asio::async_read_until(socket_, boost::asio::dynamic_buffer(input_), '\n', [this](auto error, std::size_t size) {
            if (error) return;  // the stream's end
            line_ = nlohmann::json::parse(input_.begin(), input_.begin() + std::ptrdiff_t(size)).dump() + '\n';
            input_.erase(0, size);
            write();
        });
    }
    void write() {
        boost::asio::async_write(socket_, boost::asio::buffer(line_), [this](auto error, std::size_t) {
            if (!error) read();
        });
    }

    boost::asio::local::stream_protocol::socket socket_;
    std::string input_, line_;
};

// ... in a forked process.
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
        boost::asio::io_context context(1);
        Echo echo(context, theirs.release());
        context.run();
        ::_exit(0);
    }
    EchoServer(const EchoServer&) = delete;
    EchoServer& operator=(const EchoServer&) = delete;
    ~EchoServer() {
        ours_.reset();  // the server reads the end, and goes
        while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
        }
    }
    pid_t pid() const noexcept { return pid_; }

    nlohmann::json call(const nlohmann::json& request) {
        const std::string line = request.dump() + '\n';
        if (::send(ours_.get(), line.data(), line.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(line.size()))
            throw std::runtime_error("echo: a line was not taken whole");
        line_.clear();
        char piece[4096];
        do {
            const ssize_t size = ::recv(ours_.get(), piece, sizeof piece, 0);
            if (size <= 0) throw std::runtime_error("the echo server is gone");
            line_.append(piece, static_cast<std::size_t>(size));
        } while (line_.back() != '\n');
        return nlohmann::json::parse(line_);
    }

  private:
    base::UniqueFd ours_;
    pid_t pid_ = 0;
    std::string line_;
};

Setup control_call(Placed placed) {
    constexpr auto method = "org.varlink.service.GetInfo";
    const auto server = std::make_shared<EchoServer>();
    const auto manager = std::make_shared<Manager>(private_daemon());
    const auto control = std::make_shared<session::Control>(
        session::Control::connect(session::Address::parse(manager->address())));
    const pid_t service = control->call("io.muster.service.Status", nlohmann::json::object()).at("service_pid");
    const auto pinned = std::make_shared<Pinned>(std::array{server->pid(), service}, placed);
    // What is echoed is as long as what the daemon answers.
    const auto message = std::make_shared<nlohmann::json>(
        nlohmann::json{{"method", method}, {"parameters", control->call(method, nlohmann::json::object())}});
    const auto ours = [manager, control, pinned] { keep(control->call(method, nlohmann::json::object())); };
    const auto limit = [server, message] { keep(server->call(*message)); };
    return {.ours = elapsed_loop(ours),
            .limits = {{"JSON lines echoed by Asio", elapsed_loop(limit), Goal{Goal::Of::ratio, 0.8}}}};
}

}  // namespace

void add_daemon_rows(Rows& rows) {
    rows.push_back({"spawn+reap /bin/true", Unit::rate, spawn_and_reap});
    rows.push_back({"control call GetInfo", Unit::rate, [] { return control_call(Placed::together); }});
    rows.push_back({"control call, two processors", Unit::rate, [] { return control_call(Placed::apart); }});
}

}  // namespace muster::bench
