// Forks, forks of forks, exec and threads: what a process holds is its own, not its parent's nor its children's.
#include <catch2/catch.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "identity/namespace.hpp"
#include "support/child.hpp"
#include "support/local_realm.hpp"

using namespace muster;
using namespace std::chrono_literals;
using test::Child;
using test::eventually;

namespace {

constexpr auto many_slices = 350ms;

bool gone(pid_t pid) { return ::kill(pid, 0) != 0 && errno == ESRCH; }

}  // namespace

TEST_CASE("a grandchild's lock is its own, when its parent has ended") {
    const test::LocalRealm realm;
    Lock lock = realm.manager().lock();
    const test::Shared<std::atomic<pid_t>> grandchild;
    const test::Shared<std::atomic<bool>> let_go;
    Child parent([&] {
        if (!lock.try_lock()) return 1;
        lock.unlock();
        const pid_t pid = ::fork();
        if (pid != 0) return 0;
        lock.lock();
        grandchild->store(::getpid());
        (void)eventually([&] { return let_go->load(); });
        lock.unlock();
        ::_exit(0);
    });
    REQUIRE(parent.join() == 0);
    REQUIRE(eventually([&] { return grandchild->load() != 0; }));
    session::Realm service = realm.daemon();
    service.reclaim_dead({});
    CHECK_FALSE(lock.try_lock_for(many_slices));
    CHECK(lock.owner()->pid == grandchild->load());
    let_go->store(true);
    CHECK(lock.try_lock_for(20s));
    CHECK_FALSE(lock.previous_owner_died());
}

TEST_CASE("a lock whose holder forked and died is released, though its child lives") {
    const test::LocalRealm realm;
    Lock lock = realm.manager().lock();
    const test::Shared<std::atomic<pid_t>> grandchild;
    const test::Shared<std::atomic<bool>> let_go;
    Child holder([&] {
        lock.lock();
        const pid_t pid = ::fork();
        if (pid != 0) return 0;
        grandchild->store(::getpid());
        (void)eventually([&] { return let_go->load(); });
        ::_exit(0);
    });
    REQUIRE(holder.join() == 0);
    CHECK(lock.try_lock_for(20s));
    CHECK(lock.previous_owner_died());
    let_go->store(true);
    CHECK(eventually([&] { return gone(grandchild->load()); }));
}

TEST_CASE("the end of a child that never used the library takes nothing from its parent") {
    const test::LocalRealm realm;
    const Manager manager = realm.manager();
    session::Realm service = realm.daemon();
    Lock lock = manager.lock();
    auto kept = manager.dict<int, int>();
    kept.insert_or_assign(1, 1);
    lock.lock();
    for (int i = 0; i < 20; ++i) REQUIRE(Child([] { return 0; }).join() == 0);
    service.reclaim_dead({});
    CHECK(lock.owner()->pid == ::getpid());
    CHECK_FALSE(std::async(std::launch::async, [&] { return lock.try_lock_for(many_slices); }).get());
    CHECK(kept.get(1) == 1);
    CHECK(service.session_count() == 1);
    lock.unlock();
    CHECK_FALSE(lock.previous_owner_died());
}

TEST_CASE("a thread that ended with a lock has no successor, though its slot has") {
    const test::LocalRealm realm;
    const Manager manager = realm.manager();
    Lock lock = manager.lock(), other = manager.lock();
    std::thread([&] { lock.lock(); }).join();
    const test::Shared<std::atomic<bool>> done;
    std::thread next([&] {  // takes the free slot, and lives on
        other.lock();
        (void)eventually([&] { return done->load(); });
    });
    CHECK(eventually([&] { return other.locked(); }));
    CHECK_FALSE(lock.owner());
    CHECK(lock.try_lock_for(20s));
    CHECK(lock.previous_owner_died());
    CHECK(other.locked());
    done->store(true);
    next.join();
}

