// A pool of processes: single calls, their results, errors and callbacks, and the pool's end.
#include "support.hpp"

using namespace muster;
using namespace muster::test;

namespace {

struct Point {
    int x = 0;
    std::string name;
    friend bool operator==(const Point&, const Point&) = default;
};
Point moved(Point point, int by) {
    point.x += by;
    return point;
}
pid_t own_pid() { return ::getpid(); }
pid_t parents_pid() { return ::getppid(); }

template <typename F>
constexpr bool travels = detail::may_travel<F>;
static_assert(travels<int (*)(int)>);
static_assert(!travels<std::function<int(int)>>);
static_assert(!travels<decltype([text = std::string()] { return text; })>);

}  // namespace

TEST_CASE("a pool without a number has a worker for each processor, one below 1 is an error") {
    need_processes();
    const LocalRealm realm;
    const Pool pool(realm.manager());
    CHECK(pool.pids().size() == std::max(1u, std::thread::hardware_concurrency()));
    CHECK_THROWS_MATCHES(Pool(realm.manager(), {.processes = 0}), Error, fails_with(Errc::value_error));
    CHECK_THROWS_MATCHES(Pool(realm.manager(), {.processes = -3}), Error, fails_with(Errc::value_error));
}

TEST_CASE("apply runs in a worker and gives the result: functions, lambdas, structs, text, nothing") {
    need_processes();
    const LocalRealm realm;
    Pool pool(realm.manager(), {.processes = 2});
    CHECK(pool.apply(square, 7) == 49);
    const auto pids = pool.pids();
    CHECK(std::count(pids.begin(), pids.end(), pool.apply(own_pid)) == 1);
    CHECK(pool.apply(parents_pid) == ::getpid());
    CHECK(pool.apply(moved, Point{1, "here"}, 4) == Point{5, "here"});
    CHECK(pool.apply([](const std::string& a, const std::string& b) { return a + b; }, "to", std::string("gether")) == "together");
    CHECK(pool.apply([by = 3](int i) { return i + by; }, 4) == 7);
    CHECK(pool.apply([](Value value) { return value.at("n").get<int>(); }, Value{{"n", 5}}) == 5);
    CHECK(pool.apply([](int count) { return std::vector<bool>(static_cast<std::size_t>(count), true); }, 3) == std::vector<bool>(3, true));
    STATIC_REQUIRE(std::is_void_v<decltype(pool.apply(sleep_for, 0))>);
    pool.apply(sleep_for, 0);
}

TEST_CASE("handles go to the workers and come back as the objects themselves") {
    need_processes();
    const LocalRealm realm;
    const Manager manager = realm.manager();
    Pool pool(manager, {.processes = 2});
    auto totals = manager.dict<std::string, int>();
    pool.starmap([](Dict<std::string, int> dict, int i) { dict.insert_or_assign(std::to_string(i), i * i); },
                 std::vector<std::tuple<Dict<std::string, int>, int>>{{totals, 1}, {totals, 2}, {totals, 3}});
    CHECK(totals.size() == 3);
    CHECK(totals.at("3") == 9);
    // The task's handle is gone when the result is on its way: only the result holds the object.
    auto list = pool.apply([](List<int> given) { given.push_back(4); return given; }, manager.list<int>());
    CHECK(list.snapshot() == std::vector<int>{4});
}

