#include "ctl/text.hpp"

#include <catch2/catch.hpp>

#include <csignal>
#include <cstdlib>
#include <ctime>
#include <stdexcept>

#include <nlohmann/json.hpp>

using namespace muster::ctl;
using namespace std::chrono_literals;
using nlohmann::json;

TEST_CASE("durations are numbers with a unit, seconds without one") {
    CHECK(parse_duration("500ms") == 500ms);
    CHECK(parse_duration("2s") == 2s);
    CHECK(parse_duration("2") == 2s);
    CHECK(parse_duration("1.5m") == 90s);
    CHECK(parse_duration("3min") == 3min);
    CHECK(parse_duration("1h") == 1h);
    CHECK(parse_duration("2d") == 48h);
    CHECK(parse_duration("0") == 0s);
    CHECK(parse_duration("10us") == 10us);
    CHECK(parse_duration("inf") == std::nullopt);
    CHECK(*parse_duration("1000000000000d") > 24h * 365 * 200);  // as long as the type holds
}

TEST_CASE("what is no duration is refused in words") {
    for (const char* text : {"", "s", "-1s", "5q", "1 s", "nan", "1e3", "ms500"})
        CHECK_THROWS_AS(parse_duration(text), std::invalid_argument);
    CHECK_THROWS_WITH(parse_duration("5q"), Catch::Contains("'5q'") && Catch::Contains("500ms"));
}

TEST_CASE("signals go by name, with or without SIG, and by number") {
    CHECK(parse_signal("TERM") == SIGTERM);
    CHECK(parse_signal("sigterm") == SIGTERM);
    CHECK(parse_signal("9") == SIGKILL);
    CHECK(parse_signal("RTMIN") == SIGRTMIN);
    CHECK(parse_signal("SIGRTMIN+2") == SIGRTMIN + 2);
    CHECK(parse_signal("RTMAX-1") == SIGRTMAX - 1);
    for (const char* text : {"", "0", "-9", "65", "FOO", "SIG", "RTMIN+99", "RTMIN+x", "9x"})
        CHECK_FALSE(parse_signal(text));
    CHECK(signal_name(SIGKILL) == "SIGKILL");
    CHECK(signal_name(SIGRTMIN + 3) == "SIGRTMIN+3");
    CHECK(signal_name(SIGRTMIN) == "SIGRTMIN");
    for (int signal = 1; signal <= SIGRTMAX; ++signal)
        if (signal < 32 || signal >= SIGRTMIN) CHECK(parse_signal(signal_name(signal)) == signal);
}

TEST_CASE("a value is JSON where it is valid JSON, else the text") {
    CHECK(parse_value("3", false) == json(3));
    CHECK(parse_value("[1,\"a\"]", false) == json({1, "a"}));
    CHECK(parse_value("\"3\"", false) == json("3"));
    CHECK(parse_value("null", false) == json(nullptr));
    CHECK(parse_value("runs", false) == json("runs"));
    CHECK(parse_value("{n:4}", false) == json("{n:4}"));
    CHECK(parse_value("", false) == json(""));
    CHECK(parse_value("3", true) == json("3"));
    CHECK(value_text(json("a b")) == "a b");
    CHECK(value_text(json({{"n", 4}})) == "{\"n\":4}");
}

TEST_CASE("durations and sizes for people keep two figures that matter") {
    CHECK(human_duration(-1) == "0 ms");
    CHECK(human_duration(0.35) == "350 ms");
    CHECK(human_duration(12.9) == "12 s");
    CHECK(human_duration(192) == "3 min 12 s");
    CHECK(human_duration(7500) == "2 h 5 min");
    CHECK(human_duration(4 * 86400 + 3700) == "4 d 1 h");
    CHECK(human_bytes(0) == "0 B");
    CHECK(human_bytes(1023) == "1023 B");
    CHECK(human_bytes(1024) == "1 KiB");
    CHECK(human_bytes(1234) == "1.2 KiB");
    CHECK(human_bytes(64.0 * 1024 * 1024) == "64 MiB");
    CHECK(human_bytes(1024 * 1024 - 1) == "1 MiB");
    CHECK(human_bytes(1e18) == "888 PiB");
}

TEST_CASE("times are local") {
    const char* before = std::getenv("TZ");
    const std::string saved = before ? before : "";
    ::setenv("TZ", "UTC-2", 1);
    ::tzset();
    CHECK(human_time(0) == "1970-01-01 02:00:00");
    if (before)
        ::setenv("TZ", saved.c_str(), 1);
    else
        ::unsetenv("TZ");
    ::tzset();
}
