// Executors: one interface, by processes and by threads.
#include "support.hpp"

using namespace muster;
using namespace muster::test;

namespace {

// Both kinds, one after the other.
template <typename Body>
void with_each(Body&& body, int workers = 2) {
    SECTION("threads") {
        ThreadExecutor executor({.threads = workers});
        body(static_cast<Executor&>(executor));
    }
    SECTION("processes") {
        need_processes();
        const LocalRealm realm;
        ProcessExecutor executor(realm.manager(), {.processes = workers});
        body(static_cast<Executor&>(executor));
    }
}

}  // namespace

TEST_CASE("submit gives a future: result, exception, done, running") {
    with_each([](Executor& executor) {
        const auto nine = executor.submit(square, 3);
        CHECK(nine.result() == 9);
        CHECK(nine.result(1s) == 9);
        CHECK(nine.done());
        CHECK(!nine.running());
        CHECK(!nine.cancelled());
        CHECK(nine.exception() == nullptr);
        CHECK(!nine.cancel());
        const auto failed = executor.submit([] { throw Error(Errc::key_error, "get", "dict"); });
        CHECK_THROWS_MATCHES(failed.result(), Error, fails_with(Errc::key_error));
        CHECK_THROWS_MATCHES(std::rethrow_exception(failed.exception()), Error, fails_with(Errc::key_error));
        const SharedGate gate;
        const auto waits = executor.submit(pass, address(*gate));
        CHECK_THROWS_MATCHES(waits.result(5ms), Error, fails_with(Errc::timeout));
        CHECK_THROWS_MATCHES(waits.exception(5ms), Error, fails_with(Errc::timeout));
        REQUIRE(eventually([&] { return gate->inside == 1; }));
        CHECK(waits.running());
        CHECK(!waits.done());
        CHECK(!waits.cancel());
        gate->open = 1;
        CHECK(waits.result());
    });
}

TEST_CASE("a future is cancelled only while it is queued, and then never runs") {
    with_each([](Executor& executor) {
        const SharedGate gate;
        const auto busy = executor.submit(pass, address(*gate));
        REQUIRE(eventually([&] { return gate->inside == 1; }));
        std::vector<Future<bool>> queued;
        for (int i = 0; i < 4; ++i) queued.push_back(executor.submit(pass, address(*gate)));
        int told = 0;
        queued[3].add_done_callback([&](const Future<bool>& done) { told += done.cancelled() ? 1 : 100; });
        CHECK(queued[3].cancel());
        CHECK(queued[3].cancel());
        CHECK(told == 1);
        CHECK(queued[3].cancelled());
        CHECK(queued[3].done());
        CHECK(!queued[3].running());
        CHECK_THROWS_MATCHES(queued[3].result(), Error, fails_with(Errc::cancelled));
        CHECK_THROWS_MATCHES(queued[3].exception(), Error, fails_with(Errc::cancelled));
        gate->open = 1;
        for (int i = 0; i < 3; ++i) CHECK(queued[static_cast<std::size_t>(i)].result());
        executor.shutdown();
        CHECK(gate->inside == 4);
    }, 1);
}

TEST_CASE("done callbacks are called once each, with the future, also when it is done already") {
    with_each([](Executor& executor) {
        const SharedGate gate;
        const auto future = executor.submit(pass, address(*gate));
        std::atomic<int> called{0};
        for (int i = 0; i < 3; ++i) future.add_done_callback([&](const Future<bool>& done) { called += done.result() ? 1 : 100; });
        future.add_done_callback([](const Future<bool>&) { throw std::runtime_error("it is reported"); });
        CHECK(called == 0);
        gate->open = 1;
        CHECK(future.result());
        CHECK(eventually([&] { return called == 3; }));
        const auto here = std::this_thread::get_id();
        future.add_done_callback([&](const Future<bool>&) { called += std::this_thread::get_id() == here ? 1 : 100; });
        CHECK(called == 4);
    });
}

