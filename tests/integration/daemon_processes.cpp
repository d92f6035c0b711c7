// Spawn, list, signal, stop, wait, watch through the real socket.
#include <signal.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "support/contents.hpp"
#include "support/daemon_fixture.hpp"
#include "varlink_socket.hpp"

using namespace muster::test;
using nlohmann::json;

namespace {

const std::string processes = "io.muster.processes.";

json spawn(VarlinkSocket& client, json spec, int count = 1) {
    const json reply = client.call(processes + "Spawn", {{"spec", std::move(spec)}, {"count", count}});
    INFO(reply.dump());
    REQUIRE_FALSE(reply.contains("error"));
    return reply.at("parameters").at("processes");
}
json shell(const std::string& script, const std::string& name = "worker") {
    return {{"argv", {"/bin/sh", "-c", script}}, {"name", name}};
}
json call(VarlinkSocket& client, const std::string& method, const json& parameters) {
    const json reply = client.call(processes + method, parameters);
    INFO(reply.dump());
    REQUIRE_FALSE(reply.contains("error"));
    return reply.at("parameters").at("processes");
}
json failure(VarlinkSocket& client, const std::string& method, const json& parameters) {
    const json reply = client.call(processes + method, parameters);
    INFO(reply.dump());
    REQUIRE(reply.contains("error"));
    return reply;
}

struct Fixture {
    Daemon daemon;
    VarlinkSocket client{daemon.socket_path()};
};

}  // namespace

TEST_CASE_METHOD(Fixture, "the ways a process ends are told apart") {
    spawn(client, shell("exit 0", "well"));
    spawn(client, shell("exit 3", "three"));
    spawn(client, shell("kill -SEGV $$", "fault"));
    spawn(client, shell("exec sleep 1000", "victim"));
    call(client, "Kill", {{"select", "victim"}});
    for (const char* name : {"well", "three", "fault"}) call(client, "Wait", {{"select", name}});

    const json all = call(client, "List", {{"all", true}});
    REQUIRE(all.size() == 4);
    CHECK(all[0].at("exit_code") == 0);
    CHECK(all[0].at("signal").is_null());
    CHECK(all[1].at("exit_code") == 3);
    CHECK(all[2].at("exit_code").is_null());
    CHECK(all[2].at("signal") == SIGSEGV);
    CHECK(all[3].at("signal") == SIGKILL);
    for (const json& process : all) {
        CHECK(process.at("state") == "exited");
        CHECK(process.at("ppid") == daemon.keeper());
        CHECK(process.at("ended").get<double>() >= process.at("started").get<double>());
    }
    CHECK(call(client, "List", json::object()).empty());
}

TEST_CASE_METHOD(Fixture, "a failed start names its step, and several start all or none") {
    const json missing = failure(client, "Spawn", {{"spec", {{"argv", {"/no/such/program"}}}}, {"count", 3}});
    CHECK(missing.at("error") == processes + "StartFailed");
    CHECK(missing.at("parameters").at("step") == "exec");
    CHECK(missing.at("parameters").at("subject") == "/no/such/program");
    CHECK(missing.at("parameters").at("errno") == ENOENT);
    const json directory =
        failure(client, "Spawn", {{"spec", {{"argv", {"/bin/true"}}, {"directory", "/no/such/directory"}}}});
    CHECK(directory.at("parameters").at("step") == "chdir");
    CHECK(directory.at("parameters").at("subject") == "/no/such/directory");
    const json failed = call(client, "List", {{"all", true}});
    REQUIRE(failed.size() == 2);
    CHECK(failed[0].at("state") == "failed");
    CHECK(failed[0].at("failure") == "exec '/no/such/program': No such file or directory");
    CHECK(children_of(daemon.keeper()) == std::vector<pid_t>{daemon.service()});
}

TEST_CASE_METHOD(Fixture, "a worker has its own argv, environment, directory and outputs") {
    const std::string out = daemon.directory() / "out";
    json spec = {{"argv", {"/bin/sh", "-c", R"(echo "$0 $MINE $MUSTER_ADDRESS $(pwd) ${OURS-unset}"; echo oops >&2)", "me"}},
                 {"name", "talker"},
                 {"environment", {"MINE=1=2"}},
                 {"directory", "/usr"},
                 {"stdout", {{"kind", "file"}, {"path", out}}}};
    ::setenv("OURS", "leaked", 1);
    spawn(client, spec);
    call(client, "Wait", {{"select", "talker"}});
    CHECK(contents(out) == "me 1=2 " + daemon.address() + " /usr unset\n");
    CHECK(eventually([&] { return daemon.log().find("]: oops\n") != std::string::npos; }));
    CHECK(daemon.log().find("talker[") != std::string::npos);
}

