// The examples about waiting for each other.
#include "example_run.hpp"

using namespace muster::test;
using Lines = std::vector<std::string>;

TEST_CASE_METHOD(ExampleRun, "example semaphore: twenty workers, five at a time, and no permit is lost") {
    example("semaphore");
    CHECK(lines == Lines{"20 workers, never more than 5 at a time: yes", "one release too many: released_too_often", "2 permits",
                         "a permit of the dead came back"});
}

TEST_CASE_METHOD(ExampleRun, "example event: workers begin and end when the boss says so") {
    example("event");
    REQUIRE(lines.size() == 12);
    CHECK(lines[0] == "boss: begin!");
    CHECK(sorted({lines.begin() + 1, lines.begin() + 4}) == Lines{"worker 1 works", "worker 2 works", "worker 3 works"});
    CHECK(lines[4] == "boss: that is all");
    CHECK(sorted({lines.begin() + 5, lines.begin() + 8}) ==
          Lines{"worker 1 goes home", "worker 2 goes home", "worker 3 goes home"});
    CHECK(lines[8] == "connected: 0");
    CHECK(count_containing(lines, " is connected") == 2);
    CHECK(lines[11] == "connected: 0");
}

TEST_CASE_METHOD(ExampleRun, "example barrier: nobody begins a lap before all are there") {
    example("barrier");
    Lines expected;
    for (const char* lap : {"lap 1", "lap 2", "lap 3"}) {
        expected.push_back("all are here");
        for (int i = 0; i < 4; ++i) expected.push_back(lap);
    }
    for (const char* line : {"alone: broken_barrier", "broken: 1", "broken: 0", "somebody else came: 1"}) expected.push_back(line);
    CHECK(lines == expected);
}

TEST_CASE_METHOD(ExampleRun, "example condition: a small buffer loses and doubles nothing") {
    example("condition");
    CHECK(lines == Lines{"consumer: waits", "producer: puts 42", "consumer: got 42", "60 items, their sum 1770, left 0"});
}
