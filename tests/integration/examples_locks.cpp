// The examples about locks: what one at a time does is never torn, oversold or lost.
#include "example_run.hpp"

using namespace muster::test;

TEST_CASE_METHOD(ExampleRun, "example print_lock: ten processes print whole lines") {
    example("print_lock");
    std::vector<std::string> expected;
    for (int i = 0; i < 10; ++i) expected.push_back("this is one line of process " + std::to_string(i));
    CHECK(sorted(lines) == expected);
}

TEST_CASE_METHOD(ExampleRun, "example tickets: five tickets are sold to five of twenty buyers") {
    example("tickets");
    REQUIRE(lines.size() == 41);
    CHECK(count_containing(lines, " sees ") == 20);
    CHECK(count_containing(lines, " bought one") == 5);
    CHECK(count_containing(lines, " came too late") == 15);
    CHECK(lines.back() == "sold 5, left 0");
}

TEST_CASE_METHOD(ExampleRun,
                 "example counter_lock: a hundred threads, a hundred processes, and not one step is lost") {
    example("counter_lock");
    CHECK(lines == std::vector<std::string>{"100 threads: 0 left", "100 processes: 0 left"});
}

TEST_CASE_METHOD(ExampleRun, "example deadlock: two locks in opposite order, and the circle is named and broken") {
    example("deadlock");
    CHECK(count_containing(lines, "worker 1 has taken A") >= 1);
    CHECK(count_containing(lines, "worker 2 has taken B") >= 1);
    CHECK(count_containing(lines, " is told: lock ") >= 1);  // again when the machine is too busy to let the other one go first
    for (const std::string& line : lines) {
        if (line.find(" is told: ") == std::string::npos) continue;
        INFO(line);
        CHECK(line.find("holds lock 'A' and has waited ") != std::string::npos);
        CHECK(line.find("holds lock 'B' and has waited ") != std::string::npos);
        for (const char* worker : {"Process-1", "Process-2"})
            CHECK(line.find("PID " + process(worker).at("pid").dump() + " ") != std::string::npos);
    }
    CHECK(lines.back() == "both are done: exit codes 0 and 0");
    CHECK(eventually([&] { return daemon.log().find("a deadlock was broken by an error") != std::string::npos; }));
    CHECK(json::parse(daemon.ctl({"locks", "--json"}).out).empty());
}

TEST_CASE_METHOD(ExampleRun, "example rlock: one re-entrant lock, nobody is in the way, releases match acquisitions") {
    example("rlock");
    REQUIRE(lines.size() == 8);
    for (const std::string worker : {"worker 1", "worker 2"}) {
        const auto first = std::find(lines.begin(), lines.end(), worker + " has taken the first: 1 level");
        REQUIRE(first < lines.end() - 2);
        CHECK(first[1] == worker + " has taken the second: 2 levels");
        CHECK(first[2] == worker + " has released the second: 1 level");
    }
    CHECK(lines[6] == "one release too many: rlock 'AB': unlock: " + lines[6].substr(lines[6].find("unlock: ") + 8));
    CHECK(lines[6].find("nobody holds it") != std::string::npos);
    CHECK(lines[7] == "both are done, the lock is free");
}