TEST_CASE("an executor's map gives results in order, lazily, within one timeout") {
    with_each([](Executor& executor) {
        std::vector<int> all;
        for (const int each : executor.map(square, up_to(20), {.chunk = 3})) all.push_back(each);
        REQUIRE(all.size() == 20);
        CHECK(all[19] == 361);
        const SharedGate gate;
        struct Item { bool waits; std::uintptr_t gate; };
        auto results = executor.map([](Item item) { return item.waits ? pass(item.gate) : false; },
                                    std::vector<Item>{{false, 0}, {true, address(*gate)}}, {.timeout = 200ms});
        CHECK(results.next() == false);  // before the second one is there
        CHECK_THROWS_MATCHES(results.next(), Error, fails_with(Errc::timeout));
        CHECK_THROWS_MATCHES(results.next(), Error, fails_with(Errc::timeout));
        gate->open = 1;
    });
}

TEST_CASE("what a map has not begun is dropped with its results") {
    with_each([](Executor& executor) {
        const SharedGate gate;
        {
            auto results = executor.map(pass, std::vector<std::uintptr_t>(50, address(*gate)));
            REQUIRE(eventually([&] { return gate->inside == 1; }));
        }
        gate->open = 1;
        executor.shutdown();
        CHECK(gate->inside <= 3);
    }, 1);
}

TEST_CASE("shutdown waits or not, cancels or not, and work after it is closed") {
    with_each([](Executor& executor) {
        const SharedGate gate;
        std::vector<Future<bool>> futures;
        for (int i = 0; i < 8; ++i) futures.push_back(executor.submit(pass, address(*gate)));
        REQUIRE(eventually([&] { return gate->inside >= 1; }));
        executor.shutdown(false, true);
        CHECK_THROWS_MATCHES(executor.submit(square, 1), Error, fails_with(Errc::closed));
        CHECK(futures[7].cancelled());
        CHECK(!futures[0].done());
        gate->open = 1;
        executor.shutdown();
        CHECK(futures[0].result());
        for (const auto& future : futures) CHECK(future.done());
    }, 1);
}

TEST_CASE("an executor's destructor waits for what was submitted") {
    std::optional<Future<int>> future;
    SECTION("threads") {
        ThreadExecutor executor;
        future = executor.submit([](int n) { sleep_for(20); return n; }, 5);
    }
    SECTION("processes") {
        need_processes();
        const LocalRealm realm;
        ProcessExecutor executor(realm.manager(), {.processes = 1});
        future = executor.submit([](int n) { sleep_for(20); return n; }, 5);
    }
    REQUIRE(future->done());
    CHECK(future->result() == 5);
    CHECK(!has_children());
}

TEST_CASE("a dead worker breaks one future, and the executor goes on") {
    need_processes();
    const LocalRealm realm;
    ProcessExecutor executor(realm.manager(), {.processes = 2});
    std::vector<Future<int>> futures;
    for (int i = 0; i < 20; ++i) futures.push_back(executor.submit([](int n) { return n == 7 ? kill_self(SIGKILL) : n; }, i));
    for (int i = 0; i < 20; ++i) {
        const auto& future = futures[static_cast<std::size_t>(i)];
        if (i == 7) CHECK_THROWS_MATCHES(future.result(), Error, fails_with(Errc::worker_died));
        else CHECK(future.result() == i);
    }
    CHECK(executor.submit(square, 6).result() == 36);
    CHECK(executor.pids().size() == 2);
}

TEST_CASE("a thread executor by its own name takes any callable and any value") {
    ThreadExecutor executor({.threads = 1});
    const auto text = std::make_shared<std::string>("shared");
    CHECK(executor.submit([text] { return text; }).result() == text);
    auto results = executor.map([text](std::shared_ptr<int> n) { return *text + std::to_string(*n); },
                                std::vector<std::shared_ptr<int>>{std::make_shared<int>(4)});
    CHECK(results.next() == "shared4");
    CHECK_THROWS_AS(executor.submit([]() -> int { throw 7; }).result(), int);
}
