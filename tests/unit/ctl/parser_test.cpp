#include "ctl/parser.hpp"

#include <catch2/catch.hpp>

#include <chrono>

using namespace muster::ctl;
using namespace std::chrono_literals;

namespace {

struct Command {
    bool json = false, force = false;
    std::optional<Duration> timeout;
    std::optional<long> count;
    std::string name;
    std::optional<std::string> extra, text;
    std::vector<std::string> rest, settings;
    std::string ran;
};

int parse(Command& c, std::vector<const char*> words) {
    words.insert(words.begin(), "musterctl");
    return parse_and_run(static_cast<int>(words.size()), words.data(), "a test", [&c](Parser& parser) {
        parser.flag(c.json, "--json", "json");
        parser.option(c.timeout, "--timeout", "timeout");
        auto run = parser.command("run", "run");
        run.positionals(c.rest, "PROGRAM", "program");
        run.option(c.count, "-c,--count", "N", "count", 1, 9);
        run.option(c.settings, "-e,--env", "K=V", "env");
        run.option(c.text, "--text", "TEXT", "text");
        run.action([&c] { return c.ran = "run", 10; });
        auto group = parser.command("dict", "dict");
        auto get = group.command("get", "get");
        get.positional(c.name, "NAME", "name");
        get.positional(c.extra, "KEY", "key");
        get.flag(c.force, "-f,--force", "force");
        get.action([&c] { return c.ran = "dict get", 11; });
        group.command("run", "run").action([&c] { return c.ran = "dict run", 12; });
    });
}

}  // namespace

TEST_CASE("what was chosen runs and gives the exit code") {
    Command c;
    CHECK(parse(c, {"dict", "get", "totals"}) == 11);
    CHECK(c.ran == "dict get");
    CHECK(c.name == "totals");
    CHECK_FALSE(c.extra);
    Command d;
    CHECK(parse(d, {"dict", "run"}) == 12);
}

TEST_CASE("common options go before and after the verb") {
    Command before, after;
    CHECK(parse(before, {"--json", "--timeout", "2s", "dict", "get", "x"}) == 11);
    CHECK(parse(after, {"dict", "get", "x", "--timeout=inf", "--json"}) == 11);
    CHECK(before.json);
    CHECK(after.json);
    CHECK(before.timeout == std::optional<Duration>(Duration(2s)));
    REQUIRE(after.timeout);
    CHECK_FALSE(*after.timeout);
}

TEST_CASE("what follows -- is taken as it is") {
    Command c;
    CHECK(parse(c, {"run", "-c", "3", "--", "sh", "--json", "-c", "[a,b]", "", "--", "\x01x"}) == 10);
    CHECK(c.rest == std::vector<std::string>{"sh", "--json", "-c", "[a,b]", "", "--", "\x01x"});
    CHECK(c.count == 3);
    CHECK_FALSE(c.json);
    Command dict;
    CHECK(parse(dict, {"dict", "get", "--", "-x", "--force"}) == 11);
    CHECK(dict.name == "-x");
    CHECK(dict.extra == "--force");
    CHECK_FALSE(dict.force);
}

TEST_CASE("names that are verbs, brackets, numbers and empty words are words") {
    Command c;
    CHECK(parse(c, {"dict", "get", "run", "dict"}) == 11);
    CHECK(c.name == "run");
    CHECK(c.extra == "dict");
    Command d;
    CHECK(parse(d, {"dict", "get", "[1,2]", "-5"}) == 11);
    CHECK(d.name == "[1,2]");
    CHECK(d.extra == "-5");
    Command e;
    CHECK(parse(e, {"dict", "get", "", "[]"}) == 11);
    CHECK(e.name.empty());
    CHECK(e.extra == "[]");
    Command f;
    CHECK(parse(f, {"run", "-e", "A=[1,2]", "-e", "[B]", "--text", "[t]", "[x,y]"}) == 10);
    CHECK(f.settings == std::vector<std::string>{"A=[1,2]", "[B]"});
    CHECK(f.text == "[t]");
    CHECK(f.rest == std::vector<std::string>{"[x,y]"});
}

TEST_CASE("an option that may be repeated takes one word each time") {
    Command c;
    CHECK(parse(c, {"run", "-e", "A=1", "-e", "B=2", "--", "sh", "-c"}) == 10);
    CHECK(c.settings == std::vector<std::string>{"A=1", "B=2"});
    CHECK(c.rest == std::vector<std::string>{"sh", "-c"});
    Command d;
    CHECK(parse(d, {"run", "--env", "A=1", "sh", "x"}) == 10);
    CHECK(d.settings == std::vector<std::string>{"A=1"});
    CHECK(d.rest == std::vector<std::string>{"sh", "x"});
}

TEST_CASE("what cannot be meant is a usage error, and nothing runs") {
    const std::vector<std::vector<const char*>> wrong{{},
                                                      {"frob"},
                                                      {"dict"},
                                                      {"dict", "get"},
                                                      {"dict", "get", "a", "b", "c"},
                                                      {"dict", "get", "a", "--bogus"},
                                                      {"run"},
                                                      {"run", "-c", "0", "x"},
                                                      {"run", "-c", "ten", "x"},
                                                      {"run", "--timeout", "5q", "x"},
                                                      {"run", "--timeout"}};
    for (const auto& words : wrong) {
        Command c;
        CHECK(parse(c, words) == 2);
        CHECK(c.ran.empty());
    }
}

TEST_CASE("help is no error") {
    Command c;
    CHECK(parse(c, {"--help"}) == 0);
    CHECK(parse(c, {"dict", "get", "--help"}) == 0);
    CHECK(c.ran.empty());
}
