// musterctl's verbs for shared objects, against a real daemon.
#include <catch2/catch.hpp>

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <future>

#include <muster/manager.hpp>

#include "ctl_program.hpp"

using muster::test::Ctl;
using muster::test::Daemon;
using nlohmann::json;

TEST_CASE("dict verbs") {
    Daemon daemon;
    const Ctl ctl(daemon.address());
    CHECK(ctl("dict", "set", "d", "runs", "3").code == 0);
    CHECK(ctl("dict", "set", "d", "job", R"({"n":4})").code == 0);
    CHECK(ctl("dict", "set", "d", "7", "seven").code == 0);
    CHECK(ctl("dict", "get", "d", "runs").out == "3\n");
    CHECK(ctl("dict", "get", "d", "7").out == "seven\n");
    CHECK(ctl("dict", "get", "d", "7", "--json").out == "\"seven\"\n");
    CHECK(ctl("dict", "get", "d", "job", "--json").json() == json{{"n", 4}});
    CHECK(ctl("dict", "len", "d").out == "3\n");
    CHECK(ctl("dict", "keys", "d").out == "runs\njob\n7\n");
    CHECK(ctl("dict", "values", "d", "--json").json() == json({3, {{"n", 4}}, "seven"}));
    CHECK(ctl("dict", "items", "d", "--json").json() ==
          json::array({{"runs", 3}, {"job", {{"n", 4}}}, {7, "seven"}}));
    CHECK(ctl("dict", "items", "d").out == "runs\t3\njob\t{\"n\":4}\n7\tseven\n");
    CHECK(ctl("dict", "contains", "d", "runs").out == "true\n");
    const auto no = ctl("dict", "contains", "d", "nope");
    CHECK(no.out == "false\n");
    CHECK(no.code == 1);
    CHECK(ctl("dict", "setdefault", "d", "runs", "9").out == "3\n");
    CHECK(ctl("dict", "setdefault", "d", "new", "9").out == "9\n");
    CHECK(ctl("dict", "pop", "d", "new").out == "9\n");
    CHECK(ctl("dict", "del", "d", "job").code == 0);
    for (const char* verb : {"get", "pop", "del"}) {
        const auto absent = ctl("dict", verb, "d", "job");
        CHECK(absent.code == 1);
        CHECK(absent.out.empty());
        CHECK(absent.says({"[key_error]", "dict 'd'", "\"job\""}));
    }
    CHECK(ctl("dict", "clear", "d").code == 0);
    CHECK(ctl("dict", "len", "d").out == "0\n");
}

TEST_CASE("keys and values are text with --string, and what follows -- is no option") {
    Daemon daemon;
    const Ctl ctl(daemon.address());
    REQUIRE(ctl("dict", "set", "d", "--string", "007", "1").code == 0);
    CHECK(ctl("dict", "items", "d", "--json").json() == json::array({{"007", "1"}}));
    REQUIRE(ctl("dict", "set", "d", "--string", "7", "text").code == 0);
    const auto hint = ctl("dict", "get", "d", "7");
    CHECK(hint.code == 1);
    CHECK(hint.says({"--string"}));
    CHECK(ctl("dict", "get", "d", "7", "--string").out == "text\n");
    REQUIRE(ctl("dict", "set", "d", "--", "--json", "-5").code == 0);
    CHECK(ctl("dict", "get", "d", "--", "--json").out == "-5\n");
}

