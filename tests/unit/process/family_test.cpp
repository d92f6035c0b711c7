// Names, this process, parents, children of children, threads.
#include "support.hpp"

#include <atomic>

using namespace process_test;
using muster::Errc;
using muster::Process;

namespace {

template <std::size_t N>
struct Text {
    char text[N] = {};
    explicit Text(const std::string& from) { from.copy(text, N - 1); }
    Text() = default;
    operator std::string() const { return text; }
};
using Name = Text<64>;

}  // namespace

TEST_CASE("names count up: Process-1, Process-2, in a child Process-2:1, Process-2:2") {
    Channel report;
    const pid_t fresh = fork_main([&] {
        Process first([] {});
        report.send(Name(first.name()));
        Process named(Process::Options{.name = "mine"}, [] {});
        report.send(Name(named.name()));
        Process third([&] {
            Process child([&] { report.send(Name(muster::current_process().name())); }), unstarted([] {});
            child.start().join();
            report.send(Name(unstarted.name()));
        });
        third.start().join();
    });
    // The test program has made processes before, or none: it knows how many by the first name.
    const std::string first = *report.receive<Name>();
    REQUIRE(first.substr(0, 8) == "Process-");
    const int number = std::stoi(first.substr(8));
    const std::string third = "Process-" + std::to_string(number + 2);
    CHECK(std::string(*report.receive<Name>()) == "mine");
    CHECK(std::string(*report.receive<Name>()) == third + ":1");
    CHECK(std::string(*report.receive<Name>()) == third + ":2");
    CHECK(wait_status(fresh) == 0);
}

TEST_CASE("a name can be set at any time") {
    Channel report;
    Process process([&] {
        muster::current_process().name("inside");
        report.send(Name(muster::current_process().name()));
    });
    process.name("before");
    CHECK(process.name() == "before");
    process.start();
    process.name("after");
    CHECK(std::string(*report.receive<Name>()) == "inside");
    process.join();
    CHECK(process.name() == "after");
}

TEST_CASE("current_process is MainProcess here, and the started one in a child") {
    Process& here = muster::current_process();
    CHECK(here.name() == "MainProcess");
    CHECK(here.pid() == ::getpid());
    CHECK(here.is_alive());
    CHECK_FALSE(here.daemon());
    CHECK_FALSE(here.exitcode());
    CHECK(error_of([&] { here.start(); }) == Errc::already_running);
    CHECK(error_of([&] { here.join(); }) == Errc::invalid_argument);
    CHECK(error_of([&] { here.close(); }) == Errc::invalid_argument);
    Process process(Process::Options{.name = "child", .daemon = true}, [&here] {
        Process& self = muster::current_process();
        if (&self != &here || self.name() != "child") return 1;
        if (self.pid() != ::getpid() || !self.daemon()) return 2;
        if (!self.is_alive() || self.exitcode()) return 3;
        return error_of([&] { self.join(); }) == Errc::invalid_argument ? 0 : 4;
    });
    process.start().join();
    CHECK(process.exitcode() == 0);
}

TEST_CASE("parent_process is none here, and this process in a child") {
    CHECK_FALSE(muster::parent_process());
    const pid_t here = ::getpid();
    Process process([=] {
        const auto parent = muster::parent_process();
        if (!parent || parent->pid() != here || parent->name() != "MainProcess") return 1;
        return parent->is_alive() && !parent->join_for(10ms) ? 0 : 2;
    });
    process.start().join();
    CHECK(process.exitcode() == 0);
}

TEST_CASE("after the parent's death parent_process is not alive and its join returns") {
    Channel started, report;
    Process middle([&] {
        Process orphan([&] {
            started.send(::getpid());
            const auto parent = muster::parent_process();
            parent->join();
            report.send(parent->is_alive());
        });
        orphan.start();
        hang();
    });
    middle.start();
    REQUIRE(started.receive<pid_t>());
    CHECK_FALSE(report.receive<bool>(20ms));
    middle.kill();
    CHECK(report.receive<bool>() == false);
    middle.join();
}

TEST_CASE("only the parent may join a process or ask whether it is alive, others may signal it") {
    Channel ready;
    Process brother([&] {
        std::signal(SIGTERM, SIG_DFL);
        ready.send(1);
        hang();
    });
    brother.start();
    REQUIRE(ready.receive<int>());
    Process stranger([&] {
        if (error_of([&] { brother.join(); }) != Errc::invalid_argument) return 1;
        if (error_of([&] { brother.is_alive(); }) != Errc::invalid_argument) return 2;
        if (error_of([&] { brother.exitcode(); }) != Errc::invalid_argument) return 3;
        if (!muster::active_children().empty()) return 4;
        brother.terminate();
        return 0;
    });
    stranger.start().join();
    CHECK(stranger.exitcode() == 0);
    brother.join();
    CHECK(brother.exitcode() == -SIGTERM);
}

TEST_CASE("only the process that made a handle may start it") {
    Process unstarted([] {});
    Process other([&] { return error_of([&] { unstarted.start(); }) == Errc::invalid_argument ? 0 : 1; });
    other.start().join();
    CHECK(other.exitcode() == 0);
    unstarted.start().join();
    CHECK(unstarted.exitcode() == 0);
}

TEST_CASE("children have children, which they wait for") {
    Process middle([] {
        Process inner([] { return 6; });
        inner.start().join();
        return *inner.exitcode() + 1;
    });
    middle.start().join();
    CHECK(middle.exitcode() == 7);

    Channel report, go;
    Process leaving([&] {
        Process slow([&] { report.send(go.receive<int>().value_or(0)); });
        slow.start();  // not joined: it is at the end of `leaving`
    });
    leaving.start();
    CHECK_FALSE(leaving.join_for(50ms));
    go.send(8);
    leaving.join();
    CHECK(report.receive<int>(0ms) == 8);
}

TEST_CASE("a bare fork does not take the parent's children along") {
    Channel go;
    Process child([&] { go.receive<int>(); });
    child.start();
    const pid_t bare = fork_main([&] {
        if (!muster::active_children().empty()) std::_Exit(1);
        if (muster::current_process().pid() != ::getpid()) std::_Exit(2);
        Process own([] { return 3; });
        own.start().join();
        if (own.exitcode() != 3) std::_Exit(3);
    });  // its exit does not wait for `child`
    CHECK(wait_status(bare) == 0);
    CHECK(child.is_alive());
    go.send(1);
    child.join();
}

TEST_CASE("many threads start and join processes at once") {
    std::atomic<int> right = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < 8; ++t)
        threads.emplace_back([&right, t] {
            for (int i = 0; i < 10; ++i) {
                Process process([=] { return t * 10 + i; });
                process.start().join();
                if (process.exitcode() == t * 10 + i) ++right;
            }
        });
    for (std::thread& thread : threads) thread.join();
    CHECK(right == 80);
    CHECK(muster::active_children().empty());
}

TEST_CASE("several threads may use one handle at once") {
    Channel go;
    Process process([&] { return go.receive<int>().value_or(90); });
    process.start();
    std::atomic<int> right = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&] {
            process.join();
            if (process.exitcode() == 9 && !process.is_alive()) ++right;
        });
    threads.emplace_back([&] {
        while (process.is_alive()) std::this_thread::yield();
        ++right;
    });
    go.send(9);
    for (std::thread& thread : threads) thread.join();
    CHECK(right == 5);
}
