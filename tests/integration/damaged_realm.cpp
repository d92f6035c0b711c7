// A client that scribbles over its realm's memory: the realm is named and closed, everybody else is served.
#include <grp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <functional>

#include <muster/ipc.hpp>

#include "ctl_program.hpp"
#include "heap/heap.hpp"
#include "support/daemon_fixture.hpp"
#include "support/skip.hpp"
#include "varlink_socket.hpp"

using namespace muster::test;
using nlohmann::json;

namespace {

constexpr uid_t nobody = 65534;

// The kernel tells the daemon who connects: that is the effective user at that moment.
VarlinkSocket connect_as(uid_t user, const Daemon& daemon) {
    REQUIRE(::seteuid(user) == 0);
    VarlinkSocket socket(daemon.socket_path());
    REQUIRE(::seteuid(0) == 0);
    return socket;
}

// Runs in a process of that user, to its end. A child does not assert: its exit code says that it did its work.
void as_user(uid_t user, const std::function<void()>& work) {
    const pid_t child = ::fork();
    if (child == 0) {
        if (user != ::geteuid() && (::setgroups(0, nullptr) != 0 || ::setgid(user) != 0 || ::setuid(user) != 0)) ::_exit(10);
        try {
            work();
        } catch (...) {
            ::_exit(11);
        }
        ::_exit(0);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFEXITED(status));
    REQUIRE(WEXITSTATUS(status) == 0);
}

void fill(const Daemon& daemon) {
    const auto manager = muster::Manager::connect(daemon.address());
    auto accounts = manager.dict<std::string, int>("accounts");
    for (int i = 0; i < 200; ++i) accounts.insert_or_assign("account " + std::to_string(i), i);
    auto log = manager.list<std::string>("log");
    for (int i = 0; i < 200; ++i) log.push_back("a line of the log");
}

// What any client may do: map the memory that it is given, and write there what it likes.
void scribble(const Daemon& daemon, const std::function<void(std::byte* memory, const muster::segment::Regions&)>& how) {
    VarlinkSocket vandal(daemon.socket_path());
    const auto capacity = vandal.call("io.muster.service.Attach").at("parameters").at("capacity").get<std::size_t>();
    void* memory = ::mmap(nullptr, capacity, PROT_READ | PROT_WRITE, MAP_SHARED, vandal.fd.get(), 0);
    if (memory == MAP_FAILED) throw std::runtime_error("mmap");
    how(static_cast<std::byte*>(memory), muster::segment::plan(capacity));
    ::munmap(memory, capacity);
}

// The contents of the first two objects, with their logs: not the tables that say which objects there are.
void scribble_over_contents(std::byte* memory, const muster::segment::Regions& regions) {
    for (std::uint64_t id = 0; id < 2; ++id) {
        const auto& object = *reinterpret_cast<muster::heap::ObjectRep*>(memory + regions.objects + id * 1024);
        std::memset(memory + object.heap.body, 0x5a, 8192);
    }
}

json error_of(const json& reply) { return reply.value("error", json()); }

}  // namespace