TEST_CASE("list verbs") {
    Daemon daemon;
    const Ctl ctl(daemon.address());
    CHECK(ctl("list", "append", "l", "3", "one", "[1,2]").code == 0);
    CHECK(ctl("list", "insert", "l", "0", "null").code == 0);
    CHECK(ctl("list", "items", "l", "--json").json() == json({nullptr, 3, "one", {1, 2}}));
    CHECK(ctl("list", "items", "l").out == "null\n3\none\n[1,2]\n");
    CHECK(ctl("list", "items", "l", "--start", "-2", "--json").json() == json({"one", {1, 2}}));
    CHECK(ctl("list", "items", "l", "--step", "-1", "--stop", "1", "--json").json() == json({{1, 2}, "one"}));
    CHECK(ctl("list", "get", "l", "-1").out == "[1,2]\n");
    CHECK(ctl("list", "set", "l", "0", "9").code == 0);
    CHECK(ctl("list", "index", "l", "one").out == "2\n");
    CHECK(ctl("list", "count", "l", "9").out == "1\n");
    CHECK(ctl("list", "contains", "l", "8").code == 1);
    CHECK(ctl("list", "pop", "l").out == "[1,2]\n");
    CHECK(ctl("list", "pop", "l", "0").out == "9\n");
    CHECK(ctl("list", "remove", "l", "one").code == 0);
    CHECK(ctl("list", "append", "l", "5", "4").code == 0);
    CHECK(ctl("list", "sort", "l").code == 0);
    CHECK(ctl("list", "items", "l", "--json").json() == json({3, 4, 5}));
    CHECK(ctl("list", "reverse", "l").code == 0);
    CHECK(ctl("list", "del", "l", "0").code == 0);
    CHECK(ctl("list", "items", "l", "--json").json() == json({4, 3}));
    CHECK(ctl("list", "len", "l").out == "2\n");
    const auto beyond = ctl("list", "get", "l", "99");
    CHECK(beyond.code == 1);
    CHECK(beyond.says({"[index_error]", "list 'l'"}));
    for (const char* verb : {"remove", "index"}) {
        const auto absent = ctl("list", verb, "l", "ghost");
        CHECK(absent.code == 1);
        CHECK(absent.says({"[value_error]", "ghost"}));
    }
    CHECK(ctl("list", "clear", "l").code == 0);
    CHECK(ctl("list", "pop", "l").code == 1);
}

TEST_CASE("queue verbs") {
    Daemon daemon;
    const Ctl ctl(daemon.address());
    CHECK(ctl("queue", "create", "q", "--maxsize", "3").code == 0);
    CHECK(ctl("queue", "put", "q", R"({"n":4})", "two").code == 0);
    CHECK(ctl("queue", "size", "q").out == "2\n");
    CHECK(ctl("queue", "peek", "q").out == "{\"n\":4}\n");
    CHECK(ctl("queue", "items", "q", "--json").json() == json({{{"n", 4}}, "two"}));
    CHECK(ctl("queue", "put", "q", "3").code == 0);
    const auto full = ctl("queue", "put", "q", "4", "--timeout", "50ms");
    CHECK(full.code == 1);
    CHECK(full.says({"[full]", "queue 'q'"}));
    CHECK(ctl("queue", "get", "q", "--json").json() == json{{"n", 4}});
    CHECK(ctl("queue", "get", "q", "--timeout", "500ms").out == "two\n");
    CHECK(ctl("queue", "get", "q").out == "3\n");
    for (const char* timeout : {"0", "50ms"}) {
        const auto empty = ctl("queue", "get", "q", "--timeout", timeout);
        CHECK(empty.code == 1);
        CHECK(empty.out.empty());
        CHECK(empty.says({"[empty]", "queue 'q'"}));
    }
    CHECK(ctl("queue", "peek", "q").code == 1);

    auto waiting = std::async(std::launch::async, [&] { return ctl("queue", "get", "q", "--wait"); });
    CHECK(ctl("queue", "put", "q", "late").code == 0);
    CHECK(waiting.get().out == "late\n");

    CHECK(ctl("queue", "put", "q", "last").code == 0);
    CHECK(ctl("queue", "close", "q").code == 0);
    const auto shut = ctl("queue", "put", "q", "more");
    CHECK(shut.code == 4);
    CHECK(shut.says({"[closed]"}));
    CHECK(ctl("queue", "get", "q").out == "last\n");
    CHECK(ctl("queue", "get", "q").says({"[closed]"}));
}

