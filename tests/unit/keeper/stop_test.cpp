#include <catch2/catch.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>

#include "harness.hpp"
#include "keeper/notify.hpp"
#include "keeper/proc.hpp"

using namespace muster;
using namespace muster::keeper::test;
using namespace std::chrono_literals;
using base::UniqueFd;

namespace {

// Says "stopped" into the file when it gets SIGTERM.
link::SpawnSpec polite(const std::string& file) {
    return shell("trap 'echo stopped > " + file + "; exit 0' TERM; echo up > " + file + "; while :; do sleep 0.01; done");
}
link::SpawnSpec stubborn(const std::string& file) {
    return shell("trap '' TERM; echo up > " + file + "; while :; do sleep 0.01; done");
}

bool gone(pid_t pid) {
    const auto stat = keeper::read_stat(pid);
    return !stat || stat->state == 'Z';
}

// A socket for what a notifier says.
struct Inbox {
    explicit Inbox(const std::string& path) : socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strcpy(address.sun_path, path.c_str());
        REQUIRE(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    }
    std::string next() {
        pollfd watched{socket.get(), POLLIN, 0};
        if (::poll(&watched, 1, 20'000) <= 0) return "nothing";
        char buffer[1024];
        const auto count = ::recv(socket.get(), buffer, sizeof buffer, 0);
        return {buffer, static_cast<std::size_t>(std::max<ssize_t>(count, 0))};
    }
    std::string next_with(const std::string& what) {
        std::string text;
        do text = next();
        while (text != "nothing" && text.find(what) == std::string::npos);
        return text;
    }
    UniqueFd socket;
};

struct Environment {
    Environment(const char* name, const std::string& value) : name_(name) { ::setenv(name, value.c_str(), 1); }
    ~Environment() { ::unsetenv(name_); }
    const char* name_;
};

}  // namespace

TEST_CASE("SIGTERM and SIGINT let the service stop the workers; what it left is killed") {
    const int signal = GENERATE(SIGTERM, SIGINT);
    std::string path;
    RunningKeeper keeper(relay::obedient, [&](keeper::Options& options) {
        path = options.address.substr(std::strlen("unix:"));
        options.unlink_path = path;
    });
    keeper.take_over();
    const auto left = keeper.start(shell("exec sleep 1000"));
    ::kill(keeper.pid(), signal);
    keeper.expect<link::Stop>();
    // It still does what it is asked for, but it starts nothing.
    CHECK(keeper.start_failing(shell("exit 0")).step == "stopping");
    CHECK_FALSE(gone(left.pid));
    CHECK(::access(path.c_str(), F_OK) == 0);
    keeper.hang_up();
    CHECK(keeper.wait_for_end() == 0);
    CHECK(gone(left.pid));
    CHECK(::access(path.c_str(), F_OK) != 0);
}

TEST_CASE("a Shutdown message is as SIGTERM") {
    RunningKeeper keeper;
    keeper.take_over();
    keeper.send(link::Shutdown{});
    keeper.expect<link::Stop>();
    keeper.hang_up();
    CHECK(keeper.wait_for_end() == 0);
}

TEST_CASE("when the service does not stop the workers in time, or dies over it, the keeper does it") {
    const char* const mode = GENERATE(relay::deaf, relay::dies_on_stop);
    CAPTURE(mode);
    RunningKeeper keeper(mode, [](keeper::Options& options) {
        options.stop_timeout = 100ms;
        options.kill_grace = 500ms;
    });
    keeper.take_over();
    const std::string polite_file = keeper.folder() / "polite", stubborn_file = keeper.folder() / "stubborn";
    keeper.start(polite(polite_file));
    const auto worker = keeper.start(stubborn(stubborn_file));
    REQUIRE(eventually([&] { return contents(polite_file) == "up\n" && contents(stubborn_file) == "up\n"; }));
    ::kill(keeper.pid(), SIGTERM);
    CHECK(keeper.wait_for_end() == 0);
    CHECK(contents(polite_file) == "stopped\n");
    CHECK(gone(worker.pid));
}

TEST_CASE("a service that is not there when the end comes is not waited for") {
    RunningKeeper keeper(relay::dies_at_once, [](keeper::Options& options) { options.stop_timeout = 1h; });
    REQUIRE(eventually([&] { return keeper.log().find("next start in") != std::string::npos; }));
    ::kill(keeper.pid(), SIGTERM);
    CHECK(keeper.wait_for_end() == 0);
}

TEST_CASE("a second SIGTERM kills at once") {
    RunningKeeper keeper(relay::deaf, [](keeper::Options& options) {
        options.stop_timeout = 1h;
        options.kill_grace = 1h;
    });
    keeper.take_over();
    const std::string file = keeper.folder() / "up";
    const auto worker = keeper.start(stubborn(file));
    REQUIRE(eventually([&] { return contents(file) == "up\n"; }));
    ::kill(keeper.pid(), SIGTERM);
    keeper.expect<link::Stop>();
    CHECK_FALSE(gone(worker.pid));
    ::kill(keeper.pid(), SIGTERM);
    CHECK(keeper.wait_for_end() == 0);
    CHECK(gone(worker.pid));
}

TEST_CASE("SIGHUP does not end the keeper") {
    RunningKeeper keeper;
    keeper.take_over();
    ::kill(keeper.pid(), SIGHUP);
    keeper.settle();
    CHECK_FALSE(keeper.ended());
}

TEST_CASE("a private keeper ends with its owner") {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    const UniqueFd waits(ends[0]);
    UniqueFd held(ends[1]);
    const pid_t owner = ::fork();
    if (owner == 0) {
        held.reset();
        char byte;
        [[maybe_unused]] const auto count = ::read(waits.get(), &byte, 1);
        ::_exit(0);
    }
    {
        RunningKeeper keeper(relay::obedient, [&](keeper::Options& options) { options.owner_pid = owner; });
        keeper.take_over();
        ::kill(owner, SIGKILL);
        keeper.expect<link::Stop>();
        CHECK(keeper.log().find("stopping: its owner has ended") != std::string::npos);
        keeper.hang_up();
        CHECK(keeper.wait_for_end() == 0);
    }
    ::waitpid(owner, nullptr, 0);
    // One whose owner ended before it could look does not stay either.
    RunningKeeper late(relay::obedient, [&](keeper::Options& options) { options.owner_pid = owner; });
    CHECK(late.wait_for_end() == 0);
}

TEST_CASE("the first Ready is told: to stderr in one line, to the ready descriptor, to systemd") {
    const TempFolder folder;
    Inbox inbox(folder / "notify");
    const Environment notify("NOTIFY_SOCKET", folder / "notify");
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    const UniqueFd ready(ends[0]);
    UniqueFd ready_write(ends[1]);
    RunningKeeper keeper(relay::obedient, [&](keeper::Options& options) { options.ready_fd = ready_write.get(); });
    ready_write.reset();
    keeper.take_over();
    keeper.settle();
    CHECK(keeper.log().empty());
    keeper.send(link::Ready{});
    CHECK(read_until(ready.get(), "") == "ready\n");  // and closed, although the service and the keeper live
    CHECK(keeper.log() == "musterd: ready on unix:" + (keeper.folder() / "socket") + "\n");
    CHECK(inbox.next().starts_with("READY=1\n"));
    keeper.send(link::ServiceState{"3 processes\nMAINPID=1"});
    CHECK(inbox.next() == "STATUS=3 processes MAINPID=1");

    // The next service's Ready is no news.
    const pid_t service = keeper.service_pid();
    ::kill(service, SIGKILL);
    REQUIRE(eventually([&] { return keeper.service_pid() != 0 && keeper.service_pid() != service; }));
    keeper.take_over();
    keeper.send(link::Ready{});
    CHECK(inbox.next_with("STATUS=Serving") == "STATUS=Serving");
    ::kill(keeper.pid(), SIGTERM);
    CHECK(inbox.next_with("STOPPING=1").starts_with("STOPPING=1"));
    keeper.expect<link::Stop>();
    keeper.hang_up();
    CHECK(keeper.wait_for_end() == 0);
    const std::string log = keeper.log();
    CHECK(log.find("ready on") == log.rfind("ready on"));
}

TEST_CASE("the watchdog is fed at half the interval, and what is for the keeper is kept from the service") {
    const TempFolder folder;
    Inbox inbox(folder / "notify");
    const Environment notify("NOTIFY_SOCKET", folder / "notify");
    const Environment interval("WATCHDOG_USEC", "20000");
    RunningKeeper keeper;
    keeper.take_over();
    for (int i = 0; i < 5; ++i) CHECK(inbox.next() == "WATCHDOG=1");
    const std::string environment = "/proc/" + std::to_string(keeper.service_pid()) + "/environ";
    CHECK(contents(environment).find("NOTIFY_SOCKET") == std::string::npos);
    CHECK(contents(environment).find("WATCHDOG_USEC") == std::string::npos);
}

TEST_CASE("the notifier reads its environment as systemd means it") {
    const auto interval = [] { return keeper::Notifier::from_environment().watchdog_interval(); };
    const Environment usec("WATCHDOG_USEC", "3000000");
    CHECK_FALSE(interval());  // without a socket there is nobody to tell
    const Environment notify("NOTIFY_SOCKET", "@abstract");
    CHECK(interval() == 1500ms);
    {
        const Environment pid("WATCHDOG_PID", std::to_string(::getpid()));
        CHECK(interval() == 1500ms);
    }
    {
        const Environment pid("WATCHDOG_PID", "1");
        CHECK_FALSE(interval());
    }
    const Environment rubbish("WATCHDOG_USEC", "often");
    CHECK_FALSE(interval());
}