TEST_CASE_METHOD(Fixture, "stop takes the whole tree, first politely") {
    const std::string marks = daemon.directory() / "marks";
    // The shell ends at once, its child takes a moment to tidy up, its grandchild refuses.
    const std::string script = "(trap 'sleep 0.2; echo tidy >> " + marks + "; exit' TERM; " +
                               "(trap '' TERM; echo up >> " + marks + "; while :; do sleep 0.05; done) & " +
                               "while :; do sleep 0.05; done) & exec sleep 1000";
    const json process = spawn(client, shell(script))[0];
    REQUIRE(eventually([&] { return contents(marks) == "up\n"; }));
    const auto tree = children_of(process.at("pid").get<pid_t>());
    REQUIRE(tree.size() == 1);
    const auto below = children_of(tree[0]);
    const json stopped = call(client, "Stop", {{"select", "worker"}, {"grace", 1.0}});
    CHECK(stopped[0].at("signal") == SIGTERM);
    CHECK(contents(marks) == "up\ntidy\n");
    for (const pid_t pid : tree) CHECK(process_state(pid) == '\0');
    for (const pid_t pid : below) CHECK(process_state(pid) == '\0');
}

TEST_CASE_METHOD(Fixture, "a process that ignores the stop signal is killed after the grace period") {
    spawn(client, shell("trap '' TERM; echo ready; while :; do sleep 0.05; done"));
    REQUIRE(eventually([&] { return daemon.log().find("]: ready") != std::string::npos; }));
    const json stopped = call(client, "Stop", {{"select", "worker"}, {"grace", 0.2}});
    CHECK(stopped[0].at("signal") == SIGKILL);
    CHECK(stopped[0].at("state") == "exited");
}

TEST_CASE_METHOD(Fixture, "a signal goes to the process selected, by name, id or pid") {
    const json process = spawn(client, shell("trap 'exit 42' USR1; echo ready; while :; do sleep 0.02; done"))[0];
    REQUIRE(eventually([&] { return daemon.log().find("]: ready") != std::string::npos; }));
    call(client, "Signal", {{"select", "#" + std::to_string(process.at("id").get<int>())}, {"signal", 0}});
    call(client, "Signal", {{"select", std::to_string(process.at("pid").get<int>())}, {"signal", SIGUSR1}});
    CHECK(call(client, "Wait", {{"select", "worker"}})[0].at("exit_code") == 42);
    CHECK(failure(client, "Signal", {{"select", "worker"}, {"signal", SIGUSR1}}).at("error") ==
          processes + "NoSuchProcess");
    CHECK(failure(client, "Signal", {{"select", "worker"}, {"signal", 99}}).at("parameters").at("parameter") == "signal");
}

TEST_CASE_METHOD(Fixture, "wait ends at its timeout with an error that says who still runs") {
    spawn(client, shell("exec sleep 1000"), 2);
    const json late = failure(client, "Wait", {{"select", "worker-1"}, {"timeout", 0.05}});
    CHECK(late.at("error") == processes + "WaitTimeout");
    CHECK(late.at("parameters").at("processes").at(0).at("state") == "running");
    CHECK(failure(client, "Wait", {{"select", "nobody"}}).at("error") == processes + "NoSuchProcess");
}

TEST_CASE_METHOD(Fixture, "watch shows the present, then every change") {
    spawn(client, shell("exec sleep 1000", "old"));
    VarlinkSocket watcher(daemon.socket_path());
    watcher.send_call(processes + "Watch", json::object(), {{"more", true}});
    json reply = watcher.receive().value();
    CHECK(reply.at("continues") == true);
    CHECK(reply.at("parameters").at("processes").at(0).at("name") == "old");
    spawn(client, shell("exit 5", "new"));
    for (const char* state : {"running", "exited"}) {
        reply = watcher.receive().value();
        CHECK(reply.at("continues") == true);
        CHECK(reply.at("parameters").at("processes").at(0).at("name") == "new");
        CHECK(reply.at("parameters").at("processes").at(0).at("state") == state);
    }
    CHECK(reply.at("parameters").at("processes").at(0).at("exit_code") == 5);
}

