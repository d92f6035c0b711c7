// A private daemon that a program starts shares the program's stderr: it says there what is wrong, and nothing else.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include <muster/ipc.hpp>

#include "support/child.hpp"
#include "support/contents.hpp"
#include "support/daemon_fixture.hpp"

using namespace muster::test;
using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;

namespace {

// What stands on stderr after a program that did `work`.
std::string said(const std::function<int()>& work) {
    const TempDirectory directory;
    const std::string file = directory / "stderr";
    Child child([&] {
        const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
        if (::dup2(fd, STDERR_FILENO) < 0) return 98;
        return work();
    });
    CHECK(child.join() == 0);
    return contents(file);
}

muster::Manager launch(const std::string& memory = "16 MiB") {
    return muster::Manager::launch({.memory = memory, .program = program("musterd")});
}

}  // namespace

TEST_CASE("a private daemon that was started, used and ended has said nothing") {
    CHECK(said([] {
              const auto manager = launch();
              auto runs = manager.dict<std::string, int>("totals");
              runs.set("runs", 1);
              return runs.at("runs") == 1 ? 0 : 1;
          }) == "");
}

TEST_CASE("a private daemon that cannot start says why") {
    const std::string text = said([] {
        try {
            launch("1 potato");
            return 1;
        } catch (const muster::Error& error) {
            return error.errc() == muster::Errc::start_failed ? 0 : 2;
        }
    });
    CHECK_THAT(text, StartsWith("musterd: ") && Contains("'1 potato' is no size"));
}

TEST_CASE("a private daemon whose service dies says so") {
    const std::string text = said([] {
        const auto manager = launch();
        for (const pid_t keeper : children_of(::getpid())) {
            const auto services = children_of(keeper);
            if (services.size() != 1) return 1;
            ::kill(services[0], SIGKILL);
            if (!eventually([&] { return children_of(keeper).size() == 1 && children_of(keeper) != services; }))
                return 2;
        }
        return 0;
    });
    CHECK_THAT(text, Contains("killed by signal 9 (SIGKILL)"));
}

TEST_CASE("a private daemon ignores the terminal's SIGINT") {
    CHECK(said([] {
              ::setpgid(0, 0);  // what Ctrl-C reaches: a program, its children, but not its daemon
              ::signal(SIGINT, SIG_IGN);
              const auto manager = launch();
              auto dict = manager.dict<std::string, int>("dict");
              const auto daemons = children_of(::getpid());
              if (daemons.size() != 1 || ::getpgid(daemons[0]) == ::getpgrp()) return 1;
              if (::kill(0, SIGINT) != 0) return 2;
              // It answers, and it is the same.
              (void)manager.processes();
              dict.set("k", 1);
              return children_of(::getpid()) == daemons && dict.at("k") == 1 ? 0 : 3;
          }) == "");
}
