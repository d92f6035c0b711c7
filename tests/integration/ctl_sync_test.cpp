// musterctl's verbs for semaphores, events, conditions and barriers, against a real daemon.
#include <catch2/catch.hpp>

#include <muster/manager.hpp>
#include <thread>

#include "ctl_program.hpp"

using muster::test::Ctl;
using muster::test::Daemon;
using nlohmann::json;

TEST_CASE("semaphore verbs") {
    Daemon daemon;
    const Ctl ctl(daemon.address());
    CHECK(ctl("semaphore", "get", "s").code != 0);
    CHECK(ctl("semaphore", "create", "s", "2", "--bounded").code == 0);
    CHECK(ctl("semaphore", "get", "s").out == "2\n");
    CHECK(ctl("semaphore", "acquire", "s").code == 0);  // for good: it outlives musterctl
    CHECK(ctl("semaphore", "get", "s").out == "1\n");
    CHECK(ctl("semaphore", "acquire", "s").code == 0);
    CHECK(ctl("semaphore", "acquire", "s", "--timeout", "20ms").code == 1);
    CHECK(ctl("show", "s").out == "bounded semaphore 's', 0 free\n");
    CHECK(ctl("semaphore", "release", "s", "2").code == 0);
    const auto too_often = ctl("semaphore", "release", "s");
    CHECK(too_often.code == 4);
    CHECK(too_often.says({"[released_too_often]", "semaphore 's'"}));
    CHECK(ctl("semaphore", "run", "s", "--", "sh", "-c", "exit 7").code == 7);
    CHECK(ctl("show", "s", "--json").json() == json{{"free", 2}, {"bounded", true}});
    CHECK(ctl("objects", "--json").json().at(0).at("size") == 2);
}

TEST_CASE("event verbs") {
    Daemon daemon;
    const Ctl ctl(daemon.address());
    CHECK(ctl("event", "create", "e").code == 0);
    CHECK(ctl("event", "is-set", "e").out == "false\n");
    CHECK(ctl("event", "wait", "e", "--timeout", "20ms").code == 1);
    CHECK(ctl("event", "set", "e").code == 0);
    CHECK(ctl("event", "is-set", "e").code == 0);
    CHECK(ctl("event", "wait", "e").code == 0);
    CHECK(ctl("show", "e").out == "event 'e', set\n");
    CHECK(ctl("event", "clear", "e").code == 0);
    CHECK(ctl("event", "is-set", "e").code == 1);
}

TEST_CASE("barrier verbs") {
    Daemon daemon;
    const Ctl ctl(daemon.address());
    CHECK(ctl("barrier", "create", "b").code == 4);
    CHECK(ctl("barrier", "create", "b", "2").code == 0);
    CHECK(ctl("barrier", "status", "b").out == "0 of 2 wait\n");
    const auto late = ctl("barrier", "wait", "b", "--timeout", "20ms");
    CHECK(late.says({"[broken_barrier]", "barrier 'b'"}));
    CHECK(ctl("barrier", "status", "b", "--json").json().at("broken") == true);
    CHECK(ctl("barrier", "reset", "b").code == 0);
    auto barrier = muster::Manager::connect(daemon.address()).barrier("b", 2);
    std::thread other([&] { (void)barrier.wait(); });
    CHECK(ctl("barrier", "wait", "b").code == 0);
    other.join();
    CHECK(ctl("barrier", "abort", "b").code == 0);
    CHECK(ctl("show", "b").out == "barrier 'b', 0 of 2 wait, broken\n");
}

TEST_CASE("condition verbs") {
    Daemon daemon;
    const Ctl ctl(daemon.address());
    auto condition = muster::Manager::connect(daemon.address()).condition("c");
    std::thread waiter([&] {
        const std::scoped_lock hold(condition);
        condition.wait();
    });
    while (condition.n_waiting() == 0) std::this_thread::yield();
    CHECK(ctl("condition", "status", "c").out == "1 wait, the lock is free\n");
    CHECK(ctl("condition", "notify", "c", "1").code == 0);
    waiter.join();
    CHECK(ctl("condition", "notify", "c").code == 0);
    CHECK(ctl("show", "c", "--json").json() == json{{"waiting", 0}, {"locked", false}});
}
