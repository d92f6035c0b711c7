// What musterctl says of the daemon, and without one.
#include <catch2/catch.hpp>

#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <future>

#include <muster/ipc.hpp>

#include "ctl_program.hpp"
#include "support/skip.hpp"

using muster::test::Ctl;
using muster::test::Daemon;
using muster::test::outcome_of;
using nlohmann::json;

TEST_CASE("status tells the daemon's version, processes and memory") {
    Daemon daemon;
    const Ctl ctl(daemon.address());
    const json status = ctl("status", "--json").json();
    CHECK(status["version"] == ctl("version", "--json").json()["version"]);
    CHECK(status["keeper_pid"] == daemon.keeper());
    CHECK(status["service_pid"] != status["keeper_pid"]);
    for (const char* count : {"sessions", "objects", "processes"})
        CHECK(status.at(count).is_number_integer());
    CHECK(status["memory"]["used"] == 0);  // nobody has attached yet
    REQUIRE(ctl("dict", "set", "d", "k", "v").code == 0);
    const json memory = ctl("status", "--json").json()["memory"];
    CHECK(memory["capacity"].get<double>() > memory["used"].get<double>());
    CHECK(memory["used"].get<double>() > 0);
    const auto text = ctl("status");
    CHECK(text.code == 0);
    CHECK_THAT(text.out, Catch::Contains("keeper      PID " + std::to_string(daemon.keeper())) &&
                             Catch::Contains("memory") && Catch::Contains(daemon.address()));
}

TEST_CASE("a sound realm has 0 violations") {
    Daemon daemon;
    const Ctl ctl(daemon.address());
    const auto empty = ctl("check");
    CHECK(empty.code == 0);
    CHECK(empty.out == "0 violations\n");
    REQUIRE(ctl("dict", "set", "d", "k", "v").code == 0);
    CHECK(ctl("check").out.ends_with("\n0 violations\n"));
    const json report = ctl("check", "--json").json();
    CHECK(report["violations"] == json::array());
    CHECK(report["objects"] == 1);
}

TEST_CASE("without a daemon every verb says so in one line, with what to do, and exit code 3") {
    const muster::test::TempDirectory directory;
    const Ctl ctl("unix:" + directory.path() + "/none.sock");
    const std::vector<std::vector<std::string>> commands{{"ps"},
                                                         {"stop", "x"},
                                                         {"kill", "x"},
                                                         {"signal", "TERM", "x"},
                                                         {"wait", "x"},
                                                         {"run", "--", "true"},
                                                         {"objects"},
                                                         {"show", "x"},
                                                         {"check"},
                                                         {"status"},
                                                         {"sessions"},
                                                         {"shutdown"},
                                                         {"erase", "x"},
                                                         {"dict", "get", "x", "y"},
                                                         {"list", "append", "x", "1"},
                                                         {"queue", "get", "x"},
                                                         {"lock", "status", "x"}};
    for (const auto& words : commands) {
        const auto outcome = ctl.run(words);
        INFO(words[0] << ": " << outcome.err);
        CHECK(outcome.code == 3);
        CHECK(outcome.says({"[unreachable]", "none.sock", "musterd"}));
        CHECK(outcome.out.empty());
    }
    CHECK(ctl("run", "--wait", "--", "true").code == 125);  // the code is the program's there
    CHECK(ctl("lock", "run", "x", "--", "true").code == 125);
    CHECK(ctl("version").code == 0);
    CHECK(ctl("--version").out == ctl("version").out);
}

TEST_CASE("an address that cannot be one is told in one line") {
    const auto scheme = Ctl("tcp:localhost")("ps");
    CHECK(scheme.code == 2);
    CHECK(scheme.says({"[invalid_argument]", "tcp", "unix:/PATH"}));
    const auto lengthy = Ctl("unix:/" + std::string(200, 'x'))("ps");
    CHECK(lengthy.code == 4);
    CHECK(lengthy.says({"[limit_exceeded]", "at most 107 bytes"}));
}

TEST_CASE("the address comes from --address, then MUSTER_ADDRESS, then XDG_RUNTIME_DIR") {
    Daemon daemon;
    const auto ctl = muster::test::program("musterctl");
    const std::string none = "MUSTER_ADDRESS=unix:/nonexistent/s";
    CHECK(outcome_of({ctl, "--address", daemon.address(), "ps"}, {none}).code == 0);
    CHECK(outcome_of({ctl, "ps"}, {"MUSTER_ADDRESS=" + daemon.address()}).code == 0);
    CHECK(outcome_of({ctl, "ps"}, {none}).code == 3);
    const muster::test::TempDirectory runtime;
    std::filesystem::create_directory(runtime.path() + "/muster");
    std::filesystem::create_symlink(daemon.address().substr(5), runtime.path() + "/muster/muster.sock");
    CHECK(outcome_of({ctl, "ps"}, {"MUSTER_ADDRESS=", "XDG_RUNTIME_DIR=" + runtime.path()}).code == 0);
}

