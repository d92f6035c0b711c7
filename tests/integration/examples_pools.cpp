// The examples about pools say what they should.
#include <csignal>
#include <regex>
#include <set>

#include "example_run.hpp"

using namespace muster::test;

TEST_CASE_METHOD(ExampleRun, "example pool: ten tasks by five processes, called back in the parent; a killed one is reported") {
    example("pool");
    REQUIRE(lines.size() == 15);
    std::set<std::string> tasks, workers, parents;
    for (std::size_t i = 0; i < 10; ++i) {
        std::smatch said;
        REQUIRE(std::regex_match(lines[i], said, std::regex("task (\\d): by pid (\\d+), ppid (\\d+), called back in pid (\\d+)")));
        CHECK(said[3] == said[4]);
        tasks.insert(said[1]);
        workers.insert(said[2]);
        parents.insert(said[4]);
    }
    CHECK(tasks.size() == 10);
    CHECK(parents.size() == 1);
    CHECK(workers.size() <= 5);
    CHECK(workers.count(*parents.begin()) == 0);
    CHECK(lines[10] == "apply: 49");
    CHECK(lines[11] == "map: 0 1 4 9 16 25 36 49 64 81");
    CHECK(std::regex_match(lines[12], std::regex("task 13 'the unlucky one': worker_died: worker Process-\\d+ \\(pid \\d+\\) was ended by SIGKILL")));
    CHECK(lines[13] == "and on: 64");
    CHECK(lines[14] == "after close: closed");
    CHECK(eventually([&] {
        const json all = processes();
        return std::count_if(all.begin(), all.end(), [](const json& each) { return each.at("signal") == SIGKILL; }) == 1;
    }));
}

TEST_CASE_METHOD(ExampleRun, "example executor: processes and threads by one interface") {
    example("executor");
    std::vector<std::string> expected;
    for (const std::string kind : {"processes", "threads"})
        for (const std::string text : {kind == "threads" ? "runs in this process" : "runs in another process",
                                       "map 0 1 4 9 16 25 36 49 64 81", "result within 1 ms: timeout",
                                       "the last of six is cancelled: yes", "slow, and done, done: yes",
                                       "4: refuse: value not usable here: by principle", "the callback was told: slow, and done",
                                       "after shutdown: closed"})
            expected.push_back(kind + ": " + text);
    CHECK(lines == expected);
}

TEST_CASE_METHOD(ExampleRun, "example thread_pool: threads are counted, closing drains, terminating drops") {
    example("thread_pool");
    CHECK(lines == std::vector<std::string>{
                       "at first: 0 generated, 0 idle",
                       "three at work: 3 generated, 0 idle",
                       "all done: 3 generated, 3 idle",
                       "twenty tasks: sum of successes 180, failures 2",
                       "joined: 0 generated, 0 idle",
                       "terminated, what waited: thread pool: get: closed: it was terminated",
                   });
}