TEST_CASE("queue verbs for orders, tasks and dead letters") {
    Daemon daemon;
    const Ctl ctl(daemon.address());
    REQUIRE(ctl("queue", "create", "p", "--order", "priority", "--max-deliveries", "1").code == 0);
    CHECK(ctl("queue", "create", "p").code == 0);
    CHECK(ctl("queue", "create", "p", "--order", "lifo").says({"[wrong_kind]", "queue 'p'", "lowest first"}));
    CHECK(ctl("queue", "create", "p", "--order", "random").code == 2);
    REQUIRE(ctl("queue", "put", "p", "[5,1]", "[3,1]", "[4,1]").code == 0);
    CHECK(ctl("queue", "put", "p", "text").says({"[value_error]", "queue 'p'"}));
    CHECK(ctl("queue", "items", "p", "--json").json() == json({{3, 1}, {4, 1}, {5, 1}}));
    CHECK(ctl("show", "p").out == "queue 'p', 3\n[3,1]\n[4,1]\n[5,1]\n");
    {
        const auto manager = muster::Manager::connect(daemon.address());
        auto queue = manager.find<muster::Queue<>>("p");
        auto lease = queue->get_leased();
        CHECK(ctl("queue", "status", "p", "--json").json() ==
              json{{"order", "priority"}, {"size", 2}, {"maxsize", 0}, {"leased", 1}, {"unfinished", 3},
                   {"max_deliveries", 1}, {"dead", 0}, {"closed", false}});
        lease.nack();
    }
    CHECK(ctl("queue", "dead", "p", "--json").json() == json::array({{{"value", {3, 1}}, {"deliveries", 1}}}));
    CHECK(ctl("queue", "retry", "p").out == "1\n");
    CHECK(ctl("queue", "drain", "p", "--most", "2", "--json").json() == json({{3, 1}, {4, 1}}));
    CHECK(ctl("queue", "drain", "p").out == "[5,1]\n");
    CHECK(ctl("queue", "drain", "p").out.empty());
    CHECK(ctl("queue", "drop", "p").out == "0\n");
    const auto late = ctl("queue", "join", "p", "--timeout", "20ms");
    CHECK(late.code == 1);
    CHECK(late.says({"[timeout]", "queue 'p'", "3 items"}));
    for (int i = 0; i < 3; ++i) CHECK(ctl("queue", "done", "p").code == 0);
    CHECK(ctl("queue", "join", "p").code == 0);
    CHECK(ctl("queue", "done", "p").says({"[value_error]"}));
    CHECK_THAT(ctl("queue", "status", "p").out, Catch::Contains("order: priority\n") && Catch::Contains("unfinished: 0\n"));
    CHECK(ctl("check").out.ends_with("\n0 violations\n"));
}

TEST_CASE("lock run holds the lock while the program runs and gives its code") {
    Daemon daemon;
    const Ctl ctl(daemon.address());
    const auto status =
        muster::test::program("musterctl") + " --address " + daemon.address() + " lock status l";
    const auto inside = ctl("lock", "run", "l", "--", "sh", "-c", status + "; exit 5");
    CHECK(inside.code == 5);
    CHECK_THAT(inside.out, Catch::StartsWith("held by PID "));
    CHECK(ctl("lock", "status", "l").out == "free\n");
    CHECK(ctl("lock", "status", "l", "--json").json()["owner"].is_null());
    CHECK(ctl("lock", "run", "l", "--", "sh", "-c", "kill -9 $$").code == 128 + SIGKILL);
    const auto missing = ctl("lock", "run", "l", "--", "no-such-program-anywhere");
    CHECK(missing.code == 127);
    CHECK(missing.says({"no-such-program-anywhere"}));
    CHECK(ctl("lock", "run", "l", "--", "/etc/passwd").code == 126);
    CHECK(ctl("lock", "status", "l").out == "free\n");
}

TEST_CASE("lock run waits its turn, at most as long as told") {
    Daemon daemon;
    const Ctl ctl(daemon.address());
    const auto gate = daemon.directory().path() + "/gate";
    REQUIRE(::mkfifo(gate.c_str(), 0600) == 0);
    auto holder = std::async(std::launch::async,
                             [&] { return ctl("lock", "run", "l", "--", "sh", "-c", "read line <" + gate); });
    REQUIRE(muster::test::eventually([&] { return ctl("lock", "status", "l").out.starts_with("held"); }));
    const auto late = ctl("lock", "run", "l", "--timeout", "50ms", "--", "true");
    CHECK(late.code == 124);
    CHECK(late.says({"[timeout]", "lock 'l'", "held by PID"}));
    auto next = std::async(std::launch::async, [&] { return ctl("lock", "run", "l", "--", "echo", "mine"); });
    std::ofstream(gate) << "go\n";
    CHECK(holder.get().code == 0);
    CHECK(next.get().out == "mine\n");
}

TEST_CASE("a lock that somebody released and took meanwhile is left to its new holder") {
    Daemon daemon;
    const Ctl ctl(daemon.address());
    const auto release =
        muster::test::program("musterctl") + " --address " + daemon.address() + " lock release l";
    const auto outcome = ctl("lock", "run", "l", "--", "sh", "-c", release + "; exit 3");
    CHECK(outcome.code == 3);
    CHECK(outcome.says({"lock 'l'", "released"}));
}

TEST_CASE("lock run passes a signal on, and frees the lock when the program has ended of it") {
    Daemon daemon;
    const Ctl ctl(daemon.address());
    const auto musterctl = muster::test::program("musterctl") + " --address " + daemon.address();
    const auto script = musterctl + " lock run l -- sleep 1000 & pid=$!; until " + musterctl +
                        " lock status l 2>/dev/null | grep -q held; do :; done; kill -TERM $pid; wait $pid";
    CHECK(muster::test::outcome_of({"/bin/sh", "-c", script}).code == 128 + SIGTERM);
    CHECK(ctl("lock", "status", "l").out == "free\n");
}

