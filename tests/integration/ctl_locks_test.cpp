// musterctl's view of locks: holders, waiters, ages, circles; breaking a hold; what the daemon's log says of it.
#include <catch2/catch.hpp>

#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include <muster/ipc.hpp>

#include "ctl_program.hpp"
#include "support/child.hpp"

using namespace std::chrono_literals;
using muster::Lock;
using muster::Manager;
using muster::OnDeadlock;
using muster::test::Child;
using muster::test::Ctl;
using muster::test::Daemon;
using muster::test::eventually;
using nlohmann::json;

namespace {

json the_lock(const Ctl& ctl, const std::string& name) {
    for (const json& lock : ctl("locks", "--json").json())
        if (lock.at("name") == name) return lock;
    return {};
}

}  // namespace

TEST_CASE("locks lists who waits for a permit, a notification or a round, too") {
    Daemon daemon;
    const Ctl ctl(daemon.address());
    const Manager manager = Manager::connect(daemon.address());
    auto permits = manager.semaphore("permits", 0);
    auto changed = manager.condition("changed");
    auto round = manager.barrier("round", 2);
    std::vector<std::unique_ptr<Child>> waiters;
    const auto waits = [&](const std::string& name, const auto& fn) {
        waiters.push_back(std::make_unique<Child>([&] { return fn(), 0; }));
        const auto seen = [&] {
            const json entry = the_lock(ctl, name);
            return !entry.is_null() && entry.at("waiters").size() == 1 &&
                   entry.at("waiters").at(0).at("thread").at("pid") == waiters.back()->pid() && entry.at("holder").is_null();
        };
        INFO(name);
        CHECK(eventually(seen));
    };
    waits("permits", [&] { permits.acquire(); });
    waits("changed", [&] {
        const std::scoped_lock hold(changed);
        changed.wait();
    });
    waits("round", [&] { round.wait(); });
    CHECK(ctl("locks", "--deadlocks").code == 1);
    permits.release();
    {
        const std::scoped_lock hold(changed);
        changed.notify_all();
    }
    round.wait();
    for (const auto& waiter : waiters) CHECK(waiter->join() == 0);
    CHECK(ctl("locks", "--json").out == "[]\n");
}

TEST_CASE("locks lists holders and waiters, with their processes and ages") {
    Daemon daemon;
    const Ctl ctl(daemon.address());
    const Manager manager = Manager::connect(daemon.address());
    auto lock = manager.lock("ledger");
    auto recursive = manager.rlock("deep");
    auto idle = manager.lock("idle");
    CHECK(ctl("locks", "--json").out == "[]\n");
    lock.lock();
    recursive.lock();
    recursive.lock();
    Child waiter([&] {
        const std::scoped_lock hold(lock);
        return 0;
    });
    REQUIRE(eventually([&] { return !the_lock(ctl, "ledger").at("waiters").empty(); }));
    const json seen = the_lock(ctl, "ledger");
    INFO(seen.dump());
    CHECK(seen.at("kind") == "lock");
    CHECK(seen.at("token") == 1);
    CHECK(seen.at("levels") == 1);
    CHECK(seen.at("holder").at("pid") == ::getpid());
    CHECK(seen.at("holder").at("tid") == static_cast<pid_t>(::syscall(SYS_gettid)));
    CHECK(seen.at("holder").at("stopped") == false);
    CHECK(seen.at("held_seconds") >= 0);
    REQUIRE(seen.at("waiters").size() == 1);
    CHECK(seen.at("waiters").at(0).at("thread").at("pid") == waiter.pid());
    CHECK(seen.at("waiters").at(0).at("seconds") >= 0);
    CHECK(the_lock(ctl, "deep").at("levels") == 2);
    CHECK(the_lock(ctl, "deep").at("kind") == "rlock");
    CHECK(the_lock(ctl, "idle").is_null());
    const auto text = ctl("locks").out;
    CHECK(text.find("ledger  lock") != std::string::npos);
    CHECK(text.find("PID " + std::to_string(::getpid())) != std::string::npos);
    CHECK(text.find("waits: PID " + std::to_string(waiter.pid())) != std::string::npos);
    CHECK(text.find(", 2 times") != std::string::npos);
    // Nobody has to wait for an age: the daemon looks at what is held.
    CHECK(eventually([&] { return the_lock(ctl, "deep").at("held_seconds").is_number(); }));
    lock.unlock();
    REQUIRE(waiter.join() == 0);
    recursive.unlock();
    recursive.unlock();
    CHECK(ctl("locks", "--json").out == "[]\n");
    CHECK(ctl("locks", "--deadlocks").code == 1);
}

