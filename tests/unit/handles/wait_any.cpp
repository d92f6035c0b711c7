// wait_any: what is ready among queues, connections, locks, processes and descriptors.
#include <catch2/catch.hpp>

#include <sys/resource.h>
#include <unistd.h>

#include <thread>

#include <muster/ipc.hpp>

#include "handles/wait_source.hpp"
#include "support/child.hpp"
#include "support/fails_with.hpp"
#include "support/local_realm.hpp"

using namespace muster;
using namespace std::chrono_literals;
using test::Child;
using test::fails_with;
using Places = std::vector<std::size_t>;

namespace {

// As a system without futex_waitv.
struct WithoutWaitv {
    const bool before = detail::use_futex_waitv(false);
    ~WithoutWaitv() { detail::use_futex_waitv(before); }
};

// Is it asleep in the kernel: has its thread been switched out and is it not running?
bool asleep(pid_t pid) {
    char path[64];
    std::snprintf(path, sizeof path, "/proc/%d/syscall", static_cast<int>(pid));
    std::FILE* file = std::fopen(path, "r");
    if (file == nullptr) return false;
    char text[256] = {};
    const bool read = std::fgets(text, sizeof text, file) != nullptr;
    std::fclose(file);
    return read && (std::strtol(text, nullptr, 10) == 449 || std::strtol(text, nullptr, 10) == SYS_futex);
}

}  // namespace

TEST_CASE("wait_any tells all that are ready, in order, and takes nothing") {
    const test::LocalRealm realm;
    const Manager manager = realm.manager();
    auto empty = manager.queue<int>(), first = manager.queue<int>(), second = manager.queue<int>();
    first.put(1);
    second.put(2);
    CHECK(wait_any({empty, first, second}) == Places{1, 2});
    CHECK(wait_any_for({empty, first, second}, 1h) == Places{1, 2});
    CHECK(first.size() == 1);
    CHECK(wait_any({}).empty());
}

TEST_CASE("wait_any with a timeout tells nothing when nothing is ready in time") {
    const test::LocalRealm realm;
    auto a = realm.manager().queue<int>(), b = realm.manager().queue<int>();
    CHECK(wait_any_for({a, b}, 0s).empty());
    CHECK(wait_any_for({a, b}, -1s).empty());
    CHECK(wait_any_for({a, b}, 30ms).empty());
    CHECK(wait_any_until({a, b}, std::chrono::steady_clock::now() + 10ms).empty());
    const WithoutWaitv without;
    CHECK(wait_any_for({a, b}, 30ms).empty());
}

TEST_CASE("wait_any sleeps until one of them is ready, by threads and by processes") {
    const bool waitv = GENERATE(true, false);
    INFO((waitv ? "with" : "without") << " futex_waitv");
    const bool before = detail::use_futex_waitv(waitv);
    const test::LocalRealm realm;
    const Manager manager = realm.manager();
    auto jobs = manager.queue<int>(), other = manager.queue<int>();
    SECTION("a thread puts") {
        std::thread putter([&] { jobs.put(1); });
        CHECK(wait_any({other, jobs}) == Places{1});
        putter.join();
    }
    SECTION("another process puts, once it sleeps") {
        Child waiter([&] { return wait_any({other, jobs}) == Places{1} ? 0 : 1; });
        CHECK(test::eventually([&] { return asleep(waiter.pid()); }));
        jobs.put(1);
        CHECK(waiter.join() == 0);
    }
    SECTION("a queue is closed") {
        std::thread closer([&] { jobs.close(); });
        CHECK(wait_any({other, jobs}) == Places{1});
        closer.join();
        CHECK(wait_any({Waitable::room(jobs)}) == Places{0});
    }
    SECTION("there is room") {
        auto full = manager.queue<int>({.maxsize = 1});
        full.put(1);
        CHECK(wait_any_for({Waitable::room(full)}, 10ms).empty());
        std::thread getter([&] { (void)full.get(); });
        CHECK(wait_any({other, Waitable::room(full)}) == Places{1});
        getter.join();
    }
    SECTION("a lock is unlocked") {
        Lock lock = manager.lock();
        lock.lock();
        CHECK(wait_any_for({lock, other}, 30ms).empty());
        std::thread opener([&] { lock.unlock(); });
        CHECK(wait_any({lock, other}) == Places{0});
        opener.join();
        CHECK(wait_any({lock}) == Places{0});
    }
    SECTION("a lock's holder dies") {
        Lock lock = manager.lock();
        Child holder([&] { return lock.lock(), 0; });
        CHECK(holder.join() == 0);
        CHECK(wait_any({lock, other}) == Places{0});
    }
    SECTION("an event is set") {
        Event event = manager.event();
        CHECK(wait_any_for({event, other}, 10ms).empty());
        Child setter([&] { return event.set(), 0; });
        CHECK(wait_any({other, event}) == Places{1});
        CHECK(setter.join() == 0);
        event.clear();
        CHECK(wait_any_for({event}, 0s).empty());
    }
    SECTION("a permit comes back, also of the dead") {
        Semaphore semaphore = manager.semaphore(1);
        CHECK(wait_any({other, semaphore}) == Places{1});
        REQUIRE(semaphore.try_acquire());
        CHECK(wait_any_for({semaphore, other}, 10ms).empty());
        std::thread releaser([&] { semaphore.release(); });
        CHECK(wait_any({other, semaphore}) == Places{1});
        releaser.join();
        Child taker([&] { return semaphore.acquire(), 0; });
        CHECK(taker.join() == 0);
        CHECK(wait_any({other, semaphore}) == Places{1});
    }
    SECTION("a message comes, and the end of all") {
        auto [ours, theirs] = manager.pipe<int>();
        CHECK(wait_any_for({ours, other}, 10ms).empty());
        {
            Child sender([end = theirs] { return end.send(4), 0; });
            CHECK(wait_any({other, ours}) == Places{1});
            CHECK(ours.recv() == 4);
            CHECK(sender.join() == 0);
        }
        theirs.close();
        CHECK(wait_any({other, ours}) == Places{1});
    }
    SECTION("a process ends") {
        Process process([&] { (void)other.get(); });
        CHECK_THROWS_MATCHES(wait_any({process}), Error, fails_with(Errc::not_running));
        process.start();
        CHECK(wait_any_for({jobs, process}, 20ms).empty());
        CHECK(wait_any_for({process}, 20ms).empty());
        other.put(1);
        CHECK(wait_any({jobs, process}) == Places{1});
        CHECK(wait_any({process}) == Places{0});
        CHECK(process.exitcode() == 0);
        CHECK(wait_any({process, jobs}) == Places{0});  // also when it was reaped
        process.close();
        CHECK_THROWS_MATCHES(wait_any({process}), Error, fails_with(Errc::closed));
    }
    SECTION("an item comes while a process is waited for, too") {
        Process process([&] { (void)other.get(); });
        process.start();
        std::thread putter([&] { jobs.put(1); });
        CHECK(wait_any({process, jobs}) == Places{1});
        putter.join();
        other.put(1);
        process.join();
    }
    SECTION("a descriptor is readable, and at its end") {
        int ends[2];
        REQUIRE(::pipe(ends) == 0);
        const Waitable readable = Waitable::readable(ends[0]);
        CHECK(wait_any_for({readable, jobs}, 10ms).empty());
        std::thread writer([&] { [[maybe_unused]] const auto done = ::write(ends[1], "x", 1); });
        CHECK(wait_any({jobs, readable}) == Places{1});
        writer.join();
        char read = 0;
        CHECK(::read(ends[0], &read, 1) == 1);
        CHECK(wait_any_for({jobs, readable}, 10ms).empty());
        ::close(ends[1]);
        CHECK(wait_any({readable}) == Places{0});
        ::close(ends[0]);
    }
    SECTION("more than the system can wait for at once") {
        std::vector<Waitable> many;
        std::vector<Queue<int>> queues;
        for (int i = 0; i < 150; ++i) many.emplace_back(queues.emplace_back(manager.queue<int>()));
        CHECK(wait_any_for(many, 20ms).empty());
        std::thread putter([&] { queues[149].put(1); });
        CHECK(wait_any(many) == Places{149});
        putter.join();
    }
    detail::use_futex_waitv(before);
}

