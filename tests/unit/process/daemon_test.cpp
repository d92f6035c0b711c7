// Daemon children, and what happens to children at their parent's end.
#include "support.hpp"

using namespace process_test;
using muster::Errc;
using muster::Process;

TEST_CASE("the daemon flag is off, can be set before the start, and is fixed after it") {
    Process process([] {});
    CHECK_FALSE(process.daemon());
    process.daemon(true);
    CHECK(process.daemon());
    process.start();
    CHECK(error_of([&] { process.daemon(false); }) == Errc::already_running);
    CHECK(process.daemon());
    process.join();
}

TEST_CASE("the daemon flag is inherited, unless told otherwise") {
    Process process(Process::Options{.daemon = true}, [] {
        Process inheriting([] {}), other(Process::Options{.daemon = false}, [] {});
        return inheriting.daemon() && !other.daemon() ? 0 : 1;
    });
    process.start().join();
    CHECK(process.exitcode() == 0);
}

TEST_CASE("a daemon process may not have children") {
    Process process(Process::Options{.daemon = true}, [] {
        Process child(Process::Options{.daemon = false}, [] {});
        return error_of([&] { child.start(); }) == Errc::invalid_argument ? 0 : 1;
    });
    process.start().join();
    CHECK(process.exitcode() == 0);
}

TEST_CASE("at the parent's normal end daemon children are terminated and the others joined") {
    Channel started, report;
    const pid_t parent = fork_main([&] {
        Process background(Process::Options{.daemon = true}, [&] {
            std::signal(SIGTERM, SIG_DFL);
            started.send(::getpid());
            hang();
        });
        background.start();
        started.receive<pid_t>();
        Process other([&] {
            report.send(::getpid());
            std::this_thread::sleep_for(50ms);  // were it not waited for, the second one would be missing
            report.send(::getpid());
        });
        other.start();
        report.send(*background.pid());
        report.send(*other.pid());
        std::exit(4);
    });
    const int status = wait_status(parent);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 4);
    // All has been sent by now, by processes that are gone.
    std::vector<pid_t> told;
    while (const auto pid = report.receive<pid_t>(0ms)) told.push_back(*pid);
    REQUIRE(told.size() == 4);
    for (const pid_t pid : told) CHECK(gone(pid));
}

TEST_CASE("a child ends its own daemon children too") {
    Channel started;
    Process middle([&] {
        Process background(Process::Options{.daemon = true}, [&] {
            std::signal(SIGTERM, SIG_DFL);
            started.send(::getpid());
            hang();
        });
        background.start();
        while (!started.receive<pid_t>()) {
        }
        started.send(*background.pid());
        return 3;
    });
    middle.start().join();
    CHECK(middle.exitcode() == 3);
    CHECK(gone(*started.receive<pid_t>()));
}

TEST_CASE("a daemon child that ignores SIGTERM is killed") {
    Channel started;
    const pid_t parent = fork_main([&] {
        Process stubborn(Process::Options{.daemon = true}, [&] {
            std::signal(SIGTERM, SIG_IGN);
            started.send(::getpid());
            hang();
        });
        stubborn.start();
        const auto pid = started.receive<pid_t>();
        started.send(*pid);
    });
    CHECK(wait_status(parent) == 0);
    CHECK(gone(*started.receive<pid_t>()));
}

TEST_CASE("when the parent is killed its daemon children end and the others live on") {
    Channel started, go, report;
    Process parent([&] {
        Process background(Process::Options{.daemon = true}, [&] {
            std::signal(SIGTERM, SIG_DFL);
            started.send(::getpid());
            hang();
        });
        Process other([&] {
            started.send(::getpid());
            report.send(go.receive<int>().value_or(0));
        });
        background.start();
        const auto first = started.receive<pid_t>();
        other.start();
        const auto second = started.receive<pid_t>();
        report.send(*first);
        report.send(*second);
        hang();
    });
    parent.start();
    const auto background = report.receive<pid_t>(), other = report.receive<pid_t>();
    REQUIRE(background);
    REQUIRE(other);
    parent.kill();
    parent.join();
    // Nobody here may reap them; in a container without an init they stay zombies.
    CHECK(eventually([&] { return gone_or_zombie(*background); }));
    CHECK_FALSE(gone_or_zombie(*other));
    go.send(7);
    CHECK(report.receive<int>() == 7);
    CHECK(eventually([&] { return gone_or_zombie(*other); }));
}

TEST_CASE("a daemon child does not end with the thread that started it") {
    Channel go, report;
    Process background(Process::Options{.daemon = true}, [&] { return go.receive<int>().value_or(90); });
    std::thread([&] { background.start(); }).join();
    CHECK_FALSE(background.join_for(50ms));
    go.send(5);
    background.join();
    CHECK(background.exitcode() == 5);
}
