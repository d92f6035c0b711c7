// The examples about shared objects: what ten processes did together is whole.
#include <algorithm>

#include "example_run.hpp"

using namespace muster::test;

TEST_CASE_METHOD(ExampleRun, "example shared_dict_list: ten children set two keys and append ten pids") {
    example("shared_dict_list");
    REQUIRE(lines.size() == 3);
    CHECK(sorted({lines[0], lines[1]}) == std::vector<std::string>{"k1 = v1", "k2 = v2"});
    std::istringstream words(lines[2]);
    std::string word;
    words >> word;
    CHECK(word == "pids:");
    std::vector<int> pids;
    for (int pid = 0; words >> pid;) pids.push_back(pid);
    std::sort(pids.begin(), pids.end());
    REQUIRE(pids.size() == 10);
    std::vector<int> known;
    for (const json& process : processes()) known.push_back(process.at("pid").get<int>());
    std::sort(known.begin(), known.end());
    CHECK(pids == known);
    // Named, both stay for others to see.
    CHECK(json::parse(daemon.ctl({"show", "facts", "--json"}).out) == json{{"k1", "v1"}, {"k2", "v2"}});
    CHECK(json::parse(daemon.ctl({"show", "pids", "--json"}).out).size() == 10);
}

TEST_CASE_METHOD(ExampleRun,
                 "example mixed_keys: keys and values of all kinds, and a list that ten children grow") {
    example("mixed_keys");
    REQUIRE(lines.size() == 12);
    for (std::size_t i = 0; i < 10; ++i) {
        const json seen = json::parse(lines[i]);  // what a child saw after its append
        REQUIRE(seen.size() >= 6);
        CHECK(std::vector<json>(seen.begin(), seen.begin() + 5) == std::vector<json>{0, 1, 2, 3, 4});
    }
    const std::string dict = lines[10] + " ";
    for (int n = 0; n < 10; ++n) CHECK(dict.find(" " + std::to_string(n) + "=\"1\" ") != std::string::npos);
    CHECK(dict.find(" \"2\"=2 ") != std::string::npos);  // not the key 2
    CHECK(dict.find(" 0.25=null ") != std::string::npos);
    CHECK(std::count(dict.begin(), dict.end(), '=') == 12);
    auto list = json::parse(lines[11].substr(std::string("list: ").size())).get<std::vector<int>>();
    REQUIRE(list.size() == 15);
    std::sort(list.begin() + 5, list.end());
    CHECK(list == std::vector<int>{0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
}

TEST_CASE_METHOD(ExampleRun, "example queue_from_child: the parent gets what the children put") {
    example("queue_from_child");
    REQUIRE(lines.size() == 5);
    CHECK(lines[0] == R"(["Hello",null,"World"])");
    CHECK(sorted({lines[1], lines[2], lines[3]}) ==
          std::vector<std::string>{R"([42,0,"hello"])", R"([42,1,"hello"])", R"([42,2,"hello"])"});
    CHECK(lines[4] == "left in the queue: 0");
}

TEST_CASE_METHOD(ExampleRun,
                 "example producer_consumer: each thing is consumed once, in its producer's order") {
    example("producer_consumer");
    REQUIRE(lines.size() == 17);
    CHECK(lines[15] == "15 of 15 consumed, 0 left");
    CHECK(lines[16] == "joined: 15 consumed, 0 unfinished");
    for (int producer = 0; producer < 3; ++producer)
        for (int thing = 0; thing < 5; ++thing)
            CHECK(count_containing(lines, " got thing " + std::to_string(thing) + " of producer " +
                                              std::to_string(producer)) == 1);
}

TEST_CASE_METHOD(ExampleRun, "example namespace: attributes of several types, and no += is lost") {
    example("namespace");
    REQUIRE(lines.size() == 4);
    CHECK(lines[0] == "x = 15");
    CHECK(lines[1] == "y = hello");
    CHECK(lines[2] == "attributes: 8");
    CHECK(lines[3].find("no such attribute: \"y\"") != std::string::npos);
}

TEST_CASE_METHOD(ExampleRun, "example value_array: a child changes a number and an array, fifty count together") {
    example("value_array");
    REQUIRE(lines.size() == 3);
    CHECK(lines[0] == "number = 3.14159");
    CHECK(lines[1] == "array = 0 -1 -2 -3 -4 -5 -6 -7 -8 -9");
    CHECK(lines[2] == "counter = 5000");
}

TEST_CASE_METHOD(ExampleRun, "example nested: lists in a dict are shared, and what nobody reaches goes") {
    example("nested");
    CHECK(lines == std::vector<std::string>{"even: 50 numbers, their sum is 2450", "odd: 50 numbers, their sum is 2500",
                                            "through a queue: the same list, 50 numbers",
                                            R"(tree: {"leaves":[[1,2],[3]],"name":"root"})", "ring: it contains itself"});
}

TEST_CASE_METHOD(ExampleRun, "example transact: accounts, sums and journal agree, though a process was killed") {
    example("transact");
    REQUIRE(lines.size() == 3);
    CHECK(lines[0] == "bob has not got 5000: nothing has changed, 1 transfer in the journal");
    CHECK(lines[1] == "three have made 600 transfers, the killed one some, too");
    CHECK(lines[2] == "accounts, sums and journal agree: yes");
}
