// What a daemon hears of the children that a program forks.
#include <condition_variable>
#include <mutex>

#include "process/process.hpp"
#include "support.hpp"
#include "unit/session/control_server.hpp"

using namespace process_test;
using muster::Process;
using muster::test::ControlServer;
using muster::test::json;
using muster::test::Listener;
using muster::test::TempDirectory;

namespace {

// The messages that came, as the server's thread got them.
class Heard {
  public:
    void add(json message) {
        const std::scoped_lock hold(mutex_);
        messages_.push_back(std::move(message));
    }
    std::vector<json> of(const std::string& method, std::optional<pid_t> pid) const {
        const std::scoped_lock hold(mutex_);
        std::vector<json> found;
        for (const json& message : messages_)
            if (message["method"] == "io.muster.processes." + method && message["parameters"]["pid"] == *pid)
                found.push_back(message["parameters"]);
        return found;
    }

  private:
    mutable std::mutex mutex_;
    std::vector<json> messages_;
};

struct Daemon {
    TempDirectory directory;
    Listener listener{directory.path() + "/socket"};
    Heard heard;
    std::atomic<bool> answers = true, closes = false;
    std::optional<ControlServer> server;

    Daemon() {
        serve();
        muster::process::announce_to(listener.address);
    }
    void serve() {
        server.emplace(listener, [this](ControlServer::Client& client, const json& message) {
            heard.add(message);
            if (closes) client.closing = true;
            if (answers && !closes) client.reply(json::object());
        });
    }
};

}  // namespace

TEST_CASE("the daemon hears of a child before its function runs, and how it ended") {
    Daemon daemon;
    Channel go;
    Process process(Process::Options{.name = "told"}, [&] { return go.receive<int>().value_or(90); });
    process.start();
    const auto announced = daemon.heard.of("Announce", process.pid());
    REQUIRE(announced.size() == 1);
    CHECK(announced[0]["name"] == "told");
    CHECK(daemon.heard.of("Ended", process.pid()).empty());
    go.send(3);
    process.join();
    REQUIRE(eventually([&] { return daemon.heard.of("Ended", process.pid()).size() == 1; }));
    const json ended = daemon.heard.of("Ended", process.pid())[0];
    CHECK(ended["exit_code"] == 3);
    CHECK(ended["signal"].is_null());
    CHECK(ended["core_dumped"] == false);
}

TEST_CASE("the daemon hears by which signal a child ended") {
    Daemon daemon;
    Process process(hang);
    process.start().kill();
    process.join();
    REQUIRE(eventually([&] { return daemon.heard.of("Ended", process.pid()).size() == 1; }));
    CHECK(daemon.heard.of("Ended", process.pid())[0]["signal"] == SIGKILL);
    CHECK(daemon.heard.of("Ended", process.pid())[0]["exit_code"].is_null());
}

TEST_CASE("a child's children are announced by the child itself") {
    need_threads_after_fork();
    Daemon daemon;
    Channel report;
    Process process([&] {
        Process inner([] { return 5; });
        inner.start();
        report.send(*inner.pid());
        inner.join();
        return 6;
    });
    process.start().join();
    const auto inner = report.receive<pid_t>();
    CHECK(process.exitcode() == 6);
    REQUIRE(eventually([&] { return daemon.heard.of("Ended", inner).size() == 1; }));
    CHECK(daemon.heard.of("Announce", inner).size() == 1);
    CHECK(daemon.heard.of("Ended", inner)[0]["exit_code"] == 5);
    CHECK(daemon.server->accepted() == 2);  // on a connection of its own: it is judged by who connected
}

TEST_CASE("the next service hears of the children that live, without anybody doing anything") {
    Daemon daemon;
    Channel go;
    Process process([&] {
        go.close_all_others();
        go.receive<int>();
    });
    Process ended([] {});
    process.start();
    ended.start().join();
    REQUIRE(eventually([&] { return daemon.heard.of("Ended", ended.pid()).size() == 1; }));
    daemon.server.reset();
    daemon.serve();
    CHECK(eventually([&] { return daemon.heard.of("Announce", process.pid()).size() == 2; }));
    go.send(1);
    process.join();
    CHECK(eventually([&] { return daemon.heard.of("Ended", process.pid()).size() == 1; }));
    CHECK(daemon.heard.of("Announce", ended.pid()).size() == 1);
}

TEST_CASE("an end that was not acknowledged is told to the next service") {
    Daemon daemon;
    Process process([] { return 4; });
    process.start();
    daemon.closes = true;  // reads, and dies before it answers
    process.join();
    REQUIRE(eventually([&] { return !daemon.heard.of("Ended", process.pid()).empty(); }));
    daemon.server.reset();
    const auto before = daemon.heard.of("Ended", process.pid()).size();
    daemon.closes = false;
    daemon.serve();
    CHECK(eventually([&] { return daemon.heard.of("Ended", process.pid()).size() > before; }));
    CHECK(daemon.heard.of("Ended", process.pid()).back()["exit_code"] == 4);
}

TEST_CASE("a daemon that does not answer is waited for once, and hears all when it is back") {
    Daemon daemon;
    daemon.answers = false;
    std::vector<Process> processes;
    const auto began = std::chrono::steady_clock::now();
    for (int i = 0; i < 120; ++i) processes.emplace_back([] { return 2; }).start();
    for (Process& process : processes) process.join();
    for (const Process& process : processes) CHECK(process.exitcode() == 2);
    // A wait for each start would be 30 s, and as much for the ends.
    CHECK(std::chrono::steady_clock::now() - began < 30s);
    CHECK(eventually([&] { return daemon.heard.of("Ended", processes.back().pid()).size() == 1; }));
    daemon.answers = true;
    daemon.server.reset();
    daemon.serve();
    CHECK(eventually([&] { return daemon.heard.of("Ended", processes.front().pid()).size() == 2; }));
}

TEST_CASE("a program does not end before its children's ends have been acknowledged") {
    need_threads_after_fork();
    Daemon daemon;
    Channel report;
    Process program([&] {  // closes its connection with the last instruction
        std::vector<Process> children;
        for (int i = 0; i < 10; ++i) children.emplace_back([] { return 3; }).start();
        for (Process& child : children) {
            child.join();
            report.send(*child.pid());
        }
    });
    program.start().join();
    for (int i = 0; i < 10; ++i) {
        const auto pid = report.receive<pid_t>();
        REQUIRE(pid);
        CHECK(daemon.heard.of("Ended", pid).size() == 1);
    }
}

TEST_CASE("without a daemon children start and end as ever") {
    { Daemon gone; }
    Process process([] { return 2; });
    process.start().join();
    CHECK(process.exitcode() == 2);
}

TEST_CASE("children that run already are announced to a new daemon") {
    Channel go;
    Process process(Process::Options{.name = "early"}, [&] { go.receive<int>(); });
    process.start();
    Daemon daemon;
    REQUIRE(eventually([&] { return daemon.heard.of("Announce", process.pid()).size() == 1; }));
    CHECK(daemon.heard.of("Announce", process.pid())[0]["name"] == "early");
    go.send(1);
    process.join();
}
