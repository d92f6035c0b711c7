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
