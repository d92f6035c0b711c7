// Many connections, silent ones, storms of them, and clients that die while they wait.
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/base.hpp"
#include "hostile/hostile.hpp"

using namespace muster::test;
using muster::base::UniqueFd;
using Catch::Matchers::Contains;

namespace {

const std::string info = message("org.varlink.service.GetInfo");

std::vector<UniqueFd> connect_many(const std::string& path, int count) {
    std::vector<UniqueFd> result;
    for (int i = 0; i < count; ++i) {
        result.emplace_back(connect_to(path));
        REQUIRE(result.back());
    }
    return result;
}

// For tests with a thousand descriptors of their own.
struct ManyDescriptors {
    ManyDescriptors() {
        ::getrlimit(RLIMIT_NOFILE, &before);
        rlimit wide = before;
        wide.rlim_cur = std::min<rlim_t>(before.rlim_max, 8192);
        ::setrlimit(RLIMIT_NOFILE, &wide);
    }
    ~ManyDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before); }
    rlimit before{};
};

}  // namespace

TEST_CASE("a thousand idle connections cost their descriptors and little memory, and are given back") {
    const ManyDescriptors wide;
    Target target;
    const auto before = target.descriptors();
    const long memory = target.private_kib();
    {
        const auto idle = connect_many(target.path(), 1000);
        CHECK(eventually([&] { return target.descriptors() >= before + 1000; }));
        target.check_served();
        check_resident(target.private_kib(), memory + 16 * 1024);
        CHECK(send_all(idle[999].get(), info));  // every one of them is served
        pollfd ready{idle[999].get(), POLLIN, 0};
        CHECK(::poll(&ready, 1, 30'000) == 1);
    }
    CHECK(eventually([&] { return target.descriptors() <= before; }));
}

TEST_CASE("one connection over the limit gets one answer that names the limit and its key") {
    Target target("[limits]\nconnections_per_uid = 20\n");
    std::vector<UniqueFd> idle = connect_many(target.path(), 19);  // and the witness
    std::vector<UniqueFd> over = connect_many(target.path(), 150);  // more than are waited for
    for (const UniqueFd& each : over) {
        send_all(each.get(), info);  // some are answered before they ask
        const std::string reply = read_to_end(each.get());
        REQUIRE_THAT(reply, Contains("io.muster.service.LimitExceeded") && Contains("\"limit\":20") &&
                                Contains("\"key\":\"limits.connections_per_uid\""));
        REQUIRE(std::count(reply.begin(), reply.end(), '\0') == 1);
    }
    over.clear();
    CHECK(target.witness().call("org.varlink.service.GetInfo").contains("parameters"));
    idle.clear();  // and there is room again
    CHECK(eventually([&] {
        const UniqueFd again(connect_to(target.path()));
        send_all(again.get(), info);
        ::shutdown(again.get(), SHUT_WR);
        return read_to_end(again.get()).find("musterd") != std::string::npos;
    }));
    Target total("[limits]\nconnections = 5\n");
    const auto all = connect_many(total.path(), 4);
    const UniqueFd sixth(connect_to(total.path()));
    send_all(sixth.get(), info);
    CHECK_THAT(read_to_end(sixth.get()), Contains("\"key\":\"limits.connections\""));
}

TEST_CASE("a storm of connections that come and go leaves nothing") {
    Target target;
    const auto before = target.descriptors();
    Child storm([&] {
        for (int i = 0; i < 3000; ++i) {
            const UniqueFd fd(connect_to(target.path()));
            if (!fd) return 1;
            if (i % 3 == 0) send_all(fd.get(), info);
            if (i % 3 == 1) send_all(fd.get(), info.substr(0, 10));
        }
        return 0;
    });
    for (int i = 0; i < 20; ++i) target.check_served();
    CHECK(storm.join() == 0);
    CHECK(eventually([&] { return target.descriptors() <= before; }));
    target.check_served();
}

TEST_CASE("clients that die while they wait are waited for by nobody") {
    Target target;
    const json spec = {{"argv", {"sleep", "1000"}}, {"name", "w"}};
    REQUIRE(target.witness().call("io.muster.processes.Spawn", {{"spec", spec}, {"count", 5}}).contains("parameters"));
    const auto before = target.descriptors();
    std::vector<std::unique_ptr<Child>> clients;
    for (int i = 0; i < 4; ++i)
        clients.push_back(std::make_unique<Child>([&]() -> int {
            std::vector<int> all;
            for (int k = 0; k < 50; ++k) {
                all.push_back(connect_to(target.path()));
                const json select{{"select", k % 2 ? "w" : "w-1"}};
                send_all(all.back(), k % 5 == 0 ? message("io.muster.processes.Watch", json::object(), {{"more", true}})
                                                : message("io.muster.processes.Wait", select));
            }
            for (;;) ::pause();
        }));
    CHECK(eventually([&] { return target.descriptors() >= before + 200; }));
    for (const auto& client : clients) client->kill(SIGKILL);
    CHECK(eventually([&] { return target.descriptors() <= before; }));
    CHECK(target.witness().call("io.muster.processes.Kill", {{"select", "w"}}).at("parameters").at("processes").size() == 5);
    target.check_served();
}

TEST_CASE("a flood of oneway calls is worked off, and others are served meanwhile") {
    Target target;
    std::string burst;
    for (int i = 0; i < 500; ++i)
        burst += message(i % 2 ? "org.varlink.service.GetInfo" : "no.such.Method", json::object(), {{"oneway", true}});
    Child flood([&] {
        const UniqueFd fd(connect_to(target.path()));
        for (int i = 0; i < 40; ++i)
            if (!send_all(fd.get(), burst)) return 1;
        if (!send_all(fd.get(), info)) return 2;
        ::shutdown(fd.get(), SHUT_WR);
        const std::string reply = read_to_end(fd.get());
        return std::count(reply.begin(), reply.end(), '\0') == 1 ? 0 : 3;
    });
    for (int i = 0; i < 20; ++i) target.check_served();
    CHECK(flood.join() == 0);
}