TEST_CASE("another user is refused") {
    if (::geteuid() != 0) {
        muster::test::skip("needs root to become another user");
    }
    Daemon daemon;
    const auto refused =
        outcome_of({"/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                    muster::test::program("musterctl"), "--address", daemon.address(), "ps"});
    INFO(refused.err);
    CHECK(refused.code == 4);
    CHECK(refused.says({"[refused]"}));
}

TEST_CASE("a reader that has gone is no failure, a full disk is") {
    Daemon daemon;
    const auto ctl = "'" + muster::test::program("musterctl") + "' --address " + daemon.address();
    const auto gone =
        outcome_of({"/bin/bash", "-c", "set -o pipefail; (" + ctl + " status; echo $? >&2) | true"});
    CHECK(gone.err == "0\n");
    const auto full = outcome_of({"/bin/bash", "-c", ctl + " status >/dev/full"});
    CHECK(full.code == 4);
    CHECK(full.says({"[out_of_memory]", "stdout", "No space left"}));
}

TEST_CASE("sessions lists who is attached") {
    Daemon daemon;
    const Ctl ctl(daemon.address());
    CHECK(ctl("sessions", "--json").json() == json::array());
    CHECK_THAT(ctl("sessions").out, Catch::Contains("PID"));
}

TEST_CASE("a stopped service is told apart from none, and nobody waits for ever") {
    Daemon daemon;
    const Ctl ctl(daemon.address());
    const pid_t service = daemon.service();
    REQUIRE(service > 0);
    REQUIRE(::kill(service, SIGSTOP) == 0);
    const auto stopped = ctl("ps", "--timeout", "100ms");
    ::kill(service, SIGCONT);
    CHECK(stopped.code == 3);
    CHECK(stopped.says({"[unreachable]", "no answer within", "stopped or overloaded"}));
    CHECK(ctl("ps").code == 0);
}

TEST_CASE("a wait outlives the service") {
    Daemon daemon;
    const Ctl ctl(daemon.address());
    REQUIRE(ctl("run", "--name", "w", "--count", "2", "--", "sleep", "1000").code == 0);
    const json processes = ctl("ps", "--json").json();
    REQUIRE(processes.size() == 2);
    const auto first = "#" + processes[0]["id"].dump(), second = "#" + processes[1]["id"].dump();
    auto waiting = std::async(std::launch::async, [&] { return ctl("wait", first, second, "--json"); });
    for (int i = 0; i < 2; ++i) daemon.kill_service();
    CHECK(ctl("signal", "KILL", first, second).code == 0);
    const auto ended = waiting.get();
    INFO(ended.err);
    CHECK(ended.code == 0);
    const json records = ended.json();
    REQUIRE(records.size() == 2);
    for (const auto& process : records) CHECK(process["signal"] == SIGKILL);
}

TEST_CASE("shutdown stops the workers and ends the daemon") {
    Daemon daemon;
    const Ctl ctl(daemon.address());
    const json process = ctl("run", "--json", "--", "sleep", "1000").json()[0];
    CHECK(ctl("shutdown").code == 0);
    CHECK(muster::test::eventually([&] { return ::kill(process["pid"].get<pid_t>(), 0) == -1; }));
    CHECK(muster::test::eventually([&] { return ctl("ps").code == 3; }));
}

TEST_CASE("after musterctl shutdown a program's handles are closed") {
    Daemon daemon;
    const Ctl ctl(daemon.address());
    const auto manager = muster::Manager::connect(daemon.address());
    auto dict = manager.dict<std::string, int>("dict");
    dict.set("k", 1);
    CHECK(ctl("shutdown").code == 0);
    const auto closed = [&] {
        try {
            (void)dict.get("k");
        } catch (const muster::Error& error) {
            return error.errc() == muster::Errc::closed;
        }
        return false;
    };
    CHECK(muster::test::eventually(closed));
    CHECK_THROWS_AS(manager.queue("new"), muster::Error);
}

TEST_CASE("usage errors are one line and exit code 2, whatever the verb") {
    const Ctl ctl("unix:/nonexistent/s");
    const std::vector<std::vector<std::string>> wrong{{"frob"},
                                                      {"ps", "--bogus"},
                                                      {"dict"},
                                                      {"dict", "get"},
                                                      {"list", "get", "l", "x"},
                                                      {"stop"},
                                                      {"run"},
                                                      {"wait", "x", "--timeout", "soon"}};
    for (const auto& words : wrong) {
        const auto outcome = ctl.run(words);
        INFO(words[0] << ": " << outcome.err);
        CHECK(outcome.code == 2);
        CHECK(outcome.says({"--help"}));
    }
    CHECK(ctl("--help").code == 0);
    CHECK_THAT(ctl("queue", "get", "--help").out, Catch::Contains("musterctl queue get [OPTIONS] NAME"));
}
