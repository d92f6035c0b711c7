// The ways a child ends, and what is told about each.
#include <sys/resource.h>

#include <cstdio>
#include <iostream>
#include <stdexcept>

#include "support.hpp"

using namespace process_test;
using muster::Errc;
using muster::Process;

TEST_CASE("exitcode is minus the signal that ended it") {
    for (const int signal : {SIGTERM, SIGKILL, SIGUSR1, SIGSEGV}) {
        Process process([=] {
            const rlimit no_core{0, 0};
            ::setrlimit(RLIMIT_CORE, &no_core);
            std::signal(signal, SIG_DFL);  // the test framework has handlers of its own
            ::kill(::getpid(), signal);
            hang();
        });
        process.start().join();
        CHECK(process.exitcode() == -signal);
    }
}

TEST_CASE("terminate, kill and signal end a running process") {
    const auto ready_then_hang = [](Channel& ready) {
        std::signal(SIGTERM, SIG_DFL);
        ready.send(1);
        hang();
    };
    Channel ready;
    Process terminated(ready_then_hang, std::ref(ready)), killed(ready_then_hang, std::ref(ready)),
        interrupted(ready_then_hang, std::ref(ready));
    for (Process* process : {&terminated, &killed, &interrupted}) process->start();
    for (int i = 0; i < 3; ++i) REQUIRE(ready.receive<int>());
    terminated.terminate();
    killed.kill();
    interrupted.signal(SIGALRM);
    for (Process* process : {&terminated, &killed, &interrupted}) process->join();
    CHECK(terminated.exitcode() == -SIGTERM);
    CHECK(killed.exitcode() == -SIGKILL);
    CHECK(interrupted.exitcode() == -SIGALRM);
}

TEST_CASE("a stopped process is alive") {
    Process process(hang);
    process.start();
    process.signal(SIGSTOP);
    CHECK(eventually([&] { return process_state(*process.pid()) == 'T'; }));
    CHECK(process.is_alive());
    CHECK_FALSE(process.join_for(10ms));
    process.kill();
    process.join();
    CHECK(process.exitcode() == -SIGKILL);
}

TEST_CASE("terminate and kill of an ended process change nothing, of an unstarted one they are errors") {
    Process process([] { return 2; }), unstarted([] {});
    process.start();
    REQUIRE(becomes_zombie(*process.pid()));
    process.terminate();  // dead, not yet reaped
    process.join();
    process.terminate();
    process.kill();
    CHECK(process.exitcode() == 2);
    CHECK(error_of([&] { unstarted.terminate(); }) == Errc::not_running);
    CHECK(error_of([&] { unstarted.kill(); }) == Errc::not_running);
}

TEST_CASE("an uncaught exception gives exit code 1 and 'Process NAME: WHAT' on stderr") {
    Capture errors;
    Process known(Process::Options{.name = "worker"}, [&] {
        errors.replace(STDERR_FILENO);
        throw std::runtime_error("out of paper");
    });
    Process unknown(Process::Options{.name = "odd"}, [&] {
        errors.replace(STDERR_FILENO);
        throw 7;
    });
    known.start().join();
    CHECK(known.exitcode() == 1);
    CHECK(errors.text() == "Process worker: out of paper\n");
    unknown.start().join();
    CHECK(unknown.exitcode() == 1);
    CHECK(errors.text() ==
          "Process worker: out of paper\nProcess odd: an exception that is not a std::exception\n");
}

TEST_CASE("an exception out of run() of a derived type counts like one out of a function") {
    struct Failing : Process {
        explicit Failing(const Capture& errors) : Process(Options{.name = "failing"}), errors_(errors) {}
        int run() override {
            errors_.replace(STDERR_FILENO);
            throw muster::Error(Errc::value_error, "parse", "line 3");
        }
        const Capture& errors_;
    };
    Capture errors;
    Failing failing(errors);
    failing.start().join();
    CHECK(failing.exitcode() == 1);
    CHECK(errors.text() == "Process failing: line 3: parse: value not usable here\n");
}

