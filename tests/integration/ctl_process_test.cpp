// musterctl's verbs for processes, against a real daemon.
#include <catch2/catch.hpp>

#include <signal.h>
#include <unistd.h>

#include <map>
#include <set>
#include <sstream>

#include "ctl_program.hpp"
#include "support/contents.hpp"

using muster::test::Ctl;
using muster::test::contents;
using muster::test::Daemon;
using nlohmann::json;

namespace {

json only(const json& processes) {
    REQUIRE(processes.size() == 1);
    return processes[0];
}

}  // namespace

TEST_CASE("run starts a program, ps shows it, stop ends it") {
    Daemon daemon;
    const Ctl ctl(daemon.address());
    const auto started = ctl("run", "--name", "sleeper", "--json", "--", "sleep", "1000");
    INFO(started.err);
    REQUIRE(started.code == 0);
    const json process = only(started.json());
    CHECK(process["name"] == "sleeper");
    const auto pid = process["pid"].get<pid_t>();
    CHECK(::kill(pid, 0) == 0);

    const json listed = only(ctl("ps", "--json").json());
    CHECK(listed["pid"] == pid);
    CHECK(listed["ppid"] == ctl("status", "--json").json()["keeper_pid"]);
    CHECK(listed["state"] == "running");
    CHECK(listed["argv"] == json({"sleep", "1000"}));
    for (const char* none : {"exit_code", "signal", "ended"}) CHECK(listed.at(none).is_null());
    CHECK(listed["started"].get<double>() > 1e9);
    CHECK_THAT(ctl("ps").out,
               Catch::Contains("sleeper") && Catch::Contains("running") && Catch::Contains("sleep 1000"));

    const auto stopped = ctl("stop", "sleeper", "--json");
    REQUIRE(stopped.code == 0);
    CHECK(only(stopped.json())["signal"] == SIGTERM);
    CHECK(::kill(pid, 0) == -1);
    CHECK(ctl("ps", "--json").json().empty());
    const json ended = only(ctl("ps", "--all", "--json").json());
    CHECK(ended["state"] == "exited");
    CHECK(ended["signal"] == SIGTERM);
    CHECK(ended["exit_code"].is_null());
    CHECK(ended["ended"].get<double>() >= ended["started"].get<double>());
}

TEST_CASE("run --wait gives the program's code, and that of the signal that ended it") {
    Daemon daemon;
    const Ctl ctl(daemon.address());
    CHECK(ctl("run", "--wait", "--", "true").code == 0);
    CHECK(ctl("run", "--wait", "--", "sh", "-c", "exit 3").code == 3);
    CHECK(ctl("run", "-w", "--", "sh", "-c", "kill -9 $$").code == 128 + SIGKILL);
    CHECK(ctl("run", "--wait", "--count", "3", "--", "sh", "-c", "exit 7").code == 7);
    const json all = ctl("ps", "--all", "--json").json();
    std::multiset<std::string> endings;
    for (const auto& process : all)
        endings.insert(process["signal"].is_null() ? "exit " + process["exit_code"].dump()
                                                   : "signal " + process["signal"].dump());
    CHECK(endings ==
          std::multiset<std::string>{"exit 0", "exit 3", "signal 9", "exit 7", "exit 7", "exit 7"});
}

TEST_CASE("run --wait tells apart what could not be run") {
    Daemon daemon;
    const Ctl ctl(daemon.address());
    const auto late = ctl("run", "--wait", "--timeout", "100ms", "--name", "late", "--", "sleep", "1000");
    CHECK(late.code == 124);
    CHECK(late.says({"[timeout]", "still running"}));
    CHECK(ctl("ps", "late", "--json").json().size() == 1);  // it goes on
    CHECK(ctl("kill", "late").code == 0);

    const auto missing = ctl("run", "--wait", "--", "/no/such/program");
    CHECK(missing.code == 127);
    CHECK(missing.says({"[start_failed]", "exec", "/no/such/program", "No such file"}));
    CHECK(ctl("run", "--wait", "--", "/etc/passwd").code == 126);
    const auto nowhere = ctl("run", "--wait", "--dir", "/no/such/folder", "--", "true");
    CHECK(nowhere.code == 125);
    CHECK(nowhere.says({"[start_failed]", "chdir", "/no/such/folder"}));
}