TEST_CASE("a lock whose holder was killed is free, and the next one is told") {
    Daemon daemon;
    const Ctl ctl(daemon.address());
    auto victim = std::async(std::launch::async, [&] {
        return ctl("lock", "run", "l", "--", "sh", "-c", "kill -9 $PPID; exec sleep 1000");
    });
    CHECK(victim.get().code == 128 + SIGKILL);
    const auto next = ctl("lock", "run", "l", "--", "true");
    CHECK(next.code == 0);
    CHECK(next.says({"died", "lock 'l'"}));
}

TEST_CASE("show prints any object as a whole") {
    Daemon daemon;
    const Ctl ctl(daemon.address());
    REQUIRE(ctl("dict", "set", "d", "a", "1").code == 0);
    REQUIRE(ctl("dict", "set", "d", "2", "[true]").code == 0);
    CHECK(ctl("show", "d", "--json").json() == json{{"a", 1}, {"2", {true}}});
    CHECK(ctl("show", "d").out == "dict 'd', 2\n\"a\": 1\n2: [true]\n");
    REQUIRE(ctl("dict", "set", "d", "--string", "2", "other").code == 0);
    CHECK(ctl("show", "d", "--json").json() == json::array({{"a", 1}, {2, {true}}, {"2", "other"}}));
    REQUIRE(ctl("list", "append", "l", "1", "x").code == 0);
    CHECK(ctl("show", "l", "--json").json() == json({1, "x"}));
    REQUIRE(ctl("queue", "put", "q", "1").code == 0);
    CHECK(ctl("show", "q", "--json").json() == json({1}));
    REQUIRE(ctl("lock", "create", "k").code == 0);
    CHECK(ctl("show", "k", "--json").json()["locked"] == false);
    CHECK(ctl("show", "k").out == "lock 'k', free\n");
}

TEST_CASE("show prints as many entries as wanted, and how many there are") {
    Daemon daemon;
    const Ctl ctl(daemon.address());
    REQUIRE(ctl("list", "append", "l", "1", "2", "3").code == 0);
    CHECK(ctl("show", "l", "--limit", "2").out == "list 'l', 3\n1\n2\n... and 1 more\n");
    CHECK(ctl("show", "l", "--limit", "3").out == "list 'l', 3\n1\n2\n3\n");
    CHECK(ctl("show", "--limit", "0", "l").out == "list 'l', 3\n... and 3 more\n");
    CHECK(ctl("show", "l", "--limit", "2", "--json").json() == json({1, 2}));
    for (const char* key : {"a", "b", "c"}) REQUIRE(ctl("dict", "set", "d", key, "1").code == 0);
    CHECK(ctl("show", "d", "--limit", "1").out == "dict 'd', 3\n\"a\": 1\n... and 2 more\n");
    CHECK(ctl("show", "d", "--limit", "1", "--json").json() == json{{"a", 1}});
    REQUIRE(ctl("counter", "inc", "n", "x").code == 0);
    CHECK(ctl("show", "n", "--limit", "0", "--json").json() == json::object());
    CHECK(ctl("show", "l", "--limit", "-1").code == 2);
    CHECK(ctl("show", "l", "--limit", "many").code == 2);
}

TEST_CASE("show refuses a limit for what has no entries, in one line") {
    Daemon daemon;
    const Ctl ctl(daemon.address());
    REQUIRE(ctl("lock", "create", "k").code == 0);
    REQUIRE(ctl("event", "set", "e").code == 0);
    REQUIRE(ctl("semaphore", "create", "s", "2").code == 0);
    REQUIRE(ctl("value", "create", "v", "int32", "7").code == 0);
    REQUIRE(ctl("array", "create", "a", "int32", "3").code == 0);
    for (const char* name : {"k", "e", "s", "v"}) {
        REQUIRE(ctl("show", name).code == 0);
        const auto refused = ctl("show", name, "--limit", "1");
        CHECK(refused.code == 4);
        CHECK(refused.out.empty());
        CHECK(refused.says({"[wrong_kind]", name, "no entries", "--limit"}));
    }
    CHECK(ctl("show", "k", "--deep", "--limit", "1").says({"[wrong_kind]", "no entries"}));
    CHECK(ctl("show", "a", "--limit", "1").out == "array 'a', 3\n0\n... and 2 more\n");
}