TEST_CASE("a task's error comes out of get as what it was") {
    need_processes();
    const LocalRealm realm;
    Pool pool(realm.manager(), {.processes = 1});
    const Error given(Errc::key_error, "get", "dict 'totals'", "no 'sum' in it");
    const auto same = error_of([&] { pool.apply([] { throw Error(Errc::key_error, "get", "dict 'totals'", "no 'sum' in it"); }); });
    CHECK(same.errc() == Errc::key_error);
    CHECK(same.operation() == "get");
    CHECK(same.subject() == "dict 'totals'");
    CHECK(same.detail() == "no 'sum' in it");
    CHECK(std::string(same.what()) == given.what());

    const auto other = error_of([&] { pool.apply(fail_with, "the disk is full"); });
    CHECK(other.errc() == Errc::task_failed);
    CHECK(other.detail() == "std::runtime_error: the disk is full");
    CHECK(other.subject() == "task 2");
    CHECK(error_of([&] { pool.apply([] { (void)std::vector<int>().at(1); }); }).errc() == Errc::index_error);
    CHECK(error_of([&] { pool.apply([] { throw std::bad_alloc(); }); }).errc() == Errc::out_of_memory);
    CHECK(error_of([&] { pool.apply([] { throw 42; }); }).detail() == "int");
    CHECK(pool.apply(square, 3) == 9);  // the worker is there still
}

TEST_CASE("get with a timeout throws timeout, and gives the result later") {
    need_processes();
    const LocalRealm realm;
    Pool pool(realm.manager(), {.processes = 1});
    const SharedGate gate;
    const auto result = pool.apply_async(pass, address(*gate));
    CHECK_THROWS_MATCHES(result.get(10ms), Error, fails_with(Errc::timeout));
    CHECK(!result.wait_for(0ms));
    CHECK(!result.ready());
    CHECK_THROWS_MATCHES(result.successful(), Error, fails_with(Errc::value_error));
    gate->open = 1;
    CHECK(result.get(30s));
    CHECK(result.get());  // again
    CHECK(result.ready());
    CHECK(result.successful());
    const auto failed = pool.apply_async(fail_with, "x");
    failed.wait();
    CHECK(!failed.successful());
}

TEST_CASE("callbacks run in one thread of the parent, before get returns") {
    need_processes();
    const LocalRealm realm;
    Pool pool(realm.manager(), {.processes = 2});
    std::set<std::thread::id> threads;  // plain: one thread alone may write it
    std::vector<pid_t> where;
    int errors = 0;
    std::vector<AsyncResult<int>> results;
    for (int i = 0; i < 20; ++i)
        results.push_back(pool.apply_async(square, std::tuple(i), {.callback = [&](int) {
                                               threads.insert(std::this_thread::get_id());
                                               where.push_back(::getpid());
                                           }}));
    for (int i = 0; i < 20; ++i) CHECK(results[static_cast<std::size_t>(i)].get() == i * i);
    CHECK(where == std::vector<pid_t>(20, ::getpid()));
    CHECK(threads.size() == 1);
    CHECK(threads.count(std::this_thread::get_id()) == 0);
    std::string told;
    const auto failed = pool.apply_async(fail_with, std::tuple("no"), {.callback = [&] { told = "called"; },
                                                                       .error_callback = [&](std::exception_ptr error) {
                                                                           ++errors;
                                                                           told = detail::text_of(error);
                                                                       }});
    CHECK_THROWS_MATCHES(failed.get(), Error, fails_with(Errc::task_failed));
    CHECK(errors == 1);
    CHECK(told.find("no") != std::string::npos);
}

TEST_CASE("a callback that throws is reported and kills nothing") {
    need_processes();
    const LocalRealm realm;
    std::vector<std::string> reported;
    Pool pool(realm.manager(), {.processes = 1, .callback_error = [&](std::exception_ptr error) {
                                    reported.push_back(detail::text_of(error));
                                }});
    const auto result = pool.apply_async(square, std::tuple(3), {.callback = [](int) { throw std::runtime_error("callback"); }});
    CHECK(result.get() == 9);
    CHECK(reported == std::vector<std::string>{"callback"});
    CHECK(pool.apply(square, 4) == 16);
}

