// Descriptors: sent unasked, and used up.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/times.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "base/base.hpp"
#include "hostile/hostile.hpp"

using namespace muster::test;
using muster::base::UniqueFd;
using Catch::Matchers::Contains;

namespace {

long cpu_ticks(pid_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::string text((std::istreambuf_iterator<char>(file)), {});
    std::istringstream fields(text.substr(text.rfind(')') + 2));
    std::string skipped;
    long user = 0, system = 0;
    for (int i = 0; i < 11; ++i) fields >> skipped;
    fields >> user >> system;
    return user + system;
}

}  // namespace

TEST_CASE("descriptors sent with any message are closed, whatever the message") {
    Target target;
    target.witness().call("io.muster.service.Attach");  // the realm's memory is there from now on
    const auto before = target.descriptors();
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    UniqueFd reader(ends[0]), writer(ends[1]);
    const std::string info = message("org.varlink.service.GetInfo");
    std::vector<std::string> all{info, "nonsense" + std::string(1, '\0'), info.substr(0, 20), std::string(1, '\0'),
                                 message("io.muster.service.Attach"), message("no.such.Method"),
                                 message("io.muster.service.Register", {{"session", 0}, {"generation", 0}}),
                                 message("io.muster.processes.Watch", json::object(), {{"more", true}}),
                                 message("org.varlink.service.GetInfo", json::object(), {{"oneway", true}}),
                                 message("no.such.Method", {{"x", std::string(300'000, 'x')}})};
    std::vector<UniqueFd> clients;
    for (const std::string& each : all)
        for (const int count : {1, 250}) {
            clients.emplace_back(connect_to(target.path()));
            REQUIRE(send_with_descriptors(clients.back().get(), each, writer.get(), count));
        }
    for (int i = 0; i < 50; ++i) {
        clients.emplace_back(connect_to(target.path()));
        REQUIRE(send_with_descriptors(clients.back().get(), info, writer.get(), 250));
    }
    writer.reset();
    target.check_served();
    // Their clients are still there; every copy that was in their messages is not.
    char byte;
    CHECK(eventually([&] { return ::fcntl(reader.get(), F_SETFL, O_NONBLOCK) == 0 && ::read(reader.get(), &byte, 1) == 0; }));
    CHECK(target.descriptors() <= before + 2 * clients.size());
    clients.clear();
    CHECK(eventually([&] { return target.descriptors() <= before; }));
}

TEST_CASE("when clients have taken the descriptors, new ones are told, the others are served and processes start") {
    Target target;
    const pid_t service = target.daemon().service();
    const auto used = target.descriptors();
    const rlimit tight{200, 200};
    REQUIRE(::prlimit(service, RLIMIT_NOFILE, &tight, nullptr) == 0);
    std::vector<UniqueFd> all;
    std::string refusal;
    const std::string info = message("org.varlink.service.GetInfo");
    for (int i = 0; i < 300; ++i) {
        all.emplace_back(connect_to(target.path()));
        REQUIRE(all.back());
    }
    for (const UniqueFd& each : all) send_all(each.get(), info);
    const std::string told = read_to_end(all.back().get(), 2000);
    CHECK_THAT(told, Contains("io.muster.service.LimitExceeded") && Contains("descriptors of the service") &&
                         Contains("LimitNOFILE="));
    CHECK(target.descriptors() < 200);
    // The one who was there before: memory, a process with a pipe for its output, a wait.
    CHECK(target.witness().call("io.muster.service.Attach").contains("parameters"));
    CHECK(target.witness().fd);
    const json spec = {{"argv", {"/bin/echo", "still", "here"}}, {"name", "w"}};
    CHECK(target.witness().call("io.muster.processes.Spawn", {{"spec", spec}, {"count", 3}}).contains("parameters"));
    CHECK(target.witness().call("io.muster.processes.Wait", {{"select", "w"}}).contains("parameters"));
    all.clear();
    CHECK(eventually([&] { return target.descriptors() <= used + 1; }));
    target.check_served();
}

TEST_CASE("with no descriptor left at all the service waits for one and does not spin") {
    Target target;
    const pid_t service = target.daemon().service();
    rlimit before{};
    REQUIRE(::prlimit(service, RLIMIT_NOFILE, nullptr, &before) == 0);
    const rlimit none{3, before.rlim_max};
    REQUIRE(::prlimit(service, RLIMIT_NOFILE, &none, nullptr) == 0);
    const UniqueFd queued(connect_to(target.path()));
    REQUIRE(send_all(queued.get(), message("org.varlink.service.GetInfo")));
    const long ticks = cpu_ticks(service);
    const auto start = ::times(nullptr);
    int served = 0;
    CHECK(eventually([&] {  // one second of the clock, in which connected clients are served
        served += target.witness().call("org.varlink.service.GetInfo").contains("parameters");
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        return ::times(nullptr) - start >= ::sysconf(_SC_CLK_TCK);
    }));
    CHECK(served > 3);
    CHECK(cpu_ticks(service) - ticks < (::times(nullptr) - start) / 2);
    REQUIRE(::prlimit(service, RLIMIT_NOFILE, &before, nullptr) == 0);
    std::string reply;
    CHECK(eventually([&] { return (reply += read_to_end(queued.get(), 100)).find("musterd") != reply.npos; }));
    target.check_served();
}