TEST_CASE("run without --wait fails with the step that failed, and starts nothing") {
    Daemon daemon;
    const Ctl ctl(daemon.address());
    const auto missing = ctl("run", "--", "no-such-program-anywhere");
    CHECK(missing.code == 4);
    CHECK(missing.says({"[start_failed]", "exec", "no-such-program-anywhere"}));
    const auto nowhere = ctl("run", "-d", "/no/such/folder", "--", "true");
    CHECK(nowhere.code == 4);
    CHECK(nowhere.says({"[start_failed]", "chdir", "/no/such/folder", "No such file or directory"}));
    CHECK(ctl("ps", "--json").json().empty());
    CHECK(ctl("run", "-e", "=x", "--", "true").code == 2);
    CHECK(ctl("run", "--stop-signal", "FOO", "--", "true").code == 2);
}

TEST_CASE("a program runs in the caller's directory, with a clean environment and the words it was given") {
    Daemon daemon;
    const Ctl ctl(daemon.address());
    const auto directory = daemon.directory().path();
    const auto file = directory + "/out";
    const auto script =
        "pwd; echo \"$A|$B|${MUSTER_BIN-clean}|$MUSTER_ADDRESS\"; printf '<%s>' \"$@\"; echo oops >&2";
    const auto ran =
        ctl("run", "--wait", "--dir", directory, "--stdout", file, "--stderr", directory + "/err", "-e",
            "A=[1,2]", "-e", "B=x y", "--", "sh", "-c", script, "sh", "[a,b]", "", "--json", "--");
    INFO(ran.err);
    REQUIRE(ran.code == 0);
    CHECK(contents(file) == directory + "\n[1,2]|x y|clean|" + daemon.address() + "\n<[a,b]><><--json><-->");
    CHECK(contents(directory + "/err") == "oops\n");

    char here[4096];
    REQUIRE(::getcwd(here, sizeof here) != nullptr);
    REQUIRE(ctl("run", "--wait", "--stdout", directory + "/cwd", "--", "pwd").code == 0);
    CHECK(contents(directory + "/cwd") == std::string(here) + "\n");
}

TEST_CASE("stop kills what does not heed its signal, after the grace period, with its whole tree") {
    Daemon daemon;
    const Ctl ctl(daemon.address());
    const auto file = daemon.directory().path() + "/pids";
    const auto script = "trap '' TERM; sleep 1000 & echo $$ $! >" + file + "; wait; sleep 1000";
    REQUIRE(ctl("run", "--name", "deaf", "--", "sh", "-c", script).code == 0);
    muster::test::eventually([&] { return !contents(file).empty(); });
    pid_t shell = 0, child = 0;
    std::istringstream(contents(file)) >> shell >> child;
    const auto stopped = ctl("stop", "deaf", "--grace", "100ms", "--json");
    CHECK(stopped.code == 0);
    CHECK(only(stopped.json())["signal"] == SIGKILL);
    CHECK(muster::test::eventually([&] { return ::kill(child, 0) == -1; }));
}

TEST_CASE("the stop signal is the one that run was told") {
    Daemon daemon;
    const Ctl ctl(daemon.address());
    REQUIRE(ctl("run", "-n", "a", "--stop-signal", "INT", "--", "sleep", "1000").code == 0);
    REQUIRE(ctl("run", "-n", "b", "--", "sleep", "1000").code == 0);
    const auto stopped = ctl("stop", "--all", "--json");
    REQUIRE(stopped.code == 0);
    std::map<std::string, int> signals;
    for (const auto& process : stopped.json()) signals[process["name"]] = process["signal"].get<int>();
    CHECK(signals == std::map<std::string, int>{{"a", SIGINT}, {"b", SIGTERM}});
    CHECK(ctl("stop", "--all").code == 0);  // nobody left is no failure
}