TEST_CASE("objects lists name, kind, size and bytes; erase removes") {
    Daemon daemon;
    const Ctl ctl(daemon.address());
    REQUIRE(ctl("dict", "set", "d", "a", "1").code == 0);
    REQUIRE(ctl("list", "append", "l", "1", "2").code == 0);
    std::map<std::string, json> objects;
    for (const auto& object : ctl("objects", "--json").json()) objects[object["name"]] = object;
    CHECK(objects.size() == 2);
    CHECK(objects["d"]["kind"] == "dict");
    CHECK(objects["d"]["size"] == 1);
    CHECK(objects["l"]["kind"] == "list");
    CHECK(objects["l"]["size"] == 2);
    CHECK(objects["l"]["bytes"].get<long>() > 0);
    CHECK_THAT(ctl("objects").out, Catch::Contains("NAME") && Catch::Contains("dict"));
    CHECK(ctl("erase", "d").code == 0);
    CHECK(ctl("objects", "--json").json().size() == 1);
    const auto again = ctl("erase", "d");
    CHECK(again.code == 4);
    CHECK(again.says({"[no_such_object]", "'d'"}));
}

TEST_CASE("reading makes nothing, and another kind is refused by name") {
    Daemon daemon;
    const Ctl ctl(daemon.address());
    const std::vector<std::vector<std::string>> readers{
        {"show", "x"},           {"dict", "get", "x", "k"}, {"dict", "len", "x"},
        {"dict", "clear", "x"},  {"list", "get", "x", "0"}, {"list", "pop", "x"},
        {"list", "sort", "x"},   {"queue", "get", "x"},     {"queue", "close", "x"},
        {"lock", "status", "x"}, {"lock", "release", "x"}};
    for (const auto& words : readers) {
        const auto outcome = ctl.run(words);
        INFO(words[0] << " " << words[1] << ": " << outcome.err);
        CHECK(outcome.code == 4);
        CHECK(outcome.says({"[no_such_object]", "'x'", "musterctl objects"}));
    }
    CHECK(ctl("objects", "--json").json() == json::array());

    REQUIRE(ctl("list", "append", "x", "1").code == 0);
    const std::vector<std::vector<std::string>> wrong{
        {"dict", "get", "x", "k"}, {"dict", "set", "x", "k", "v"}, {"queue", "put", "x", "1"},
        {"queue", "get", "x"},     {"lock", "status", "x"},        {"dict", "create", "x"}};
    for (const auto& words : wrong) {
        const auto outcome = ctl.run(words);
        INFO(words[0] << " " << words[1] << ": " << outcome.err);
        CHECK(outcome.code == 4);
        CHECK(outcome.says({"[wrong_kind]", "'x'"}));
    }
    CHECK(ctl("lock", "run", "x", "--", "true").code == 125);
    CHECK(ctl("lock", "create", "k").code == 0);
    CHECK(ctl("lock", "release", "k").says({"[not_locked]"}));
}

TEST_CASE("limits are told by name, and nothing changes") {
    Daemon daemon;
    const Ctl ctl(daemon.address());
    const auto name = ctl("dict", "set", std::string(256, 'n'), "k", "v");
    CHECK(name.code == 4);
    CHECK(name.says({"[limit_exceeded]"}));
    const auto key = ctl("dict", "set", "d", std::string(65 * 1024, 'k'), "v");
    CHECK(key.code == 4);
    CHECK(key.says({"[limit_exceeded]"}));
    const auto unhashable = ctl("dict", "set", "d", R"({"a":1})", "v");
    CHECK(unhashable.code == 4);
    CHECK(unhashable.says({"[unhashable]"}));
    CHECK(ctl("dict", "len", "d").out == "0\n");
    CHECK(ctl("check").out.ends_with("\n0 violations\n"));
}

TEST_CASE("a full realm says how full, and keeps what it has") {
    Daemon daemon({"--memory", "8 MiB"});
    const Ctl ctl(daemon.address());
    const std::string value(100'000, 'x');
    int stored = 0;
    auto outcome = ctl("list", "append", "l", value);
    for (; outcome.code == 0 && stored < 200; ++stored) outcome = ctl("list", "append", "l", value);
    CHECK(outcome.code == 4);
    CHECK(outcome.says({"[out_of_memory]", "list 'l'"}));
    CHECK(ctl("list", "len", "l").out == std::to_string(stored) + "\n");
    CHECK(ctl("check").out.ends_with("\n0 violations\n"));
    CHECK(ctl("erase", "l").code == 0);
    CHECK(ctl("list", "append", "l", value).code == 0);
}