TEST_CASE("a child flushes what it printed, and does not print again what the parent had buffered") {
    Capture output;
    std::cout.flush();  // what the test runner printed is not to be found in the capture
    const pid_t parent = fork_main([&] {
        output.replace(STDOUT_FILENO);
        std::printf("parent.");  // no newline: stays in the buffer
        std::cout << "stream.";
        Process child([] {
            std::printf("child.");
            std::cout << "end";
        });
        child.start().join();
    });
    CHECK(wait_status(parent) == 0);
    CHECK(output.text() == "parent.stream.child.end");
}

TEST_CASE("a child leaves without the parent's atexit handlers") {
    Capture output;
    const pid_t parent = fork_main([&] {
        output.replace(STDERR_FILENO);
        std::atexit([] { [[maybe_unused]] const auto n = ::write(STDERR_FILENO, "handler.", 8); });
        Process child([] {});
        child.start().join();
        Process failing(Process::Options{.name = "failing"}, [] { throw std::runtime_error("x"); });
        failing.start().join();
    });
    CHECK(wait_status(parent) == 0);
    CHECK(output.text() == "Process failing: x\nhandler.");
}

TEST_CASE("a child's stdin is empty: the input is the parent's") {
    Process process([] { return std::getchar() == EOF ? 0 : 1; });
    process.start().join();
    CHECK(process.exitcode() == 0);
}

TEST_CASE("join and is_alive work while SIGCHLD is ignored, the code may be lost but is never wrong") {
    struct sigaction ignore {
    }, before{};
    ignore.sa_handler = SIG_IGN;
    ::sigaction(SIGCHLD, &ignore, &before);
    Channel go;
    Process process([&] { return go.receive<int>().value_or(90); });
    process.start();
    CHECK(process.is_alive());
    CHECK_FALSE(process.join_for(10ms));
    go.send(6);
    process.join();
    ::sigaction(SIGCHLD, &before, nullptr);
    CHECK_FALSE(process.is_alive());
    CHECK(process.exitcode().value_or(6) == 6);
    CHECK(muster::active_children().empty());
}

TEST_CASE("a child that somebody else reaped counts as ended") {
    for (const bool killed : {false, true}) {
        Process process([=] {
            if (killed) ::kill(::getpid(), SIGKILL);
            return 6;
        });
        process.start();
        int status = 0;
        REQUIRE(::waitpid(-1, &status, 0) == process.pid());
        process.join();
        CHECK_FALSE(process.is_alive());
        const int right = killed ? -SIGKILL : 6;
        CHECK(process.exitcode().value_or(right) == right);
        process.terminate();  // a no-op, also if the pid is in use again
    }
}

TEST_CASE("a start that the kernel refuses names the step, leaves nothing behind, and may be repeated") {
#ifdef __SANITIZE_ADDRESS__
    muster::test::skip(
        "UBSan looks at memory through pipes of its own, and there are no descriptors for them here");
#endif
    Process earlier([] {}), process([] { return 5; });
    earlier.start().join();  // what a process opens once, it has now
    rlimit before{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
    const int highest = ::dup(STDIN_FILENO);
    REQUIRE(highest >= 0);
    ::close(highest);
    // No descriptor to be had, then just one: the second failure is with a child already forked.
    for (rlim_t room = 0; room < 2; ++room) {
        const rlimit tight{static_cast<rlim_t>(highest) + room, before.rlim_max};
        REQUIRE(::setrlimit(RLIMIT_NOFILE, &tight) == 0);
        std::optional<Errc> error;
        std::string detail;
        try {
            process.start();
        } catch (const muster::Error& thrown) {
            error = thrown.errc();
            detail = thrown.detail();
        }
        REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
        CHECK(error == Errc::start_failed);
        CHECK(detail.find(": ") != std::string::npos);
        CHECK_FALSE(process.pid());
        CHECK(muster::active_children().empty());
        CHECK((::waitpid(-1, nullptr, WNOHANG) == -1 && errno == ECHILD));
    }
    process.start().join();
    CHECK(process.exitcode() == 5);
}