TEST_CASE("signal, wait and kill") {
    Daemon daemon;
    const Ctl ctl(daemon.address());
    const auto file = daemon.directory().path() + "/got";
    const auto script = "trap 'echo usr1 >" + file + "; exit 5' USR1; echo ready >" + file +
                        ".ready; while :; do sleep 0.01; done";
    const auto started = ctl("run", "--name", "w", "--json", "--", "sh", "-c", script);
    const auto id = "#" + only(started.json())["id"].dump();
    const auto pid = only(started.json())["pid"].dump();
    REQUIRE(muster::test::eventually([&] { return !contents(file + ".ready").empty(); }));

    const auto waited = ctl("wait", id, "--timeout", "50ms");
    CHECK(waited.code == 1);
    CHECK(waited.says({"[timeout]"}));
    CHECK(ctl("signal", "USR1", pid).code == 0);
    const auto ended = ctl("wait", "w", "--json");
    CHECK(ended.code == 0);
    CHECK(only(ended.json())["exit_code"] == 5);
    CHECK(contents(file) == "usr1\n");

    REQUIRE(ctl("run", "--name", "k", "--", "sleep", "1000").code == 0);
    const auto killed = ctl("kill", "k", "--json");
    CHECK(killed.code == 0);
    CHECK(only(killed.json())["signal"] == SIGKILL);
    CHECK(ctl("signal", "NOSUCH", "k").code == 2);
}

TEST_CASE("a process that is not there is named, and the others are served") {
    Daemon daemon;
    const Ctl ctl(daemon.address());
    for (const char* verb : {"stop", "kill", "wait"}) {
        const auto failed = ctl(verb, "ghost");
        CHECK(failed.code == 4);
        CHECK(failed.says({"[no_such_process]", "'ghost'"}));
        CHECK(failed.out.empty());
    }
    REQUIRE(ctl("run", "--name", "real", "--", "sleep", "1000").code == 0);
    const auto mixed = ctl("kill", "ghost", "real", "--json");
    CHECK(mixed.code == 4);
    CHECK(only(mixed.json())["name"] == "real");
}

TEST_CASE("run --count starts so many, each with a name of its own; stop --all ends them") {
    Daemon daemon;
    const Ctl ctl(daemon.address());
    const json started = ctl("run", "--name", "w", "--count", "50", "--json", "--", "sleep", "1000").json();
    std::set<std::string> names;
    std::set<pid_t> pids;
    for (const auto& process : started) {
        names.insert(process["name"].get<std::string>());
        pids.insert(process["pid"].get<pid_t>());
    }
    CHECK(pids.size() == 50);
    CHECK(names.size() == 50);
    const json stopped = ctl("stop", "--all", "--json").json();
    CHECK(stopped.size() == 50);
    for (const auto& process : stopped) CHECK(process["signal"] == SIGTERM);
}

TEST_CASE("the name given to run --count selects every one of them") {
    Daemon daemon;
    const Ctl ctl(daemon.address());
    REQUIRE(ctl("run", "--name", "many", "--count", "3", "--", "sleep", "1000").code == 0);
    REQUIRE(ctl("run", "--name", "many-more", "--", "sleep", "1000").code == 0);
    CHECK(ctl("ps", "many", "--json").json().size() == 3);
    CHECK(only(ctl("stop", "many-2", "--json").json())["name"] == "many-2");
    daemon.kill_service();  // the next one knows who belongs together
    CHECK(ctl("ps", "many", "--json").json().size() == 2);
    const json stopped = ctl("stop", "many", "--json").json();
    CHECK(stopped.size() == 2);
    for (const auto& process : stopped) CHECK(process["signal"] == SIGTERM);
    CHECK(ctl("wait", "many", "--json").json().size() == 3);
    CHECK(only(ctl("ps", "--json").json())["name"] == "many-more");
}