TEST_CASE("an object that is erased while wait_any sleeps on it is an error") {
    const test::LocalRealm realm;
    const Manager manager = realm.manager();
    auto gone = manager.queue<int>("gone");
    Child waiter([&] {
        try {
            (void)wait_any({manager.queue<int>("stays"), gone});
        } catch (const Error& error) {
            return error.errc() == Errc::destroyed && error.subject() == "queue 'gone'" ? 0 : 2;
        }
        return 1;
    });
    CHECK(test::eventually([&] { return asleep(waiter.pid()); }));
    manager.erase("gone");
    CHECK(waiter.join() == 0);
    CHECK_THROWS_MATCHES(wait_any({gone}), Error, fails_with(Errc::destroyed));
}

TEST_CASE("a connection that was closed here, or only sends, is no thing to wait for") {
    const test::LocalRealm realm;
    auto [receiver, sender] = realm.manager().pipe<int>(false);
    CHECK_THROWS_MATCHES(wait_any({sender}), Error, fails_with(Errc::invalid_argument));
    receiver.close();
    CHECK_THROWS_MATCHES(wait_any({receiver}), Error, fails_with(Errc::closed));
}

TEST_CASE("a wake-up that comes to wait_any is passed on to those who get") {
    const test::LocalRealm realm;
    auto queue = realm.manager().queue<int>(), other = realm.manager().queue<int>();
    for (int i = 0; i < 60; ++i) {
        // The one that came first is woken first, as a rule.
        Child any([&] { return wait_any({other, queue}) == Places{1} ? 0 : 1; });
        if (i % 2 == 0) test::eventually([&] { return asleep(any.pid()); });
        Child getter([&] { return queue.get_for(20s) == i ? 0 : 1; });
        if (i % 3 == 0) test::eventually([&] { return asleep(getter.pid()); });
        queue.put(i);
        REQUIRE(getter.join() == 0);
        queue.put(-1);  // where the getter was faster
        REQUIRE(any.join() == 0);
        REQUIRE(queue.get() == -1);
    }
}

TEST_CASE("those who wait_any for long use no time of a core to speak of") {
    const test::LocalRealm realm;
    auto a = realm.manager().queue<int>(), b = realm.manager().queue<int>();
    const auto used = [] {
        rusage now{};
        ::getrusage(RUSAGE_THREAD, &now);
        return std::chrono::seconds(now.ru_utime.tv_sec + now.ru_stime.tv_sec) +
               std::chrono::microseconds(now.ru_utime.tv_usec + now.ru_stime.tv_usec);
    };
    std::vector<std::chrono::microseconds> times(10);
    std::vector<std::thread> waiters;
    for (auto& time : times)
        waiters.emplace_back([&] {
            (void)wait_any_for({a, b}, 1s);
            time = used();
        });
    for (std::thread& waiter : waiters) waiter.join();
    std::chrono::microseconds all{0};
    for (const auto time : times) all += time;
    CHECK(all < 100ms);  // of ten seconds of waiting: one percent
}
