// The examples about the kinds of queue, and pipes.
#include "example_run.hpp"

using namespace muster::test;

TEST_CASE_METHOD(ExampleRun, "example kinds_of_queue: three orders out, full and empty, with and without waiting") {
    example("kinds_of_queue");
    CHECK(lines == std::vector<std::string>{
                       R"(fifo: "first" "second" "third")",
                       R"(lifo: "third" "second" "first")",
                       R"(priority: [3,"hello"] [5,100] [7,200])",
                       "refused: value_error",
                       "qsize 2, full 1, empty 0",
                       "put within 50 ms: 0",
                       "Full: full",
                       "one, two",
                       "got within 50 ms: 0",
                       "Empty: empty",
                       "qsize 0, full 0, empty 1",
                   });
}

TEST_CASE_METHOD(ExampleRun, "example pipe: one way, both ways, and how the other side's wait ends") {
    example("pipe");
    CHECK(lines == std::vector<std::string>{
                       R"([42,null,"hello"])",
                       "'you said one'",
                       "'you said two'",
                       "'you said '",
                       "more: 0",
                       "the child ended with 0",
                       "last words",
                       "end_of_file",
                       "7",
                       "invalid_argument",
                   });
}
