// The daemon while clients are stopped inside: it says so, and goes on serving everybody.
#include <catch2/catch.hpp>

#include <csignal>

#include <muster/manager.hpp>
#include <nlohmann/json.hpp>

#include "session/session.hpp"
#include "stopped/inside.hpp"
#include "support/daemon_fixture.hpp"

using namespace muster;
using namespace std::chrono_literals;
using nlohmann::json;
using test::Child;
using test::domain_at;
using test::domain_of;
using test::eventually;
using test::StoppedInside;

namespace {

json status(const test::Daemon& daemon) {
    const test::Ran ran = daemon.ctl({"status", "--json"});
    REQUIRE(ran.status == 0);
    return json::parse(ran.out);
}

// What the status says of the object, null when nothing (any more).
json blocked(const test::Daemon& daemon, const std::string& object) {
    const json all = status(daemon);
    for (const json& realm : all.at("realms"))
        for (const json& one : realm.at("blocked"))
            if (one.at("object") == object) return one;
    return nullptr;
}

bool shown(const test::Daemon& daemon, const std::string& object, pid_t pid) {
    json found;
    if (!eventually([&] { return !(found = blocked(daemon, object)).is_null(); })) return false;
    INFO(found.dump());
    CHECK(found.at("pid") == pid);
    CHECK(found.at("tid") == pid);
    CHECK(found.at("program") == "test-stopped");
    CHECK(found.at("stopped") == true);
    CHECK(found.at("seconds") >= 1.0);
    // For people, too.
    const std::string text = daemon.ctl({"status"}).out;
    INFO(text);
    CHECK(text.find("blocked     " + object + " held by PID " + std::to_string(pid) +
                    " (test-stopped), stopped, for at least ") != text.npos);
    return true;
}

std::shared_ptr<session::Session> attach(const test::Daemon& daemon) {
    return session::Session::attach(session::Address::parse(daemon.address()));
}

}  // namespace

TEST_CASE("musterctl status names who is stopped inside an object, and for how long") {
    const test::Daemon daemon;
    const Manager manager = Manager::connect(daemon.address());
    const auto session = attach(daemon);
    auto dict = manager.dict<std::string, int>("totals");
    dict.insert_or_assign("a", 1);
    CHECK(blocked(daemon, "dict 'totals'").is_null());
    StoppedInside stopped(session->segment(), domain_of(session->segment(), "totals"));
    CHECK(shown(daemon, "dict 'totals'", stopped.pid()));

    // Nobody else is affected, and nothing is called damaged.
    const Manager another = Manager::connect(daemon.address());
    another.list<int>("others").push_back(1);
    CHECK(another.erase("others"));
    CHECK(daemon.ctl({"objects"}).status == 0);
    CHECK(status(daemon).at("realms").at(0).at("damaged").is_null());

    stopped.go_on();
    CHECK(stopped.join() == 0);
    CHECK(eventually([&] { return blocked(daemon, "dict 'totals'").is_null(); }));
    CHECK(dict.get("a") == 1);
    CHECK(daemon.ctl({"check"}).out.find("0 violations") != std::string::npos);
}

TEST_CASE("a lock whose holder is stopped is shown while somebody waits for it") {
    const test::Daemon daemon;
    Lock lock = Manager::connect(daemon.address()).lock("ledger");
    Child holder([&] {
        lock.lock();
        ::raise(SIGSTOP);
        lock.unlock();
        return 0;
    });
    REQUIRE(eventually([&] { return test::process_state(holder.pid()) == 'T'; }));
    Child waiter([&] {
        lock.lock();
        lock.unlock();
        return 0;
    });
    CHECK(shown(daemon, "lock 'ledger'", holder.pid()));
    holder.kill(SIGCONT);
    CHECK(holder.join() == 0);
    CHECK(waiter.join() == 0);
    CHECK(eventually([&] { return blocked(daemon, "lock 'ledger'").is_null(); }));
}

TEST_CASE("the daemon serves while a client is stopped inside what all share") {
    const test::Daemon daemon;
    const Manager manager = Manager::connect(daemon.address());
    auto queue = manager.queue<int>("jobs");
    const auto session = attach(daemon);
    const segment::Segment& segment = session->segment();
    const int which = GENERATE(0, 1, 2);
    const std::uint64_t offset = which == 0   ? segment.regions().segment_domain
                                 : which == 1 ? segment.regions().directory_domain
                                              : segment.regions().sessions_domain;
    const std::string name = which == 0   ? "the realm's page table"
                             : which == 1 ? "the realm's directory"
                                          : "the table of sessions";
    CAPTURE(name);
    Lock lock = manager.lock("ledger");
    // A holder that will die meanwhile.
    Child holder([&] {
        lock.lock();
        ::pause();
        return 0;
    });
    REQUIRE(eventually([&] { return lock.locked(); }));
    REQUIRE_FALSE(lock.try_lock());  // and has its own place in the realm from now on

    StoppedInside stopped(segment, domain_at(segment, offset));
    CHECK(shown(daemon, name, stopped.pid()));
    // Attaching is answered, objects that are there work, processes are started.
    CHECK(attach(daemon) != nullptr);
    CHECK(queue.put_for(1, 1s));
    CHECK(queue.get_for(1s) == 1);
    CHECK(daemon.ctl({"run", "--", "true"}).status == 0);
    holder.kill(SIGKILL);
    CHECK(holder.join() == -SIGKILL);
    // A dead holder is told from a live one by the table of sessions alone.
    const bool known = offset != segment.regions().sessions_domain;
    CHECK(lock.try_lock_for(known ? 10s : 1s) == known);
    if (known) lock.unlock();
    // What has to wait for him gets an answer: an error that names him, or what could be done without him.
    const test::Ran objects = daemon.ctl({"objects"});
    INFO(objects.err);
    if (objects.status != 0) CHECK(objects.err.find("PID " + std::to_string(stopped.pid())) != std::string::npos);
    CHECK(status(daemon).at("realms").at(0).at("damaged").is_null());

    stopped.go_on();
    CHECK(stopped.join() == 0);
    CHECK(eventually([&] { return blocked(daemon, name).is_null(); }));
    CHECK(lock.try_lock_for(10s));
    lock.unlock();
    // The dead holder's session is cleaned up after, now that it can be.
    CHECK(eventually([&] { return status(daemon).at("sessions") == 1; }));
    CHECK(daemon.ctl({"check"}).out.find("0 violations") != std::string::npos);
}