TEST_CASE("a callback may give more work, and to wait for it there is the error deadlock") {
    need_processes();
    const LocalRealm realm;
    Pool pool(realm.manager(), {.processes = 1});
    std::optional<AsyncResult<int>> second;
    std::optional<Errc> waited, joined;
    pool.apply_async(square, std::tuple(2), {.callback = [&](int four) {
                         second = pool.apply_async(square, four);
                         try { second->get(); } catch (const Error& error) { waited = error.errc(); }
                         pool.close();
                         try { pool.join(); } catch (const Error& error) { joined = error.errc(); }
                     }}).wait();
    CHECK(second->get() == 16);
    CHECK(waited == Errc::deadlock);
    CHECK(joined == Errc::deadlock);
    pool.join();
}

TEST_CASE("close then join drains; join of an open pool is an error, work after close is closed") {
    need_processes();
    const LocalRealm realm;
    Pool pool(realm.manager(), {.processes = 2});
    CHECK_THROWS_MATCHES(pool.join(), Error, fails_with(Errc::invalid_argument));
    std::vector<AsyncResult<int>> results;
    for (int i = 0; i < 50; ++i) results.push_back(pool.apply_async([](int n) { sleep_for(1); return n; }, i));
    pool.close();
    pool.close();
    CHECK_THROWS_MATCHES(pool.apply_async(square, 1), Error, fails_with(Errc::closed));
    CHECK_THROWS_MATCHES(pool.map(square, std::vector<int>{}), Error, fails_with(Errc::closed));
    pool.join();
    pool.join();
    for (int i = 0; i < 50; ++i) {
        REQUIRE(results[static_cast<std::size_t>(i)].ready());
        CHECK(results[static_cast<std::size_t>(i)].get() == i);
    }
    CHECK(pool.pids().empty());
    CHECK(!has_children());
}

TEST_CASE("terminate drops what is queued, and whoever waits is told") {
    need_processes();
    const LocalRealm realm;
    Pool pool(realm.manager(), {.processes = 1});
    const SharedGate gate;
    const auto runs = pool.apply_async(pass, address(*gate));
    const auto queued = pool.map_async(square, up_to(100), {.chunk = 1});
    auto streamed = pool.imap(square, up_to(10));
    REQUIRE(eventually([&] { return gate->inside == 1; }));
    std::thread waiting([&] { CHECK_THROWS_MATCHES(runs.get(), Error, fails_with(Errc::closed)); });
    pool.terminate();
    waiting.join();
    CHECK_THROWS_MATCHES(queued.get(), Error, fails_with(Errc::closed));
    CHECK_THROWS_MATCHES(streamed.next(), Error, fails_with(Errc::closed));
    CHECK(!streamed.next());
    CHECK_THROWS_MATCHES(pool.apply(square, 1), Error, fails_with(Errc::closed));
    pool.join();
    CHECK(!has_children());
}

TEST_CASE("the destructor ends a pool that works, and leaves no process, descriptor or thread") {
    need_processes();
    const LocalRealm realm;
    const auto before = descriptors();
    const SharedGate gate;
    std::optional<AsyncResult<bool>> result;
    {
        Pool pool(realm.manager(), {.processes = 3});
        result = pool.apply_async(pass, address(*gate));
        REQUIRE(eventually([&] { return gate->inside == 1; }));
    }
    CHECK_THROWS_MATCHES(result->get(), Error, fails_with(Errc::closed));
    CHECK(!has_children());
    CHECK(descriptors() <= before + 1);  // this process's own pidfd, from the first fork on
    CHECK(active_children().empty());
}

TEST_CASE("a worker that ignores SIGTERM is killed after a second") {
    need_processes();
    const LocalRealm realm;
    Pool pool(realm.manager(), {.processes = 1, .initializer = [] { ::signal(SIGTERM, SIG_IGN); }});
    const SharedGate gate;
    const auto result = pool.apply_async(pass, address(*gate));
    REQUIRE(eventually([&] { return gate->inside == 1; }));
    pool.terminate();
    CHECK_THROWS_MATCHES(result.get(), Error, fails_with(Errc::closed));
    pool.join();
    CHECK(!has_children());
}

