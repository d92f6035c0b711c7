// The pool of threads: the same calls, for anything that can be called.
#include "support.hpp"

using namespace muster;
using namespace muster::test;

TEST_CASE("a thread pool does what a pool does, with any callable and any value") {
    ThreadPool pool({.threads = 3});
    const auto here = std::this_thread::get_id();
    CHECK(pool.apply([here] { return std::this_thread::get_id() != here; }));
    const std::string text = "captured";
    CHECK(pool.apply([text](int n) { return text + std::to_string(n); }, 1) == "captured1");
    auto owned = std::make_unique<int>(5);
    CHECK(*pool.apply([](std::unique_ptr<int> given) { return given; }, std::move(owned)) == 5);
    CHECK(pool.map(square, up_to(10)) == std::vector<int>{0, 1, 4, 9, 16, 25, 36, 49, 64, 81});
    CHECK(pool.starmap([](int a, int b) { return a - b; }, std::vector<std::pair<int, int>>{{5, 3}}) == std::vector<int>{2});
    int sum = 0;
    for (const int each : pool.imap(square, std::vector<int>{1, 2, 3})) sum = sum * 10 + each;
    CHECK(sum == 149);
    sum = 0;
    for (const int each : pool.imap_unordered(square, std::vector<int>{1, 2, 3}, 2)) sum += each;
    CHECK(sum == 14);
    CHECK(pool.map(square, std::vector<int>{}).empty());
    CHECK_THROWS_MATCHES(ThreadPool({.threads = 0}), Error, fails_with(Errc::value_error));
}

TEST_CASE("a thread's exception comes out as it was thrown") {
    ThreadPool pool({.threads = 1});
    CHECK_THROWS_AS(pool.apply([] { throw std::out_of_range("far"); }), std::out_of_range);
    CHECK_THROWS_AS(pool.map([](int i) { if (i == 1) throw 7; return i; }, std::vector<int>{0, 1, 2}), int);
}

TEST_CASE("threads are generated when they are needed, up to the number") {
    ThreadPool pool({.threads = 3});
    CHECK(pool.generated() == 0);
    Gate gate;
    const auto first = pool.apply_async([&] { return gate.enter(); });
    REQUIRE(eventually([&] { return gate.inside == 1; }));
    CHECK(pool.generated() == 1);
    CHECK(pool.idle() == 0);
    std::vector<AsyncResult<bool>> more;
    for (int i = 0; i < 5; ++i) more.push_back(pool.apply_async([&] { return gate.enter(); }));
    REQUIRE(eventually([&] { return gate.inside == 3; }));
    CHECK(pool.generated() == 3);
    gate.open = 1;
    for (const auto& each : more) CHECK(each.get());
    CHECK(eventually([&] { return pool.idle() == 3; }));
    CHECK(pool.generated() == 3);
}

TEST_CASE("an idle thread is used before another one is generated") {
    ThreadPool pool({.threads = 4});
    for (int i = 0; i < 20; ++i) {
        CHECK(pool.apply(square, i) == i * i);
        REQUIRE(eventually([&] { return pool.idle() == 1; }));
    }
    CHECK(pool.generated() == 1);
}

TEST_CASE("a thread pool's callbacks run in one thread, before get returns") {
    ThreadPool pool({.threads = 3});
    std::set<std::thread::id> threads;
    int called = 0, failed = 0;
    std::vector<AsyncResult<int>> results;
    for (int i = 0; i < 100; ++i)
        results.push_back(pool.apply_async([](int n) { if (n % 10 == 0) throw n; return n; }, std::tuple(i),
                                           {.callback = [&](int) { ++called; threads.insert(std::this_thread::get_id()); },
                                            .error_callback = [&](std::exception_ptr) { ++failed; threads.insert(std::this_thread::get_id()); }}));
    for (const auto& result : results) result.wait();
    CHECK(called == 90);
    CHECK(failed == 10);
    CHECK(threads.size() == 1);
}

TEST_CASE("a thread pool's end: close drains, terminate drops, whoever waits is told") {
    std::optional<ThreadPool> pool(std::in_place, ThreadPoolOptions{.threads = 1});
    CHECK_THROWS_MATCHES(pool->join(), Error, fails_with(Errc::invalid_argument));
    SECTION("close") {
        std::vector<AsyncResult<int>> results;
        for (int i = 0; i < 20; ++i) results.push_back(pool->apply_async(square, i));
        pool->close();
        CHECK_THROWS_MATCHES(pool->apply(square, 1), Error, fails_with(Errc::closed));
        pool->join();
        for (int i = 0; i < 20; ++i) CHECK(results[static_cast<std::size_t>(i)].get() == i * i);
        CHECK(pool->generated() == 0);
    }
    SECTION("terminate") {
        Gate gate;
        bool told = false;
        const auto runs = pool->apply_async([&] { return gate.enter(); });
        const auto queued = pool->apply_async(square, std::tuple(3), {.error_callback = [&](std::exception_ptr) { told = true; }});
        auto streamed = pool->imap(square, std::vector<int>{1, 2});
        REQUIRE(eventually([&] { return gate.inside == 1; }));
        pool->terminate();
        CHECK_THROWS_MATCHES(runs.get(), Error, fails_with(Errc::closed));  // though it runs still
        CHECK_THROWS_MATCHES(queued.get(), Error, fails_with(Errc::closed));
        CHECK(told);
        CHECK_THROWS_MATCHES(streamed.next(), Error, fails_with(Errc::closed));
        gate.open = 1;
        pool->join();
    }
    SECTION("the destructor") {
        const auto result = pool->apply_async(sleep_for, 20);
        pool.reset();
        CHECK(result.ready());
    }
}

TEST_CASE("an initializer that fails ends the thread pool") {
    ThreadPool pool({.threads = 2, .initializer = [] { throw std::runtime_error("no licence"); }});
    const auto error = error_of([&] { pool.apply(square, 1); });
    CHECK(error.errc() == Errc::start_failed);
    CHECK(error.detail().find("no licence") != std::string::npos);
    CHECK_THROWS_MATCHES(pool.apply(square, 1), Error, fails_with(Errc::start_failed));
}

TEST_CASE("whoever would wait for itself in a thread pool is told") {
    Gate gate;
    ThreadPool pool({.threads = 1});
    std::optional<Errc> in_callback, in_task;
    pool.apply_async(square, std::tuple(1), {.callback = [&](int) {
                         const auto later = pool.apply_async([&] { return gate.enter(); });
                         try { later.get(); } catch (const Error& error) { in_callback = error.errc(); }
                     }}).wait();
    gate.open = 1;
    CHECK(in_callback == Errc::deadlock);
    pool.apply_async([&] {
            pool.close();
            try { pool.join(); } catch (const Error& error) { in_task = error.errc(); }
        }).wait();
    CHECK(in_task == Errc::deadlock);
}
