// Clean-up after clients that die, and what a client that damages its own memory does to others: nothing.
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstring>

#include <muster/ipc.hpp>

#include "support/daemon_fixture.hpp"
#include "varlink_socket.hpp"

using namespace muster::test;
using nlohmann::json;

namespace {

// A client in a process of its own, which does `work` and then waits to be killed.
template <typename Work>
class Client {
  public:
    Client(const Daemon& daemon, Work work) {
        int ready[2];
        REQUIRE(::pipe(ready) == 0);
        pid_ = ::fork();
        if (pid_ == 0) {
            try {
                work(muster::Manager::connect(daemon.address()));
                if (::write(ready[1], "x", 1) == 1)
                    for (;;) ::pause();
            } catch (...) {
            }
            ::_exit(1);
        }
        ::close(ready[1]);
        char byte = 0;
        const bool came_up = ::read(ready[0], &byte, 1) == 1;
        ::close(ready[0]);
        REQUIRE(came_up);
    }
    ~Client() { kill(); }
    void kill() {
        if (pid_ < 0) return;
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
        pid_ = -1;
    }
    pid_t pid() const { return pid_; }

  private:
    pid_t pid_ = -1;
};

json sessions(const Daemon& daemon) {
    return VarlinkSocket(daemon.socket_path()).call("io.muster.service.Sessions").at("parameters").at("sessions");
}
json objects(const Daemon& daemon) {
    return VarlinkSocket(daemon.socket_path()).call("io.muster.objects.List").at("parameters").at("objects");
}

}  // namespace

TEST_CASE("a client is known while it lives, and cleaned up after when it is killed") {
    Daemon daemon;
    Client client(daemon, [](muster::Manager manager) {
        auto lock = manager.lock("ledger");
        lock.lock();
        auto named = manager.dict<std::string, int>("totals");
        named.insert_or_assign("runs", 1);
        static auto anonymous = manager.dict<std::string, int>();
        anonymous.insert_or_assign("x", 1);
        static auto kept = lock;  // destructors do not run
    });
    REQUIRE(eventually([&] { return sessions(daemon).size() == 1 && sessions(daemon)[0].at("registered") == true; }));
    CHECK(sessions(daemon)[0].at("pid") == client.pid());
    CHECK(objects(daemon).size() == 3);

    client.kill();
    CHECK(eventually([&] { return sessions(daemon).empty(); }));
    CHECK(eventually([&] { return objects(daemon).size() == 2; }));  // the anonymous one was only its own
    for (const json& object : objects(daemon)) {
        CHECK_FALSE(object.at("name").is_null());
        if (object.at("kind") == "lock") CHECK(object.at("size") == 0);  // released by death
    }
    const json check = VarlinkSocket(daemon.socket_path()).call("io.muster.objects.Check").at("parameters");
    CHECK(check.at("violations").empty());
    CHECK(check.at("objects") == 2);
}

TEST_CASE("a client that died while there was no service is found by the next one") {
    Daemon daemon;
    Client client(daemon, [](muster::Manager manager) {
        static auto lock = manager.lock("ledger");
        lock.lock();
    });
    REQUIRE(eventually([&] { return sessions(daemon).size() == 1; }));
    ::kill(daemon.service(), SIGSTOP);
    client.kill();
    daemon.kill_service();
    CHECK(eventually([&] { return sessions(daemon).empty(); }));
    CHECK(objects(daemon).at(0).at("size") == 0);
}

TEST_CASE("an object is erased by name through the daemon") {
    Daemon daemon;
    Client client(daemon, [](muster::Manager manager) { static auto dict = manager.dict<int, int>("numbers"); });
    VarlinkSocket socket(daemon.socket_path());
    CHECK(objects(daemon).at(0).at("name") == "numbers");
    CHECK(socket.call("io.muster.objects.Erase", {{"name", "numbers"}}).contains("parameters"));
    CHECK(objects(daemon).empty());
    CHECK(socket.call("io.muster.objects.Erase", {{"name", "numbers"}}).at("parameters").at("name") == "numbers");
}

TEST_CASE("a realm that its user damaged is quarantined, and the daemon goes on") {
    Daemon daemon;
    Client client(daemon, [](muster::Manager manager) {
        static auto dict = manager.dict<std::string, int>("totals");
        for (int i = 0; i < 100; ++i) dict.insert_or_assign("key" + std::to_string(i), i);
    });
    VarlinkSocket vandal(daemon.socket_path());
    const auto capacity = vandal.call("io.muster.service.Attach").at("parameters").at("capacity").get<std::size_t>();
    REQUIRE(vandal.fd);
    void* memory = ::mmap(nullptr, capacity, PROT_READ | PROT_WRITE, MAP_SHARED, vandal.fd.get(), 0);
    REQUIRE(memory != MAP_FAILED);
    std::memset(memory, 0x5a, 4096);  // the header: magic, layout, where everything is
    ::munmap(memory, capacity);

    VarlinkSocket socket(daemon.socket_path());
    const pid_t service = daemon.service();
    for (const char* method : {"io.muster.objects.Check", "io.muster.objects.List", "io.muster.service.Sessions",
                               "io.muster.service.Status", "io.muster.service.Attach", "io.muster.objects.Check"})
        socket.call(method);
    CHECK(daemon.service() == service);  // none of it killed the service
    daemon.kill_service();               // and the next one finds out when it adopts
    VarlinkSocket after(daemon.socket_path());
    CHECK(after.call("io.muster.service.Attach").at("error") == "io.muster.service.Damaged");
    const json realm = after.call("io.muster.service.Status").at("parameters").at("realms").at(0);
    CHECK(realm.at("damaged").is_string());
    CHECK(after.call("io.muster.processes.Spawn", {{"spec", {{"argv", {"true"}}}}}).contains("parameters"));
}
