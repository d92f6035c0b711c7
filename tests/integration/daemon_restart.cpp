// kill -9 of the service: nothing that matters is lost.
#include <signal.h>

#include <catch2/catch.hpp>
#include <map>

#include "support/daemon_fixture.hpp"
#include "varlink_socket.hpp"

using namespace muster::test;
using nlohmann::json;

namespace {

json list(const Daemon& daemon) {
    return VarlinkSocket(daemon.socket_path())
        .call("io.muster.processes.List", {{"all", true}})
        .at("parameters")
        .at("processes");
}

}  // namespace

TEST_CASE("the next service knows the same workers, and how those ended that ended in between") {
    Daemon daemon;
    {
        VarlinkSocket client(daemon.socket_path());
        const auto spawn = [&](const char* name, const std::string& script, int count = 1) {
            const json reply = client.call("io.muster.processes.Spawn",
                                           {{"spec", {{"argv", {"/bin/sh", "-c", script}}, {"name", name}}}, {"count", count}});
            REQUIRE(reply.contains("parameters"));
        };
        spawn("steady", "exec sleep 1000", 4);
        spawn("early", "exit 7");
        client.call("io.muster.processes.Wait", {{"select", "early"}});
        spawn("between", "trap 'exit 9' USR1; echo up; while :; do sleep 0.01; done");
        REQUIRE(eventually([&] { return daemon.log().find("]: up") != std::string::npos; }));
    }
    std::map<std::string, json> before;
    for (const json& process : list(daemon)) before[process.at("name")] = process;
    REQUIRE(before.size() == 6);

    const pid_t service = daemon.service();
    ::kill(service, SIGSTOP);  // dead to the world, then dead: what happens now it cannot see
    ::kill(before["between"].at("pid").get<pid_t>(), SIGUSR1);
    ::kill(before["steady-1"].at("pid").get<pid_t>(), SIGKILL);
    REQUIRE(eventually([&] {
        return process_state(before["between"].at("pid").get<pid_t>()) == '\0' &&
               process_state(before["steady-1"].at("pid").get<pid_t>()) == '\0';
    }));
    const auto killed = std::chrono::steady_clock::now();
    daemon.kill_service();

    std::map<std::string, json> after;
    for (const json& process : list(daemon)) after[process.at("name")] = process;
    CHECK(std::chrono::steady_clock::now() - killed < std::chrono::seconds(2));
    REQUIRE(after.size() == 6);
    for (const auto& [name, process] : after) {
        CHECK(process.at("id") == before[name].at("id"));
        CHECK(process.at("pid") == before[name].at("pid"));
        CHECK(process.at("started") == before[name].at("started"));
        CHECK(process.at("argv") == before[name].at("argv"));
        CHECK(process.at("uid") == before[name].at("uid"));
    }
    CHECK(after["early"] == before["early"]);
    CHECK(after["between"].at("exit_code") == 9);
    CHECK(after["steady-1"].at("signal") == SIGKILL);
    for (const char* name : {"steady-2", "steady-3", "steady-4"}) CHECK(after[name].at("state") == "running");

    VarlinkSocket client(daemon.socket_path());
    const json stopped = client.call("io.muster.processes.Stop", {{"select", "steady-2"}});
    CHECK(stopped.at("parameters").at("processes").at(0).at("signal") == SIGTERM);
    CHECK(client.call("io.muster.service.Status").at("parameters").at("service_starts") == 2);
}

TEST_CASE("a stop that was in progress goes on in the next service") {
    Daemon daemon;
    VarlinkSocket client(daemon.socket_path());
    client.call("io.muster.processes.Spawn",
                {{"spec", {{"argv", {"/bin/sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.01; done"}}, {"name", "mule"}}}});
    REQUIRE(eventually([&] { return daemon.log().find("]: up") != std::string::npos; }));
    client.send_call("io.muster.processes.Stop", {{"select", "mule"}, {"grace", 1.0}});
    REQUIRE(eventually([&] { return list(daemon).at(0).at("state") == "stopping"; }));
    daemon.kill_service();
    CHECK_FALSE(client.receive());  // the old connection is gone with its service
    CHECK(eventually([&] { return list(daemon).at(0).at("state") == "exited"; }));
    CHECK(list(daemon).at(0).at("signal") == SIGKILL);
}

TEST_CASE("the realm's memory is the same after the service was killed") {
    Daemon daemon;
    const auto instance = [&] {
        return VarlinkSocket(daemon.socket_path()).call("io.muster.service.Attach").at("parameters").at("instance");
    };
    const json before = instance();
    for (int i = 0; i < 3; ++i) {
        daemon.kill_service();
        CHECK(instance() == before);
    }
}

TEST_CASE("what workers write while the service is away is in the log afterwards") {
    Daemon daemon;
    VarlinkSocket client(daemon.socket_path());
    client.call("io.muster.processes.Spawn",
                {{"spec", {{"argv", {"/bin/sh", "-c", "trap 'echo told' USR1; echo up; while :; do sleep 0.01; done"}}, {"name", "w"}}}});
    REQUIRE(eventually([&] { return daemon.log().find("]: up") != std::string::npos; }));
    const pid_t worker = list(daemon).at(0).at("pid");
    ::kill(daemon.service(), SIGSTOP);
    ::kill(worker, SIGUSR1);
    daemon.kill_service();
    CHECK(eventually([&] { return daemon.log().find("w[" + std::to_string(worker) + "]: told") != std::string::npos; }));
}
