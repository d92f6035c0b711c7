// What clients may do wrong harms nobody else and gets one clear reply.
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "support/daemon_fixture.hpp"
#include "varlink_socket.hpp"

using namespace muster::test;
using nlohmann::json;
using Catch::Matchers::Contains;

namespace {

struct Witnessed {
    Daemon daemon;
    VarlinkSocket witness{daemon.socket_path()};  // must notice nothing of what the others do
    void check_nobody_noticed() {
        CHECK(witness.call("org.varlink.service.GetInfo").at("parameters").at("product") == "musterd");
        CHECK(VarlinkSocket(daemon.socket_path()).call("io.muster.service.Status").contains("parameters"));
    }
    long resident_kib() const {
        std::ifstream status("/proc/" + std::to_string(daemon.service()) + "/status");
        for (std::string line; std::getline(status, line);)
            if (line.starts_with("VmRSS:")) return std::stol(line.substr(6));
        return 0;
    }
};

}  // namespace

TEST_CASE_METHOD(Witnessed, "what is no Varlink message gets one error and the connection is closed") {
    for (const std::string& text : {std::string("nonsense"), std::string(), std::string("{}"),
                                    std::string("{\"method\":\"\xff\"}"), std::string(2000, '['),
                                    std::string("{\"method\":\"a.B\",\"parameters\":7}")}) {
        VarlinkSocket client(daemon.socket_path());
        client.send(text + '\0');
        const json reply = client.receive().value();
        CHECK(reply.at("error") == "io.muster.service.ProtocolError");
        CHECK_FALSE(reply.at("parameters").at("reason").get<std::string>().empty());
        CHECK_FALSE(client.receive());
    }
    check_nobody_noticed();
}

TEST_CASE_METHOD(Witnessed, "a line of 100 MiB is refused at the limit and costs no memory") {
    const long before = resident_kib();
    VarlinkSocket client(daemon.socket_path());
    const std::string piece(1 << 20, 'x');
    int sent = 0;
    while (sent < 100 && client.try_send(piece)) ++sent;
    CHECK(sent < 100);
    const json reply = client.receive().value();
    CHECK(reply.at("error") == "io.muster.service.ProtocolError");
    CHECK_THAT(reply.at("parameters").at("reason").get<std::string>(), Contains("more than 1048576 bytes"));
    muster::test::check_resident(resident_kib(), before + 8 * 1024);
    check_nobody_noticed();
}

TEST_CASE_METHOD(Witnessed, "a client that goes away in the middle of a message, or says nothing, harms nobody") {
    {
        VarlinkSocket silent(daemon.socket_path());
        VarlinkSocket half(daemon.socket_path());
        half.send("{\"method\":\"io.mus");
    }
    VarlinkSocket half(daemon.socket_path());
    half.send("{\"method\":\"io.mus");
    ::shutdown(half.get(), SHUT_WR);
    CHECK_THAT(half.receive().value().at("parameters").at("reason").get<std::string>(), Contains("cut off"));
    check_nobody_noticed();
}

TEST_CASE_METHOD(Witnessed, "a client that goes away while it waits is noticed") {
    witness.call("io.muster.processes.Spawn", {{"spec", {{"argv", {"sleep", "1000"}}, {"name", "w"}}}});
    const auto descriptors = [&] {
        const std::filesystem::directory_iterator all("/proc/" + std::to_string(daemon.service()) + "/fd");
        return std::distance(begin(all), end(all));
    };
    const auto before = descriptors();
    {
        std::vector<VarlinkSocket> waiting;
        for (int i = 0; i < 20; ++i) {
            waiting.emplace_back(daemon.socket_path());
            waiting.back().send_call(i % 2 ? "io.muster.processes.Wait" : "io.muster.processes.Watch",
                                     i % 2 ? json{{"select", "w"}} : json::object(), {{"more", true}});
        }
        REQUIRE(eventually([&] { return descriptors() >= before + 20; }));
    }
    CHECK(eventually([&] { return descriptors() == before; }));
    check_nobody_noticed();
}

TEST_CASE_METHOD(Witnessed, "calls sent all at once are answered in their order, also after the sender shut its side") {
    VarlinkSocket client(daemon.socket_path());
    for (int i = 0; i < 100; ++i)
        client.send_call("org.varlink.service.GetInterfaceDescription", {{"interface", "no" + std::to_string(i)}});
    ::shutdown(client.get(), SHUT_WR);
    for (int i = 0; i < 100; ++i)
        CHECK(client.receive().value().at("parameters").at("interface") == "no" + std::to_string(i));
    CHECK_FALSE(client.receive());
}

TEST_CASE_METHOD(Witnessed, "a oneway call gets no reply") {
    VarlinkSocket client(daemon.socket_path());
    client.send_call("org.varlink.service.GetInfo", json::object(), {{"oneway", true}});
    client.send_call("no.such.Method", json::object(), {{"oneway", true}});
    CHECK(client.call("org.varlink.service.GetInterfaceDescription", {{"interface", "io.muster.objects"}})
              .at("parameters")
              .contains("description"));
}

