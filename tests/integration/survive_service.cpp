// The service is killed, or stopped, or the whole daemon is: what is in shared memory goes on.
#include <catch2/catch.hpp>
#include <csignal>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>

#include <muster/ipc.hpp>

#include "support/child.hpp"
#include "support/daemon_fixture.hpp"

using namespace muster;
using namespace std::chrono_literals;
using nlohmann::json;
using test::Child;
using test::Daemon;

namespace {

using Processes = std::map<std::string, json>;

Processes listed(const Daemon& daemon) {
    const test::Ran ran = daemon.ctl({"ps", "--all", "--json"});
    Processes found;
    if (ran.status != 0) return found;
    for (const json& process : json::parse(ran.out)) found[process.at("name")] = process;
    return found;
}

}  // namespace

TEST_CASE("workers on shared objects do not notice that the service is killed") {
    Daemon daemon;
    const auto manager = Manager::connect(daemon.address());
    auto totals = manager.dict<std::string, int>("totals");
    auto orders = manager.dict<std::string, std::string>("orders");
    for (int i = 0; i < 4; ++i) {
        const std::string name = "w" + std::to_string(i);
        const auto ran = daemon.ctl({"run", "--name", name, "--", test::program("test-program-hammer"), name, std::to_string(40 + i)});
        INFO(ran.err);
        REQUIRE(ran.status == 0);
    }
    const auto all_at_work = [&] {
        for (int i = 0; i < 4; ++i)
            if (totals.get("w" + std::to_string(i)).value_or(0) < 10) return false;
        return true;
    };
    REQUIRE(test::eventually(all_at_work));
    const Processes before = listed(daemon);
    REQUIRE(before.size() == 4);
    for (int round = 0; round < 3; ++round) {
        const pid_t old = daemon.service();
        ::kill(old, SIGKILL);
        if (round == 0) orders.set("end w0", "");  // ends while there is no service, or nearly so
        const int sum = totals.at("sum");
        REQUIRE(test::eventually([&] { return totals.at("sum") > sum + 100; }));
        REQUIRE(test::eventually([&] { return daemon.service() != old; }));
        const Processes now = listed(daemon);
        REQUIRE(now.size() == 4);
        for (const auto& [name, process] : now) REQUIRE(process.at("pid") == before.at(name).at("pid"));
    }
    REQUIRE(test::eventually([&] { return listed(daemon).at("w0").at("state") == "exited"; }));
    REQUIRE(listed(daemon).at("w0").at("exit_code") == 40);
    orders.set("end", "");
    REQUIRE(test::eventually([&] {
        for (const auto& [name, process] : listed(daemon))
            if (process.at("state") != "exited") return false;
        return true;
    }));
    for (int i = 0; i < 4; ++i) REQUIRE(listed(daemon).at("w" + std::to_string(i)).at("exit_code") == 40 + i);
    REQUIRE(totals.at("guarded") == totals.at("sum"));  // the lock excluded, and update() lost nothing
    const auto check = daemon.ctl({"check"});
    INFO(check.out);
    REQUIRE(check.status == 0);
}

TEST_CASE("a killed worker's lock and half-made changes are taken over, with the service there or not") {
    Daemon daemon;
    const auto manager = Manager::connect(daemon.address());
    auto ledger = manager.lock("ledger");
    auto dict = manager.dict<int, std::string>("dict");
    const std::string mode = GENERATE("running", "stopped", "dead");
    INFO("the service is " << mode);
    const pid_t service = daemon.service();
    if (mode == "stopped") ::kill(service, SIGSTOP);
    if (mode == "dead") {
        daemon.kill();  // the keeper, and the service goes with it
        REQUIRE(test::eventually([&] { return ::kill(service, 0) != 0 || test::process_state(service) == 'Z'; }));
    }
    for (int round = 0; round < 10; ++round) {
        const test::Shared<std::atomic<int>> holds;
        Child holder([&] {
            const std::scoped_lock hold(ledger);
            for (int i = 1;; ++i) {  // in and out of the dict's transactions while it holds the lock
                dict.set(i % 20, std::string(static_cast<std::size_t>(i % 3 * 60), 'x'));
                holds->store(i);
            }
            return 0;
        });
        REQUIRE(test::eventually([&] { return holds->load() > 30 + round; }));
        REQUIRE(!ledger.try_lock());
        holder.kill(SIGKILL);
        REQUIRE(ledger.try_lock_for(5s));
        REQUIRE(ledger.previous_owner_died());
        ledger.unlock();
        dict.set(100, "next");
        for (const auto& [key, value] : dict.items()) REQUIRE((key == 100 ? value == "next" : value.size() % 60 == 0));
        holder.join();
    }
    if (mode == "stopped") ::kill(service, SIGCONT);
    if (mode != "dead") REQUIRE(daemon.ctl({"check"}).out.find("\n0 violations") != std::string::npos);
}

TEST_CASE("what a dead client held is freed, and its session's slot used again") {
    Daemon daemon;
    const auto manager = Manager::connect(daemon.address());
    const auto status = [&] { return json::parse(daemon.ctl({"status", "--json"}).out); };
    const int objects = status().at("objects");
    for (int round = 0; round < 5; ++round) {
        const test::Shared<std::atomic<int>> made;
        Child client([&] {
            const auto own = Manager::connect(daemon.address());
            auto list = own.list<int>();
            auto dict = own.dict<std::string, int>();
            dict.set("a", 1);
            made->store(1);
            for (;;) ::pause();
            return 0;
        });
        REQUIRE(test::eventually([&] { return made->load() == 1; }));
        REQUIRE(status().at("objects") == objects + 2);
        client.kill(SIGKILL);
        client.join();
        REQUIRE(test::eventually([&] { return status().at("objects") == objects; }));
    }
    REQUIRE(test::eventually([&] { return status().at("sessions") <= 1; }));
}