TEST_CASE("a damaged realm is closed and named, other users and all processes are served") {
    if (::geteuid() != 0) skip("becoming another user needs root");
    Daemon daemon({"--system"});
    REQUIRE(::chmod(daemon.directory().path().c_str(), 0711) == 0);
    as_user(0, [&] { fill(daemon); });
    as_user(nobody, [&] { fill(daemon); });
    VarlinkSocket root(daemon.socket_path()), other = connect_as(nobody, daemon);
    for (VarlinkSocket* socket : {&root, &other}) {
        CHECK(socket->call("io.muster.objects.Check").at("parameters").at("violations").empty());
        REQUIRE(socket->call("io.muster.processes.Spawn", {{"spec", {{"argv", {"sleep", "1000"}}, {"name", "worker"}}}})
                    .contains("parameters"));
    }
    const pid_t service = daemon.service();

    SECTION("what the objects hold") { as_user(nobody, [&] { scribble(daemon, scribble_over_contents); }); }
    SECTION("every table and every object") {
        as_user(nobody, [&] {
            scribble(daemon, [](std::byte* memory, const muster::segment::Regions& regions) {
                std::memset(memory + 4096, 0xa5, regions.data - 4096);
            });
        });
    }
    SECTION("the header") {
        as_user(nobody, [&] {
            scribble(daemon, [](std::byte* memory, const muster::segment::Regions&) { std::memset(memory, 0x5a, 4096); });
        });
    }
    SECTION("in mid-change, by a client that then dies") {
        as_user(nobody, [&] {
            auto manager = muster::Manager::connect(daemon.address());
            auto lock = manager.lock("ledger");
            lock.lock();  // to be reclaimed
            scribble(daemon, scribble_over_contents);
            ::_exit(0);
        });
    }

    // Whose realm, and what is wrong.
    const json report = other.call("io.muster.objects.Check").at("parameters").at("violations");
    REQUIRE_FALSE(report.empty());
    CHECK_FALSE(report[0].at("invariant").get<std::string>().empty());
    CHECK_FALSE(report[0].at("text").get<std::string>().empty());
    for (const char* method : {"io.muster.service.Attach", "io.muster.objects.List"})
        CHECK(error_of(other.call(method)) == "io.muster.service.Damaged");
    CHECK(error_of(other.call("io.muster.objects.Erase", {{"name", "accounts"}})) == "io.muster.service.Damaged");
    CHECK(other.call("io.muster.service.Sessions").contains("parameters"));

    // Nobody else notices, and a process is no object.
    const json realms = root.call("io.muster.service.Status").at("parameters").at("realms");
    REQUIRE(realms.size() == 2);
    for (const json& realm : realms) CHECK(realm.at("damaged").is_string() == (realm.at("uid") == nobody));
    CHECK(root.call("io.muster.objects.Check").at("parameters").at("violations").empty());
    CHECK(root.call("io.muster.objects.List").at("parameters").at("objects").size() == 2);
    as_user(0, [&] {
        auto accounts = muster::Manager::connect(daemon.address()).dict<std::string, int>("accounts");
        accounts.insert_or_assign("more", 1);
        if (accounts.size() != 201) throw std::runtime_error("size");
    });
    for (VarlinkSocket* socket : {&root, &other})
        CHECK(socket->call("io.muster.processes.Kill", {{"select", "worker"}}).contains("parameters"));
    CHECK(daemon.service() == service);

    // The next service finds the same.
    daemon.kill_service();
    VarlinkSocket again = connect_as(nobody, daemon), roots(daemon.socket_path());
    CHECK(roots.call("io.muster.objects.List").at("parameters").at("objects").size() == 2);
    CHECK_FALSE(again.call("io.muster.objects.Check").at("parameters").at("violations").empty());
    CHECK(error_of(again.call("io.muster.service.Attach")) == "io.muster.service.Damaged");
}

TEST_CASE("musterctl says what is damaged, where, and that the realm is closed") {
    Daemon daemon;
    const Ctl ctl(daemon.address());
    as_user(::geteuid(), [&] { fill(daemon); });
    CHECK(ctl("check").code == 0);
    as_user(::geteuid(), [&] {
        scribble(daemon, [](std::byte* memory, const muster::segment::Regions& regions) {
            for (std::uint64_t id = 0; id < 2; ++id) {
                auto& object = *reinterpret_cast<muster::heap::ObjectRep*>(memory + regions.objects + id * 1024);
                muster::heap::root_of<std::uint64_t>(object) += 1;  // a dict's index, a list's size
            }
        });
    });
    const Outcome check = ctl("check");
    CHECK(check.code == 1);
    for (const char* object : {"accounts", "log"}) {
        CAPTURE(check.out, object);
        const auto line = check.out.find(std::string("  ") + object + ": ");
        REQUIRE(line != std::string::npos);
        const auto begin = check.out.rfind('\n', line) + 1;
        CHECK((check.out[begin] == 'I' || check.out.compare(begin, 6, "layout") == 0));
    }
    const Outcome json_check = ctl("check", "--json");
    CHECK(json_check.json().at("violations").at(0).at("object").is_string());
    const Outcome status = ctl("status");
    CHECK(status.code == 0);
    CHECK(status.out.find("DAMAGED: ") != std::string::npos);
    for (const char* verb : {"objects"}) {
        const Outcome refused = ctl(verb);
        CHECK(refused.code == 4);
        CHECK(refused.says({"damaged"}));
    }
    const Outcome shown = ctl("show", "accounts");
    CHECK(shown.code == 4);
    CHECK(shown.says({"damaged"}));
    CHECK(ctl("run", "--", "true").code == 0);  // processes go on
}
