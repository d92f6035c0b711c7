// Processes that have the number of a dead one, or a number in another PID namespace: nobody is taken for another.
#include <catch2/catch.hpp>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <thread>

#include "identity/namespace.hpp"
#include "support/child.hpp"
#include "support/local_realm.hpp"
#include "support/skip.hpp"

using namespace muster;
using namespace std::chrono_literals;
using test::Child;
using test::eventually;

namespace {

constexpr auto many_slices = 350ms;  // long enough for others to look several times whether the holder lives

// A child that did `work` and was killed; its number.
pid_t killed_after(const std::function<void()>& work) {
    const test::Shared<std::atomic<bool>> done;
    Child child([&]() -> int {
        work();
        done->store(true);
        for (;;) ::pause();
    });
    if (!eventually([&] { return done->load(); })) return 0;
    child.kill(SIGKILL);
    child.join();
    return child.pid();
}

// Runs it in a process that has this number.
std::string as(pid_t pid, const std::function<std::string()>& run) {
    for (int tries = 0; tries < 50; ++tries) {
        if (!test::next_pid(pid)) return "SKIP";
        const std::string said = test::in_child([&]() -> std::string { return ::getpid() == pid ? run() : "other"; });
        if (said != "other") return said;
    }
    return "the number was not to be had";
}

void require_nothing_wrong(const std::string& said) {
    if (said == "SKIP") test::skip("the kernel does not let the next PID be chosen (CONFIG_CHECKPOINT_RESTORE)");
    REQUIRE(said == "");
}

// So that a successor does not start within the same tick, which is as exact as the kernel tells.
void let_a_tick_pass() { std::this_thread::sleep_for(25ms); }

}  // namespace

TEST_CASE("who has a dead holder's PID does not hold its lock, and gets it as anybody does") {
    const test::LocalRealm realm;
    Lock lock = realm.manager().lock("ledger");
    require_nothing_wrong(test::in_pid_namespace(test::Proc::own, [&]() -> std::string {
        const pid_t dead = killed_after([&] { lock.lock(); });
        let_a_tick_pass();
        return as(dead, [&]() -> std::string {
            if (lock.owner()) return "it is taken for the holder";
            if (!lock.try_lock_for(20s)) return "the dead holder lives on in it";
            if (!lock.previous_owner_died()) return "it is not told of the death";
            if (lock.owner()->pid != ::getpid()) return "it is not the holder";
            return "";
        });
    }));
}

TEST_CASE("clean-up after the dead takes nothing from their PID's next bearer") {
    const test::LocalRealm realm;
    Lock lock = realm.manager().lock("ledger");
    require_nothing_wrong(test::in_pid_namespace(test::Proc::own, [&]() -> std::string {
        session::Realm service = realm.daemon();
        const pid_t dead = killed_after([&] { lock.lock(); });
        const auto before = service.sessions();
        if (before.size() != 1 || before[0].pid != dead) return "the dead one's session is not there";
        let_a_tick_pass();
        return as(dead, [&]() -> std::string {
            if (!lock.try_lock_for(20s)) return "the dead one's lock is not released";
            const auto kept = realm.manager().list<int>();  // anonymous: lives by its holder's session
            service.reclaim(before[0].index, before[0].generation);
            service.reclaim_dead({});
            if (!lock.owner() || lock.owner()->pid != ::getpid()) return "its lock was released";
            kept.size();  // throws when it is gone
            const auto after = service.sessions();
            if (after.size() != 1 || after[0].pid != dead) return "not its session alone is there";
            if (service.session_is(before[0].index, before[0].generation, dead)) return "it has the dead one's session";
            return "";
        });
    }));
}

TEST_CASE("nobody is judged by a process of another PID namespace") {
    const test::LocalRealm realm;
    Lock lock = realm.manager().lock("ledger");
    // Known here and used once, so that nothing of it is remembered wrongly in there.
    killed_after([&] { lock.lock(); });
    REQUIRE(lock.try_lock_for(20s));
    for (const test::Proc proc : {test::Proc::own, test::Proc::outer}) {
        INFO((proc == test::Proc::own ? "with a /proc of its own" : "with the outer /proc"));
        REQUIRE(test::in_pid_namespace(proc, [&]() -> std::string {
            return lock.try_lock_for(many_slices) ? "the lock of one who lives outside was taken" : "";
        }) == "");
    }
    lock.unlock();
    const test::Shared<std::atomic<int>> step;
    const auto let_go = [&] { return eventually([&] { return step->load() == 2; }) ? "" : "nobody let it go"; };
    Child holder([&]() -> int {
        const std::string said = test::in_pid_namespace(test::Proc::own, [&]() -> std::string {
            lock.lock();
            step->store(1);
            return let_go();
        });
        return said.empty() ? 0 : 1;
    });
    REQUIRE(eventually([&] { return step->load() == 1; }));
    CHECK_FALSE(lock.try_lock_for(many_slices));
    step->store(2);
    CHECK(holder.join() == 0);
}

TEST_CASE("a /proc that shows other processes under the same numbers makes nobody dead") {
    const test::LocalRealm realm;
    Lock lock = realm.manager().lock("ledger");
    // Outside, there was once a process of the holder's number, and there is none any more.
    auto outer = std::make_unique<Child>([]() -> int {
        for (;;) ::pause();
    });
    const pid_t number = outer->pid();
    const test::Shared<std::atomic<int>> step;
    Child inside([&]() -> int {
        const std::string said = test::in_pid_namespace(test::Proc::outer, [&]() -> std::string {
            const auto holder_is_there = [&] { return step->load() >= 1; };
            for (int tries = 0; tries < 50 && !holder_is_there(); ++tries) {
                if (!test::next_pid(number)) return "SKIP";
                Child holder([&]() -> int {
                    if (::getpid() != number) return 1;
                    lock.lock();
                    step->store(1);
                    return eventually([&] { return step->load() == 3; }) ? 0 : 1;
                });
                if (!eventually([&] {
                        siginfo_t info{};
                        return holder_is_there() ||
                               (::waitid(P_PID, static_cast<id_t>(holder.pid()), &info, WEXITED | WNOHANG | WNOWAIT) ==
                                    0 &&
                                info.si_pid != 0);
                    }))
                    return "the holder does not come";
                if (!holder_is_there()) continue;
                if (!eventually([&] { return step->load() == 2; })) return "the other number stays";
                const bool taken = lock.try_lock_for(many_slices);
                step->store(3);
                if (holder.join() != 0) return "the holder was not let go";
                return taken ? "the lock of one who lives was taken" : "";
            }
            return "the number was not to be had";
        });
        if (!said.empty()) std::fprintf(stderr, "%s\n", said.c_str());
        return said.empty() ? 0 : said == "SKIP" ? 77 : 1;
    });
    const bool came = eventually([&] { return step->load() >= 1; });
    outer.reset();
    if (came) step->store(2);
    const int code = inside.join();
    if (code == 77) test::skip("the kernel does not let the next PID be chosen (CONFIG_CHECKPOINT_RESTORE)");
    REQUIRE(code == 0);
}

TEST_CASE("who has no descriptor left to look with takes nobody for dead") {
    const test::LocalRealm realm;
    Lock lock = realm.manager().lock("ledger");
    lock.lock();
    REQUIRE(test::in_child([&]() -> std::string {
        (void)lock.try_lock();  // attached while it still could look at itself
        const rlimit none{0, 0};
        if (::setrlimit(RLIMIT_NOFILE, &none) != 0) return "setrlimit";
        return lock.try_lock_for(many_slices) ? "the lock of one who lives was taken" : "";
    }) == "");
    lock.unlock();
}