TEST_CASE_METHOD(Witnessed, "oneway calls that would wait cost nothing, and a flood of calls keeps nobody waiting") {
    witness.call("io.muster.processes.Spawn",
                 {{"spec", {{"argv", {"/bin/sh", "-c", "trap '' TERM; echo deaf; while :; do sleep 0.05; done"}}, {"name", "w"}}}});
    REQUIRE(eventually([&] { return daemon.log().find("]: deaf") != std::string::npos; }));
    const auto oneway = [](const char* method, const json& parameters, bool more) {
        return json{{"method", std::string("io.muster.processes.") + method}, {"parameters", parameters}, {"oneway", true}, {"more", more}}
                   .dump() + '\0';
    };
    const std::string all = oneway("Wait", {{"select", "w"}}, false) + oneway("Watch", json::object(), true) +
                            oneway("Stop", {{"select", "w"}, {"grace", 1000}}, false) +
                            oneway("Signal", {{"select", "w"}, {"signal", 0}}, false);
    VarlinkSocket flood(daemon.socket_path());
    std::string burst;
    for (int i = 0; i < 200; ++i) burst += all;
    const long before = resident_kib();
    for (int round = 0; round < 100; ++round) {
        flood.send(burst);
        if (round % 10 == 0) check_nobody_noticed();
    }
    check_nobody_noticed();
    CHECK(flood.call("io.muster.processes.Kill", {{"select", "w"}}).contains("parameters"));
    muster::test::check_resident(resident_kib(), before + 16 * 1024);
}

TEST_CASE_METHOD(Witnessed, "a client that asks and never reads is not served further, one that watches is let go") {
    VarlinkSocket greedy(daemon.socket_path());
    const std::string ask = json{{"method", "org.varlink.service.GetInterfaceDescription"},
                                 {"parameters", {{"interface", "io.muster.processes"}}}}
                                .dump() +
                            '\0';
    const long before = resident_kib();
    std::size_t sent = 0;
    for (; sent < 200'000; ++sent)
        if (::send(greedy.get(), ask.data(), ask.size(), MSG_NOSIGNAL | MSG_DONTWAIT) < 0) break;
    CHECK(sent < 200'000);  // the sender has to wait

    VarlinkSocket watcher(daemon.socket_path());
    watcher.send_call("io.muster.processes.Watch", json::object(), {{"more", true}});
    VarlinkSocket worker(daemon.socket_path());
    const json spec = {{"argv", {"/bin/true", std::string(60'000, 'a')}}, {"name", "t"}};
    for (int i = 0; i < 20; ++i) worker.call("io.muster.processes.Spawn", {{"spec", spec}});
    int changes = 0;
    while (watcher.receive()) ++changes;  // it was disconnected, so this ends
    CHECK(changes < 41);
    muster::test::check_resident(resident_kib(), before + 32 * 1024);
    check_nobody_noticed();
}

TEST_CASE_METHOD(Witnessed, "descriptors that nobody asked for are closed") {
    VarlinkSocket client(daemon.socket_path());
    int pipe[2];
    REQUIRE(::pipe(pipe) == 0);
    const std::string text = json{{"method", "org.varlink.service.GetInfo"}}.dump() + '\0';
    iovec part{const_cast<char*>(text.data()), text.size()};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))]{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &pipe[1], sizeof(int));
    REQUIRE(::sendmsg(client.get(), &message, MSG_NOSIGNAL) > 0);
    ::close(pipe[1]);
    CHECK(client.receive().value().contains("parameters"));
    char byte;
    CHECK(::read(pipe[0], &byte, 1) == 0);  // the last writer is gone
    ::close(pipe[0]);
}

TEST_CASE_METHOD(Witnessed, "attach gives the sealed memory of the realm, the same every time") {
    VarlinkSocket client(daemon.socket_path());
    const json first = client.call("io.muster.service.Attach").at("parameters");
    REQUIRE(client.fd);
    struct stat one {}, two {};
    ::fstat(client.fd.get(), &one);
    CHECK(one.st_size == first.at("capacity").get<long>());
    VarlinkSocket other(daemon.socket_path());
    const json second = other.call("io.muster.service.Attach").at("parameters");
    REQUIRE(other.fd);
    ::fstat(other.fd.get(), &two);
    CHECK(one.st_ino == two.st_ino);
    CHECK(first.at("instance") == second.at("instance"));
    CHECK(client.call("io.muster.service.Register", {{"session", 0}, {"generation", 12345}}).at("error") ==
          "io.muster.service.NoSuchSession");
    CHECK(client.call("io.muster.service.Register", {{"session", 4'000'000'000}, {"generation", 1}}).at("error") ==
          "io.muster.service.NoSuchSession");
    CHECK(client.call("io.muster.objects.Erase", {{"name", "nothing"}}).at("error") == "io.muster.objects.NoSuchObject");
}

TEST_CASE("a private daemon lets another user in only to say no") {
    if (::geteuid() != 0) {
        WARN("SKIP: becoming another user needs root");
        return;
    }
    Daemon daemon;
    REQUIRE(::chmod(daemon.socket_path().c_str(), 0666) == 0);  // let the kernel pass, so that the daemon has to refuse
    REQUIRE(::chmod(daemon.directory().path().c_str(), 0711) == 0);
    const pid_t child = ::fork();
    if (child == 0) {
        if (::setgid(65534) != 0 || ::setuid(65534) != 0) ::_exit(99);
        const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strncpy(address.sun_path, daemon.socket_path().c_str(), sizeof address.sun_path - 1);
        if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) ::_exit(98);
        const std::string call = std::string("{\"method\":\"io.muster.service.Attach\"}") + '\0';
        if (::write(fd, call.data(), call.size()) < 0) ::_exit(97);
        std::string reply;
        char bytes[4096];
        for (ssize_t size; (size = ::read(fd, bytes, sizeof bytes)) > 0;) reply.append(bytes, static_cast<std::size_t>(size));
        const bool refused = reply.find("io.muster.service.NotPermitted") != std::string::npos &&
                             reply.find("you are uid 65534") != std::string::npos;
        ::_exit(refused ? 0 : 96);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    CHECK(WEXITSTATUS(status) == 0);
}