TEST_CASE_METHOD(Fixture, "what a spec may not hold is refused by name") {
    const auto wrong = [&](json parameters) {
        return failure(client, "Spawn", parameters).at("parameters").value("parameter", std::string("?"));
    };
    CHECK(wrong({{"spec", {{"argv", json::array()}}}}) == "spec.argv");
    CHECK(wrong({{"spec", {{"argv", {""}}}}}) == "spec.argv");
    CHECK(wrong({{"spec", {{"argv", {"a", std::string("b\0c", 3)}}}}}) == "spec.argv[1]");
    CHECK(wrong({{"spec", {{"argv", {"true"}}, {"name", "12"}}}}) == "spec.name");
    CHECK(wrong({{"spec", {{"argv", {"true"}}, {"directory", "here"}}}}) == "spec.directory");
    CHECK(wrong({{"spec", {{"argv", {"true"}}, {"environment", {"=x"}}}}}) == "spec.environment[0]");
    CHECK(wrong({{"spec", {{"argv", {"true"}}, {"stdout", {{"kind", "file"}}}}}}) == "spec.stdout.path");
    CHECK(wrong({{"spec", {{"argv", {"true"}}, {"stdout", {{"kind", "tape"}}}}}}) == "spec.stdout.kind");
    CHECK(wrong({{"spec", {{"argv", {"true"}}, {"stop_signal", 0}}}}) == "spec.stop_signal");
    CHECK(wrong({{"spec", {{"argv", {"true"}}, {"grace", -1}}}}) == "spec.grace");
    CHECK(wrong({{"spec", {{"argv", {"true"}}, {"grcae", 1}}}}) == "spec.grcae");
    CHECK(wrong({{"spec", {{"argv", {"true"}}}}, {"count", 0}}) == "count");
    CHECK(wrong({{"spec", {{"argv", {"true"}}}}, {"count", 1001}}) == "count");
    CHECK(call(client, "List", {{"all", true}}).empty());
}

TEST_CASE_METHOD(Fixture, "a thousand short workers and a hundred double-forked grandchildren leave no zombie") {
    const auto resident_kib = [&] {
        long sum = 0;
        for (const pid_t pid : {daemon.keeper(), daemon.service()}) {
            std::ifstream status("/proc/" + std::to_string(pid) + "/status");
            for (std::string line; std::getline(status, line);)
                if (line.starts_with("VmRSS:")) sum += std::stol(line.substr(6));
        }
        return sum;
    };
    const long before = resident_kib();
    for (int round = 0; round < 20; ++round) {
        const json started = spawn(client, {{"argv", {"/bin/true"}}, {"name", "short"}}, 50);
        CHECK(started.size() == 50);
    }
    spawn(client, {{"argv", {"/bin/sh", "-c", "(sleep 0.05 & exit) & wait"}}, {"name", "double"}}, 100);
    CHECK(eventually([&] {
        return call(client, "List", json::object()).empty() &&
               children_of(daemon.keeper()) == std::vector<pid_t>{daemon.service()};
    }));
    CHECK(call(client, "List", {{"all", true}}).size() == 256);  // the history's limit
    muster::test::check_resident(resident_kib(), before + 6 * 1024);
}

TEST_CASE("stopping the daemon stops every worker") {
    json process;
    {
        Daemon daemon;
        VarlinkSocket client(daemon.socket_path());
        process = spawn(client, shell("trap '' HUP; exec sleep 1000"))[0];
        CHECK(daemon.stop() == 0);
    }
    CHECK(process_state(process.at("pid").get<pid_t>()) == '\0');
}

TEST_CASE("Shutdown is as SIGTERM") {
    Daemon daemon;
    VarlinkSocket client(daemon.socket_path());
    CHECK(client.call("io.muster.service.Shutdown").contains("parameters"));
    CHECK(eventually([&] { return process_state(daemon.keeper()) == 'Z'; }));
    CHECK(daemon.stop() == 0);
}
