// start, join, is_alive, exitcode, pid, sentinel, close.
#include "support.hpp"

using namespace process_test;
using muster::Errc;
using muster::Process;

TEST_CASE("exitcode is none before the start and while it runs, then the function's int") {
    Channel go;
    Process process([&] { return go.receive<int>().value_or(99); });
    CHECK_FALSE(process.exitcode());
    process.start();
    CHECK_FALSE(process.exitcode());
    go.send(3);
    process.join();
    CHECK(process.exitcode() == 3);
}

TEST_CASE("a function that returns nothing, or no int, ends with exit code 0") {
    Process nothing([] {}), text([] { return std::string("ignored"); });
    nothing.start().join();
    text.start().join();
    CHECK(nothing.exitcode() == 0);
    CHECK(text.exitcode() == 0);
}

TEST_CASE("a child runs with the arguments it was given, copied or moved") {
    auto number = std::make_unique<int>(40);
    Process process(
        [](std::unique_ptr<int> a, const std::string& b) { return *a + static_cast<int>(b.size()); },
        std::move(number), std::string("ab"));
    process.start().join();
    CHECK(process.exitcode() == 42);
}

TEST_CASE("a child is another process whose parent is this one") {
    Channel report;
    Process process([&] {
        report.send(::getpid());
        report.send(::getppid());
    });
    CHECK_FALSE(process.pid());
    process.start();
    CHECK(report.receive<pid_t>() == process.pid());
    CHECK(report.receive<pid_t>() == ::getpid());
    process.join();
    CHECK(process.pid());  // kept after the end
}

TEST_CASE("what the child changes in ordinary memory stays in the child") {
    int number = 1;
    Process process([&] { return number = 7; });
    process.start().join();
    CHECK(process.exitcode() == 7);
    CHECK(number == 1);
}

TEST_CASE("start twice is an error, running or ended") {
    Process process([] {});
    process.start();
    CHECK(error_of([&] { process.start(); }) == Errc::already_running);
    process.join();
    CHECK(error_of([&] { process.start(); }) == Errc::already_running);
}

TEST_CASE("join of a process that was not started is an error") {
    Process process([] {});
    CHECK(error_of([&] { process.join(); }) == Errc::not_running);
    CHECK(error_of([&] { return process.join_for(0s); }) == Errc::not_running);
}

TEST_CASE("join of an ended process returns at once, as often as one likes") {
    Process process([] { return 4; });
    process.start();
    process.join();
    process.join();
    CHECK(process.join_for(0s));
    CHECK(process.exitcode() == 4);
}

TEST_CASE("join_for and join_until tell whether the process ended in time") {
    Channel go;
    Process process([&] { go.receive<int>(); });
    process.start();
    CHECK_FALSE(process.join_for(20ms));
    CHECK_FALSE(process.join_until(std::chrono::system_clock::now() + 20ms));
    CHECK(process.is_alive());
    go.send(1);
    CHECK(process.join_until(std::chrono::steady_clock::now() + patience));
}

TEST_CASE("a timeout of zero or less polls, one beyond the clock waits") {
    Channel go;
    Process process([&] { go.receive<int>(); });
    process.start();
    CHECK_FALSE(process.join_for(0s));
    CHECK_FALSE(process.join_for(-5s));
    CHECK_FALSE(process.join_for(std::chrono::hours::min()));
    CHECK_FALSE(process.join_until(std::chrono::steady_clock::time_point::min() + 1h));
    go.send(1);
    CHECK(process.join_for(std::chrono::hours::max()));
}

TEST_CASE("is_alive is true from start to end only") {
    Channel go;
    Process process([&] { go.receive<int>(); });
    CHECK_FALSE(process.is_alive());
    process.start();
    CHECK(process.is_alive());
    go.send(1);
    process.join();
    CHECK_FALSE(process.is_alive());
}

TEST_CASE("is_alive, exitcode and active_children reap") {
    const auto zombie = [](Process& process) {
        process.start();
        return becomes_zombie(*process.pid());
    };
    Process asked([] {}), coded([] {}), listed([] {});
    REQUIRE(zombie(asked));
    CHECK_FALSE(asked.is_alive());
    CHECK(gone(*asked.pid()));
    REQUIRE(zombie(coded));
    CHECK(coded.exitcode() == 0);
    CHECK(gone(*coded.pid()));
    REQUIRE(zombie(listed));
    CHECK(muster::active_children().empty());
    CHECK(gone(*listed.pid()));
}

TEST_CASE("a child whose handle was dropped runs on, and the next start reaps it") {
    pid_t dropped = 0;
    Channel go, report;
    {
        Process process([&] { report.send(go.receive<int>().value_or(0)); });
        dropped = *process.start().pid();
    }
    go.send(5);
    CHECK(report.receive<int>() == 5);
    REQUIRE(becomes_zombie(dropped));
    Process next([] {});
    next.start().join();
    CHECK(gone(dropped));
}

