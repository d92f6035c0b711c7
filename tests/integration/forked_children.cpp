// Children that a program forks itself, as the daemon sees them: also when its service dies meanwhile.
#include <csignal>
#include <map>
#include <muster/ipc.hpp>

#include "example_run.hpp"

using namespace muster::test;
using muster::Process;

namespace {

struct Program {
    Daemon daemon;
    muster::Manager manager = muster::Manager::connect(daemon.address());

    std::optional<muster::ProcessInfo> seen(const Process& process, bool all = true) const {
        for (const auto& info : manager.processes(all))
            if (info.pid == process.pid()) return info;
        return {};
    }
};

}  // namespace

TEST_CASE_METHOD(Program,
                 "a forked child is known as soon as start() has returned, and its end after join()") {
    auto go = manager.queue<int>();
    Process process(Process::Options{.name = "forked"}, [&] { return go.get(); });
    process.start();
    const auto running = seen(process, false);
    REQUIRE(running);
    CHECK(running->name == "forked");
    CHECK(running->ppid == ::getpid());
    CHECK(running->forked);
    CHECK(running->state == "running");
    CHECK_FALSE(running->exitcode);
    go.put(3);
    process.join();
    CHECK(eventually([&] { return seen(process)->state == "exited"; }));
    CHECK(seen(process)->exitcode == 3);
    CHECK_FALSE(seen(process, false));
}

TEST_CASE_METHOD(Program, "the exit codes of many short-lived children are all known") {
    std::map<pid_t, int> codes;
    for (int i = 0; i < 30; ++i) {
        Process process([=] {
            if (i % 3 == 2) ::kill(::getpid(), SIGKILL);
            return i;
        });
        process.start().join();
        codes[*process.pid()] = *process.exitcode();
    }
    const auto told = [&] {
        std::map<pid_t, int> found;
        for (const auto& info : manager.processes(true))
            if (info.exitcode) found[info.pid] = *info.exitcode;
        return found;
    };
    CHECK(eventually([&] { return told() == codes; }));
}

TEST_CASE_METHOD(Program,
                 "after the service's death the next one knows the children that live, and how they end") {
    auto go = manager.queue<int>();
    std::vector<Process> processes;
    for (int i = 0; i < 4; ++i) processes.emplace_back([&] { return go.get(); }).start();
    daemon.kill_service();
    for (const Process& process : processes)
        CHECK(eventually([&] { return seen(process, false).has_value(); }, std::chrono::seconds(2)));
    for (int i = 0; i < 4; ++i) go.put(10);
    for (Process& process : processes) {
        process.join();
        CHECK(process.exitcode() == 10);
        CHECK(eventually([&] { return seen(process)->exitcode == 10; }));
    }
}

TEST_CASE_METHOD(Program, "a child that ends while the service is being replaced is told of all the same") {
    auto go = manager.queue<int>();
    Process process([&] { return go.get(); });
    process.start();
    ::kill(daemon.service(), SIGKILL);
    go.put(6);
    process.join();
    CHECK(process.exitcode() == 6);
    CHECK(eventually([&] {
        const auto info = seen(process);
        return info && info->exitcode == 6;
    }));
}

TEST_CASE_METHOD(Program, "a child that is stopped through the daemon ends its program's join") {
    Process process(Process::Options{.name = "stopped"}, [] {
        std::signal(SIGTERM, SIG_DFL);
        while (true) ::pause();
    });
    process.start();
    CHECK(daemon.ctl({"stop", "stopped"}).status == 0);
    process.join();
    CHECK(process.exitcode() == -SIGTERM);
    CHECK(seen(process)->exitcode == -SIGTERM);
}
