// Whatever clients send, the service's memory stays within the bound of daemon/DESIGN.md, "Memory".
#include <poll.h>
#include <sys/socket.h>

#include <fstream>

#include "base/base.hpp"
#include "hostile/hostile.hpp"

using namespace muster::test;
using muster::base::UniqueFd;
using Catch::Matchers::Contains;

namespace {

constexpr int connections = 120;
const std::string settings =
    "history = 64\n[limits]\nconnections_per_uid = 150\nbuffers = \"8 MiB\"\nbuffers_per_uid = \"4 MiB\"\n";
// Of the formula: connections, shares of one user, what one message, one reply and its reading take.
constexpr long bound_kib = 150 * 64 + 4 * 1024 + 16 * 1024;

// The most that it ever had resident since reset_peak(), in KiB.
long peak_kib(pid_t pid) {
    std::ifstream status("/proc/" + std::to_string(pid) + "/status");
    for (std::string line; std::getline(status, line);)
        if (line.starts_with("VmHWM:")) return std::stol(line.substr(6));
    return 0;
}
long reset_peak(pid_t pid) {
    std::ofstream("/proc/" + std::to_string(pid) + "/clear_refs") << "5";
    return peak_kib(pid);
}

std::vector<UniqueFd> attackers(Target& target) {
    std::vector<UniqueFd> result;
    for (int i = 0; i < connections; ++i) {
        result.emplace_back(connect_to(target.path(), false));
        REQUIRE(result.back());
    }
    return result;
}

// Every one of them sends what the service takes, until nothing was taken for a while.
void push(const std::vector<UniqueFd>& all, const std::string& bytes, std::size_t each) {
    std::vector<std::size_t> sent(all.size());
    for (int quiet = 0; quiet < 20;) {
        bool taken = false;
        for (std::size_t i = 0; i < all.size(); ++i) {
            if (sent[i] >= each) continue;
            const std::size_t at = sent[i] % bytes.size();
            const auto now = ::send(all[i].get(), bytes.data() + at, std::min(bytes.size() - at, each - sent[i]), MSG_NOSIGNAL);
            if (now > 0) sent[i] += static_cast<std::size_t>(now);
            if (now < 0 && errno != EAGAIN) sent[i] = each;
            taken = taken || now > 0;
        }
        quiet = taken ? 0 : quiet + 1;
        if (!taken) ::poll(nullptr, 0, 5);
    }
}

}  // namespace

TEST_CASE("a hundred half messages of a megabyte take no more than their user's share; small calls go on") {
    Target target(settings);
    const long before = reset_peak(target.daemon().service());
    auto all = attackers(target);
    push(all, "{\"method\":\"x.Y\",\"parameters\":{\"x\":\"" + std::string((1 << 20) - 100, 'x'), (1 << 20) - 200);
    std::size_t refused = 0;
    for (const UniqueFd& each : all) {
        pollfd ready{each.get(), POLLIN, 0};
        if (::poll(&ready, 1, 0) != 1) continue;
        ++refused;
        CHECK_THAT(read_to_end(each.get(), 1000),
                   Contains("io.muster.service.LimitExceeded") && Contains("limits.buffers_per_uid"));
    }
    CHECK(refused > 100);
    target.check_served();
    check_resident(peak_kib(target.daemon().service()), before + bound_kib);
    all.clear();
    // The share is given back: a large message is taken again.
    CHECK(eventually([&] {
        VarlinkSocket client(target.path());
        client.send(message("no.such.Method", {{"x", std::string(900'000, 'x')}}));
        return client.receive().value().at("error") == "org.varlink.service.InterfaceNotFound";
    }));
}

TEST_CASE("a hundred clients that ask for much and read nothing take no more than their user's share") {
    Target target(settings);
    const long before = reset_peak(target.daemon().service());
    auto all = attackers(target);
    push(all, message("org.varlink.service.GetInterfaceDescription", {{"interface", "io.muster.processes"}}), 300'000);
    target.check_served();
    check_resident(peak_kib(target.daemon().service()), before + bound_kib);
}

TEST_CASE("messages of as many values as are taken, from a hundred clients at once, take what one of them takes") {
    Target target(settings);
    const long before = reset_peak(target.daemon().service());
    auto all = attackers(target);
    std::string values;
    for (int i = 0; i < 32'000; ++i) values += "[],";
    const std::string heavy = "{\"method\":\"x.Y\",\"oneway\":true,\"parameters\":{\"x\":[" + values + "0]}}" + '\0';
    push(all, heavy, 3 * heavy.size());
    target.check_served();
    check_resident(peak_kib(target.daemon().service()), before + bound_kib);
}

TEST_CASE("what is remembered of processes is bounded, however long their arguments are") {
    Target target("history = 64\n");
    const long before = target.private_kib();
    json argv = {"/bin/true"};
    for (int i = 0; i < 8; ++i) argv.push_back(std::string(100'000, 'a'));
    for (int i = 0; i < 80; ++i)  // 64 of them are remembered, which would be 50 MiB
        REQUIRE(target.witness().call("io.muster.processes.Spawn", {{"spec", {{"argv", argv}, {"name", "t"}}}}).contains("parameters"));
    target.witness().call("io.muster.processes.Wait", {{"select", "t"}});
    const json all = target.witness().call("io.muster.processes.List", {{"all", true}}).at("parameters").at("processes");
    CHECK(all.size() == 64);
    CHECK(all.dump().size() < 9 * 1024 * 1024);
    CHECK(all.back().at("argv").front() == "/bin/true");
    CHECK(all.back().at("argv").back() == "...");
    check_resident(target.private_kib(), before + 40 * 1024);
}