TEST_CASE("active_children are the started ones that have not ended") {
    Channel go;
    Process first([&] { go.receive<int>(); }), second([&] { go.receive<int>(); }), unstarted([] {});
    CHECK(muster::active_children().empty());
    first.start();
    second.start();
    std::vector<Process> active = muster::active_children();
    REQUIRE(active.size() == 2);
    CHECK(active[0].pid() == first.pid());
    CHECK(active[1].name() == second.name());
    active[0].kill();
    active[0].join();
    CHECK(first.exitcode() == -SIGKILL);  // handles of one process
    CHECK(muster::active_children().size() == 1);
    go.send(1);
    second.join();
    CHECK(muster::active_children().empty());
}

TEST_CASE("the sentinel is readable when the process has ended, and only then") {
    Channel go;
    Process process([&] { go.receive<int>(); });
    CHECK(error_of([&] { process.sentinel(); }) == Errc::not_running);
    process.start();
    pollfd watched{process.sentinel(), POLLIN, 0};
    CHECK(::poll(&watched, 1, 0) == 0);
    go.send(1);
    CHECK(::poll(&watched, 1, 30'000) == 1);
    process.join();
    CHECK(::poll(&watched, 1, 0) == 1);  // still, after it was reaped
    CHECK((::fcntl(process.sentinel(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("close of a running process is an error, afterwards everything is") {
    Channel go;
    Process process([&] { go.receive<int>(); });
    process.start();
    CHECK(error_of([&] { process.close(); }) == Errc::invalid_argument);
    go.send(1);
    process.join();
    process.close();
    process.close();
    CHECK(error_of([&] { process.join(); }) == Errc::closed);
    CHECK(error_of([&] { process.is_alive(); }) == Errc::closed);
    CHECK(error_of([&] { process.exitcode(); }) == Errc::closed);
    CHECK(error_of([&] { process.pid(); }) == Errc::closed);
    CHECK(error_of([&] { process.sentinel(); }) == Errc::closed);
    CHECK(error_of([&] { process.terminate(); }) == Errc::closed);
    CHECK(error_of([&] { process.start(); }) == Errc::closed);
}

TEST_CASE("close of one that ended without a join reaps it, of one never started it is allowed") {
    Process process([] {}), unstarted([] {});
    process.start();
    const pid_t pid = *process.pid();
    REQUIRE(becomes_zombie(pid));
    process.close();
    CHECK(gone(pid));
    unstarted.close();
}

TEST_CASE("handles move, before and after the start, also inside a growing vector") {
    Channel go;
    std::vector<Process> workers;
    for (int i = 0; i < 20; ++i)
        workers.emplace_back([&go, i] { return go.receive<int>().value_or(90) + i; }).start();
    for (std::size_t i = 0; i < workers.size(); ++i) go.send(1);
    for (std::size_t i = 0; i < workers.size(); ++i) {
        workers[i].join();
        CHECK(workers[i].exitcode() == static_cast<int>(i) + 1);
    }
    Process moved(std::move(workers.front()));
    CHECK(moved.exitcode() == 1);
    CHECK(error_of([&] { workers.front().join(); }) == Errc::invalid_argument);
    workers.front() = std::move(moved);
    CHECK(workers.front().exitcode() == 1);
}

namespace {

class Adder : public Process {
  public:
    Adder(int a, int b) : Process(Options{.name = "adder"}), a_(a), b_(b) {}
    int run() override { return a_ + b_; }

  private:
    int a_, b_;
};

}  // namespace

TEST_CASE("a type with its own run() and constructor arguments is a process") {
    Adder adder(20, 3);
    adder.start().join();
    CHECK(adder.exitcode() == 23);
    CHECK(adder.name() == "adder");
    std::vector<Adder> several;
    for (int i = 0; i < 5; ++i) several.emplace_back(i, 10).start();
    for (int i = 0; i < 5; ++i) {
        several[static_cast<std::size_t>(i)].join();
        CHECK(several[static_cast<std::size_t>(i)].exitcode() == i + 10);
    }
}

TEST_CASE("a process without a function does nothing, successfully") {
    Process process;
    process.start().join();
    CHECK(process.exitcode() == 0);
}

TEST_CASE("the child has the signal mask of its parent's thread, which keeps it") {
    const auto blocked = [](int signal) {
        sigset_t mask;
        ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
        return ::sigismember(&mask, signal) == 1;
    };
    sigset_t usr1, before;
    ::sigemptyset(&usr1);
    ::sigaddset(&usr1, SIGUSR1);
    ::pthread_sigmask(SIG_BLOCK, &usr1, &before);
    Process process([&] { return blocked(SIGUSR1) && !blocked(SIGTERM) && !blocked(SIGUSR2) ? 0 : 1; });
    process.start();
    CHECK(blocked(SIGUSR1));
    CHECK_FALSE(blocked(SIGTERM));
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    process.join();
    CHECK(process.exitcode() == 0);
}