TEST_CASE("a worker is replaced after maxtasksperchild tasks") {
    need_processes();
    const LocalRealm realm;
    Pool pool(realm.manager(), {.processes = 1, .maxtasksperchild = 2});
    std::vector<pid_t> pids;
    for (int i = 0; i < 6; ++i) pids.push_back(pool.apply(own_pid));
    CHECK(pids[0] == pids[1]);
    CHECK(pids[1] != pids[2]);
    CHECK(pids[2] == pids[3]);
    CHECK(std::set<pid_t>(pids.begin(), pids.end()).size() == 3);
    // A chunk is one task.
    const auto of_items = pool.map([](int) { return ::getpid(); }, up_to(8), 4);
    CHECK(std::set<pid_t>(of_items.begin(), of_items.end()).size() == 1);
    CHECK_THROWS_MATCHES(Pool(realm.manager(), {.maxtasksperchild = 0}), Error, fails_with(Errc::value_error));
}

TEST_CASE("each worker calls the initializer, which may capture anything") {
    need_processes();
    const LocalRealm realm;
    static int prepared = 0;
    auto calls = realm.manager().value<int>();
    Pool pool(realm.manager(), {.processes = 2, .initializer = [calls, text = std::string("x")]() mutable {
                                    calls += 1;
                                    prepared = 7;
                                }});
    CHECK(pool.apply([] { return prepared; }) == 7);
    CHECK(prepared == 0);
    CHECK(eventually([&] { return calls.get() == 2; }));
}

TEST_CASE("an initializer that keeps failing ends the pool with an error") {
    need_processes();
    const LocalRealm realm;
    std::string expected;
    std::function<void()> initializer;
    SECTION("by an exception") {
        initializer = [] { throw std::runtime_error("no licence"); };
        expected = "no licence";
    }
    SECTION("by its worker's death") {
        initializer = [] { ::kill(::getpid(), SIGKILL); };
        expected = "SIGKILL";
    }
    Pool pool(realm.manager(), {.processes = 2, .initializer = initializer});
    const auto error = error_of([&] { pool.apply(square, 1); });
    CHECK(error.errc() == Errc::start_failed);
    CHECK(error.detail().find(expected) != std::string::npos);
    CHECK_THROWS_MATCHES(pool.apply(square, 1), Error, fails_with(Errc::start_failed));
    CHECK_THROWS_MATCHES(pool.join(), Error, fails_with(Errc::start_failed));
    CHECK(!has_children());
}

TEST_CASE("one that fails now and then does not") {
    need_processes();
    const LocalRealm realm;
    auto calls = realm.manager().value<int>();
    Pool pool(realm.manager(), {.processes = 1, .initializer = [calls]() mutable {
                                    if (calls.fetch_add(1) < 2) throw std::runtime_error("not yet");
                                }});
    CHECK(pool.apply(square, 5) == 25);
    CHECK(calls.get() == 3);
}

TEST_CASE("a forked child has no part in its parent's pool") {
    need_processes();
    const LocalRealm realm;
    Pool pool(realm.manager(), {.processes = 1});
    Child child([&] {
        try {
            Pool mine = std::move(pool);
            mine.apply_async(square, 1);
            return 1;
        } catch (const Error& error) {
            return error.errc() == Errc::invalid_argument ? 0 : 2;
        }
    });
    CHECK(child.join() == 0);
    CHECK(pool.apply(square, 6) == 36);
}

TEST_CASE("what the realm has no memory for is the task's error, and the pool goes on") {
    need_processes();
    const LocalRealm realm(8u << 20);
    Pool pool(realm.manager(), {.processes = 1});
    const std::string large(32u << 20, 'x');
    CHECK_THROWS_MATCHES(pool.apply([](const std::string& text) { return text.size(); }, large), Error, fails_with(Errc::out_of_memory));
    CHECK_THROWS_MATCHES(pool.apply([] { return std::string(32u << 20, 'y'); }), Error, fails_with(Errc::out_of_memory));
    CHECK(pool.apply(square, 6) == 36);
}
