// Forked processes with real children: the kernel is asked, so the kernel has to be there.
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "fake_outside.hpp"
#include "service/supervisor/environment.hpp"
#include "service/supervisor/proc.hpp"

using namespace muster;
using namespace muster::service;

namespace {

// A child that waits to be killed, or exits at once; reaped at the end whatever happens.
struct Child {
    explicit Child(std::optional<int> exit_code = std::nullopt) {
        pid = ::fork();
        if (pid == 0) {
            if (exit_code) ::_exit(*exit_code);
            for (;;) ::pause();
        }
    }
    ~Child() {
        if (reaped) return;
        ::kill(pid, SIGKILL);
        reap();
    }
    int reap() {
        int status = 0;
        ::waitpid(pid, &status, 0);
        reaped = true;
        return status;
    }
    pid_t pid = -1;
    bool reaped = false;
};

bool gone(int pidfd) {
    pollfd poll{pidfd, POLLIN, 0};
    return ::poll(&poll, 1, 10'000) == 1;
}

struct Fixture {
    FakeOutside outside;
    Supervisor supervisor{{.history = 3, .processes = 10, .grace = 5, .keeper_pid = 77}, outside};
    Requester me{::getuid(), ::getpid()};
    ProcessPtr only() {
        const auto all = supervisor.list(me.uid, true, std::nullopt);
        return all.size() == 1 ? supervisor.find(all[0]->id) : nullptr;
    }
};

template <typename Call>
std::string error_of(Call&& call) {
    try {
        call();
    } catch (const CallError& error) {
        return error.name();
    }
    return "";
}

}  // namespace

TEST_CASE_METHOD(Fixture, "an announced child is the caller's, the kernel says") {
    Child child;
    supervisor.announce(me, child.pid, "Process-1");
    supervisor.announce(me, child.pid, "Process-1");  // told again: nothing new
    const auto process = only();
    REQUIRE(process);
    CHECK(process->kind == Kind::forked);
    CHECK(process->state == State::running);
    CHECK(process->ppid == ::getpid());
    CHECK(process->start_time == read_stat(child.pid)->start_time);

    CHECK(error_of([&] { supervisor.announce({me.uid, 1}, child.pid, "x"); }) == "io.muster.processes.NotPermitted");
    CHECK(error_of([&] { supervisor.announce(me, ::getppid(), "x"); }) == "io.muster.processes.NotPermitted");
    CHECK(error_of([&] { supervisor.announce(me, 0, "x"); }) == "io.muster.processes.NoSuchProcess");
    CHECK(error_of([&] { supervisor.announce(me, 999'999'999, "x"); }) == "io.muster.processes.NoSuchProcess");
    CHECK(error_of([&] { supervisor.announce(me, child.pid, "#1"); }) == "org.varlink.service.InvalidParameter");
}

TEST_CASE_METHOD(Fixture, "its program tells how it ended") {
    Child child;
    supervisor.announce(me, child.pid, "p");
    Outcome outcome;
    outcome.exit_code = 3;
    supervisor.ended(me, child.pid, outcome);
    supervisor.ended(me, child.pid, outcome);
    const auto process = only();
    REQUIRE(process);
    CHECK(process->state == State::exited);
    CHECK(process->outcome->exit_code == 3);
    CHECK(outside.watched.empty());
    CHECK(error_of([&] { supervisor.ended({me.uid, 1}, child.pid, outcome); }) == "io.muster.processes.NoSuchProcess");
}

TEST_CASE_METHOD(Fixture, "a zombie's exit code is read from the kernel, once reaped nobody knows until told") {
    Child zombie(9);
    supervisor.announce(me, zombie.pid, "p");
    auto process = only();
    REQUIRE(process);
    REQUIRE(gone(outside.watched.at(process->id)));
    supervisor.forked_gone(process->id);
    CHECK(process->state == State::exited);
    CHECK(process->outcome->exit_code == 9);
    CHECK(process->outcome->core_dumped == false);

    Child reaped;
    supervisor.announce(me, reaped.pid, "q");
    process = supervisor.find(process->id + 1);
    REQUIRE(process);
    ::kill(reaped.pid, SIGKILL);
    reaped.reap();
    supervisor.forked_gone(process->id);
    CHECK(process->state == State::exited);
    CHECK_FALSE(process->outcome->told());
    Outcome outcome;
    outcome.signal = SIGKILL;
    supervisor.ended(me, reaped.pid, outcome);
    CHECK(process->outcome->signal == SIGKILL);
    CHECK(process->outcome->ended > 0);
}

TEST_CASE_METHOD(Fixture, "a re-parented one that the keeper reaped is known by that") {
    Child child;
    supervisor.announce(me, child.pid, "p");
    link::Ending ending;
    ending.signal = SIGSEGV;
    ending.core_dumped = true;
    supervisor.orphan_reaped({child.pid, ending});
    CHECK(only()->outcome->signal == SIGSEGV);
    CHECK(only()->outcome->core_dumped == true);
    supervisor.orphan_reaped({child.pid + 1, ending});  // of nobody's interest
}

TEST_CASE_METHOD(Fixture, "signal, stop and kill reach a forked process and its tree") {
    int pipe[2];
    REQUIRE(::pipe(pipe) == 0);
    const base::UniqueFd reading(pipe[0]);
    base::UniqueFd writing(pipe[1]);
    const pid_t parent = ::fork();
    if (parent == 0) {
        ::signal(SIGTERM, SIG_DFL);  // Catch's handler reports
        const pid_t grandchild = ::fork();
        if (grandchild == 0)
            for (;;) ::pause();
        if (::write(writing.get(), &grandchild, sizeof grandchild) < 0) ::_exit(1);
        for (;;) ::pause();
    }
    writing.reset();
    pid_t grandchild = 0;
    REQUIRE(::read(reading.get(), &grandchild, sizeof grandchild) == sizeof grandchild);
    const base::UniqueFd below = open_pidfd(grandchild);
    CHECK(descendants(::getpid()).size() >= 2);

    supervisor.announce(me, parent, "tree");
    int answers = 0;
    supervisor.signal(me, "tree", 0, [&](const auto& answer) { answers += answer.index() == 0; });
    CHECK(answers == 1);
    supervisor.stop(me, "tree", 5, [&](const auto& answer) { answers += answer.index() == 0; });
    CHECK(only()->state == State::stopping);
    CHECK(gone(below.get()));
    REQUIRE(gone(outside.watched.at(only()->id)));
    supervisor.forked_gone(only()->id);
    CHECK(answers == 2);
    CHECK(only()->outcome->signal == SIGTERM);
    int status = 0;
    ::waitpid(parent, &status, 0);
}

TEST_CASE("who may signal whom is the kernel's rule") {
    CHECK(uid_may_signal(0, 1));
    CHECK(uid_may_signal(::getuid(), ::getpid()));
    CHECK_FALSE(uid_may_signal(::getuid() + 12345, ::getpid()));
    CHECK_FALSE(uid_may_signal(::getuid() + 12345, 999'999'999));
}

TEST_CASE("the environment is clean, and what was asked for counts last") {
    ::setenv("SECRET_OF_THE_DAEMON", "x", 1);
    const auto has = [](const std::vector<std::string>& all, const std::string& entry) {
        return std::count(all.begin(), all.end(), entry) == 1;
    };
    const User user{1000, 1000, "alice", "/home/alice", "/bin/bash"};
    const auto result = environment(user, "unix:/run/m.sock", {"A=1", "HOME=/elsewhere", "A=2=3", "EMPTY="});
    CHECK(has(result, "PATH=/usr/local/bin:/usr/bin:/bin"));
    CHECK(has(result, "USER=alice"));
    CHECK(has(result, "LOGNAME=alice"));
    CHECK(has(result, "SHELL=/bin/bash"));
    CHECK(has(result, "MUSTER_ADDRESS=unix:/run/m.sock"));
    CHECK(has(result, "HOME=/elsewhere"));
    CHECK(has(result, "A=2=3"));
    CHECK(has(result, "EMPTY="));
    CHECK_FALSE(has(result, "A=1"));
    CHECK_FALSE(has(result, "SECRET_OF_THE_DAEMON=x"));
    ::unsetenv("SECRET_OF_THE_DAEMON");
    CHECK(User::of(0, 0).name == "root");
    CHECK(User::of(4'000'000'000, 7).name == "4000000000");
    CHECK(User::of(4'000'000'000, 7).gid == 7);
}
