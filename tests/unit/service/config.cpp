#include "service/config.hpp"

#include <catch2/catch.hpp>

#include "start_error.hpp"

using namespace muster;
using namespace muster::service;
using Catch::Matchers::Contains;

namespace {

std::string refusal(const std::string& text) {
    Config config;
    try {
        read_config_text(config, text, "/etc/m.toml");
    } catch (const StartError& error) {
        CHECK(error.code() == ExitCode::configuration);
        return error.what();
    }
    return "";
}

std::string size_refusal(const std::string& text) {
    try {
        parse_size(text, "memory");
    } catch (const StartError& error) {
        return error.what();
    }
    return "";
}

}  // namespace

TEST_CASE("every key of the configuration is taken over") {
    Config config;
    read_config_text(config, R"(
address = "unix:/run/x/m.sock"
memory = "512 MiB"
history = 7
grace = 2
log_level = "debug"
[limits]
connections = 1
connections_per_uid = 2
processes = 3
sessions = 4
)",
                     "f");
    CHECK(config.address == "unix:/run/x/m.sock");
    CHECK(config.memory == 512u << 20);
    CHECK(config.history == 7);
    CHECK(config.grace == 2);
    CHECK(config.log_level == "debug");
    CHECK(config.limits.connections == 1);
    CHECK(config.limits.connections_per_uid == 2);
    CHECK(config.limits.processes == 3);
    CHECK(config.limits.sessions == 4);

    config.mode = Mode::system;
    const Config copy = from_argument(to_argument(config));
    CHECK(to_argument(copy) == to_argument(config));
    CHECK(copy.mode == Mode::system);
    CHECK(copy.grace == 2);
    CHECK(copy.limits.sessions == 4);
}

TEST_CASE("an empty configuration changes nothing") {
    Config config;
    read_config_text(config, "", "f");
    CHECK(to_argument(config) == to_argument(Config{}));
}

TEST_CASE("unknown keys, wrong types and values out of range are named with file and line") {
    CHECK(refusal("a = 1") == "/etc/m.toml:1: unknown key 'a': known here: address, deadlock, grace, history, limits, log_level, memory");
    CHECK_THAT(refusal("\n\n[limits]\nx = 1"), Contains("/etc/m.toml:4: unknown key 'limits.x'"));
    CHECK_THAT(refusal("[other]\nx = 1"), Contains("unknown key 'other'"));
    CHECK_THAT(refusal("history = -1"), Contains("/etc/m.toml:1: history: out of range"));
    CHECK_THAT(refusal("history = 1.5"), Contains("history: wrong type: an integer expected"));
    CHECK_THAT(refusal("grace = \"5\""), Contains("grace: wrong type: a number of seconds expected"));
    CHECK_THAT(refusal("grace = -1"), Contains("grace: out of range"));
    CHECK_THAT(refusal("grace = nan"), Contains("grace: out of range"));
    CHECK_THAT(refusal("log_level = \"loud\""), Contains("no log level 'loud'"));
    CHECK_THAT(refusal("memory = 5"), Contains("memory: wrong type"));
    CHECK_THAT(refusal("memory = \"5 bananas\""), Contains("'5 bananas' is no size"));
    CHECK_THAT(refusal("address = \"/run/x\""), Contains("is no address"));
    CHECK_THAT(refusal("limits = 3"), Contains("limits: wrong type"));
    CHECK_THAT(refusal("[limits]\nconnections = 0"), Contains("/etc/m.toml:2: limits.connections: out of range"));
    CHECK_THAT(refusal("history = 1\nhistory = 2"), Contains("/etc/m.toml:2:"));
    CHECK_THAT(refusal("= 1"), Contains("/etc/m.toml:1:"));
}

TEST_CASE("sizes are written with binary units") {
    CHECK(parse_size("1 GiB", "m") == 1u << 30);
    CHECK(parse_size("1GiB", "m") == 1u << 30);
    CHECK(parse_size("64M", "m") == 64u << 20);
    CHECK(parse_size("8192 KiB", "m") == 8u << 20);
    CHECK(parse_size("4194304", "m") == 4u << 20);
    CHECK(parse_size("1 TiB", "m") == std::uint64_t{1} << 40);
    for (const char* bad : {"", "GiB", "1.5 GiB", "-1 GiB", "1 GB", "1 gib", "0x10", "1 GiB "})
        CHECK_THAT(size_refusal(bad), Contains("is no size"));
    for (const char* bad : {"0", "4194303", "2 TiB", "99999999999999999999", "18446744073709551615 TiB"})
        CHECK_THAT(size_refusal(bad), Contains("out of range"));
}