TEST_CASE("a circle that nobody breaks is shown, logged once, and ended by force") {
    Daemon daemon;
    const Ctl ctl(daemon.address());
    const Manager manager = Manager::connect(daemon.address());
    auto a = manager.lock("a");
    auto b = manager.lock("b");
    const muster::test::Shared<std::atomic<int>> have;
    const auto cross = [&](Lock first, Lock second) {
        first.lock();
        ++*have;
        while (have->load() < 2) std::this_thread::yield();
        second.lock(OnDeadlock::report);
        second.unlock();
        try {
            first.unlock();
        } catch (const muster::Error& error) {
            return error.errc() == muster::Errc::not_owner ? 7 : 1;  // it was broken
        }
        return 0;
    };
    Child one([&] { return cross(a, b); });
    Child two([&] { return cross(b, a); });
    REQUIRE(eventually([&] { return ctl("locks", "--deadlocks").code == 0; }));
    const json circles = ctl("locks", "--deadlocks", "--json").json();
    REQUIRE(circles.size() == 1);
    CHECK(circles.at(0).at("threads").size() == 2);
    const std::string text = ctl("locks", "--deadlocks").out;
    for (const pid_t pid : {one.pid(), two.pid()}) CHECK(text.find("PID " + std::to_string(pid)) != std::string::npos);
    for (const char* part : {"holds lock 'a'", "holds lock 'b'", "for lock 'a'", "for lock 'b'"})
        CHECK(text.find(part) != std::string::npos);
    const auto told = [&] {
        const std::string log = daemon.log();
        std::size_t count = 0;
        for (std::size_t at = log.find(": deadlock: "); at != std::string::npos; at = log.find(": deadlock: ", at + 1)) ++count;
        return count;
    };
    CHECK(eventually([&] { return told() == 1; }));
    const auto broken = ctl("lock", "break", "a");
    CHECK(broken.code == 0);
    CHECK(one.join() == 7);
    CHECK(two.join() == 0);
    CHECK(ctl("locks", "--deadlocks").code == 1);
    CHECK(ctl("lock", "break", "a").code == 1);
    CHECK(ctl("lock", "break", "absent").says({"[no_such_object]"}));
    CHECK(ctl("rlock", "break", "a").says({"[wrong_kind]"}));
    CHECK(told() == 1);
}

TEST_CASE("a name with a line break makes no line of its own in the daemon's log") {
    Daemon daemon;
    const Ctl ctl(daemon.address());
    const Manager manager = Manager::connect(daemon.address());
    Child stuck([&] {
        auto lock = manager.lock("a\n00:00:00.000 musterd: error: forged");
        lock.lock();
        lock.lock(OnDeadlock::report);
        return 0;
    });
    CHECK(eventually([&] { return daemon.log().find(": deadlock: ") != std::string::npos; }));
    CHECK_THAT(daemon.log(), Catch::Matchers::Contains("lock 'a\\x0a00:00:00.000 musterd: error: forged'"));
    CHECK_THAT(daemon.log(), !Catch::Matchers::Contains("\n00:00:00.000"));
    CHECK_THAT(ctl("locks", "--deadlocks").out, !Catch::Matchers::Contains("\n00:00:00.000"));
    stuck.kill(SIGKILL);
    CHECK(eventually([&] { return ctl("locks", "--deadlocks").code == 1; }));
}

TEST_CASE("rlock verbs") {
    Daemon daemon;
    const Ctl ctl(daemon.address());
    CHECK(ctl("rlock", "create", "r").code == 0);
    CHECK(ctl("rlock", "status", "r").out == "free\n");
    CHECK(ctl("show", "r").out == "rlock 'r', free\n");
    const std::string status =
        muster::test::program("musterctl") + " --address " + daemon.address() + " rlock status r";
    const auto inside = ctl("rlock", "run", "r", "--", "sh", "-c", status + "; exit 5");
    CHECK(inside.code == 5);
    CHECK(inside.out.find("held by PID ") == 0);
    CHECK(ctl("rlock", "status", "r", "--json").json()["owner"].is_null());
    CHECK(ctl("lock", "status", "r").says({"[wrong_kind]"}));
}

TEST_CASE("the configuration says whether a deadlock is an error") {
    const muster::test::TempDirectory directory;
    std::ofstream(directory / "musterd.toml") << "deadlock = \"report\"\n";
    Daemon daemon({"--config", directory / "musterd.toml"});
    const Manager manager = Manager::connect(daemon.address());
    auto a = manager.lock("a"), b = manager.lock("b");
    a.lock();
    std::thread other([&] {
        const std::scoped_lock hold(b);
        const std::scoped_lock second(a);
    });
    REQUIRE(eventually([&] { return b.locked(); }));
    CHECK(!b.try_lock_for(200ms));
    a.unlock();
    other.join();
}