TEST_CASE("what a program holds when it becomes another one is released at its end, and not before") {
    const test::LocalRealm realm;
    const Manager manager = realm.manager();
    Lock lock = manager.lock();
    auto dict = manager.dict<int, int>();
    int gate[2];
    REQUIRE(::pipe(gate) == 0);  // of which it inherits the reading end as its standard input
    Child program([&] {
        lock.lock();
        dict.insert_or_assign(1, 1);
        ::dup2(gate[0], 0);
        ::close(gate[1]);
        ::execlp("cat", "cat", nullptr);
        return 1;
    });
    ::close(gate[0]);
    const std::string executable = "/proc/" + std::to_string(program.pid()) + "/exe";
    CHECK(eventually([&] {
        char path[256];
        const ssize_t size = ::readlink(executable.c_str(), path, sizeof path);
        return size > 0 && std::string(path, static_cast<std::size_t>(size)).find("test-") == std::string::npos;
    }));
    CHECK_FALSE(lock.try_lock_for(many_slices));
    dict.insert_or_assign(2, 2);  // it is inside of nothing
    CHECK(dict.size() == 2);
    ::close(gate[1]);
    CHECK(program.join() == 0);
    CHECK(lock.try_lock_for(20s));
    CHECK(lock.previous_owner_died());
}

TEST_CASE("children forked while a thread changes an object use it at once, and do not let themselves in") {
    const test::LocalRealm realm;
    const Manager manager = realm.manager();
    auto list = manager.list<int>("list");
    auto dict = manager.dict<int, int>("dict");
    std::vector<int> many(20'000);
    for (int i = 0; i < 20'000; ++i) many[static_cast<std::size_t>(i)] = i * 7919 % 20'011;
    std::atomic<bool> done{false};
    std::atomic<int> rounds{0};
    std::thread busy([&] {  // nearly always inside of one of the two
        while (!done.load()) {
            list.clear();
            list.extend(many);
            list.sort();
            for (int i = 0; i < 200; ++i) dict.insert_or_assign(i, i);
            ++rounds;
        }
    });
    constexpr int children = 60;
    for (int i = 0; i < children; ++i) {
        Child child([&, i] {
            list.push_back(-1);
            dict.insert_or_assign(1000 + i, i);
            return 0;
        });
        REQUIRE(child.join() == 0);
    }
    CHECK(eventually([&] { return rounds.load() > 0; }));
    done = true;
    busy.join();
    for (int i = 0; i < children; ++i) CHECK(dict.get(1000 + i) == i);
    session::Realm service = realm.daemon();
    CHECK(service.check().violations.empty());
    // Nobody was taken for dead: no lock changed hands but by its holder.
    const segment::Segment& segment = realm.session().segment();
    for (const char* name : {"list", "dict"}) {
        const auto entry = realm.session().directory().find_any(name);
        CHECK(heap::object_at(segment, entry->ref.id).domain.recoveries == 0);
    }
}

TEST_CASE("a child that is forked beside threads that allocate, start others and lock can do all of it") {
    const test::LocalRealm realm;
    Lock lock = realm.manager().lock();
    std::atomic<bool> stop = false;
    const auto work = [&] {
        std::thread([] { (void)std::make_unique<std::string>(1000, 'x'); }).join();
        const std::lock_guard guard(lock);
        (void)std::make_unique<std::string>(1000, 'y');
    };
    std::vector<std::thread> busy;
    for (int i = 0; i < 2; ++i)
        busy.emplace_back([&] {
            while (!stop) work();
        });
    int unfinished = 0;
    for (int i = 0; i < 200; ++i) {
        const test::Shared<std::atomic<bool>> done;
        Child child([&] {
            work();
            done->store(true);
            return 0;
        });
        if (!eventually([&] { return done->load(); }, 5s)) ++unfinished;  // its destructor kills it
        else if (child.join() != 0) ++unfinished;
    }
    stop = true;
    for (std::thread& thread : busy) thread.join();
    CHECK(unfinished == 0);
}
