#include "ctl/output.hpp"

#include <catch2/catch.hpp>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include <nlohmann/json.hpp>

#include "base/base.hpp"
#include "ctl/context.hpp"
#include "ctl/exit_code.hpp"
#include "ctl/processes.hpp"

using namespace muster::ctl;
using nlohmann::json;

namespace {

json record(const json& fields = json::object()) {
    json process{{"id", 1},   {"name", "web"},      {"pid", 10},
                 {"ppid", 9}, {"state", "running"}, {"started", 1.5}};
    process.update(fields);
    return process;
}

}  // namespace

TEST_CASE("a table is as wide as its cells, with numbers to the right and nothing behind the last column") {
    Table table({{"NAME"}, {"N", true}, {"TEXT"}});
    table.add({"a", "100", "x"});
    table.add({"longer", "7", "yy"});
    CHECK(table.text(false) == "NAME      N  TEXT\na       100  x\nlonger    7  yy\n");
    CHECK(Table({{"A"}}).text(false) == "A\n");
}

TEST_CASE("widths count characters, not bytes, and colour does not count") {
    Table table({{"A"}, {"B"}});
    table.add({Cell("äöü", Style::good), "1"});
    table.add({"abcd", "2"});
    CHECK(table.text(false) == "A     B\näöü   1\nabcd  2\n");
    CHECK_THAT(table.text(true), Catch::Contains("\x1b[32mäöü\x1b[0m   1\n"));
}

TEST_CASE("no cell steers the terminal") {
    Table table({{"A"}});
    table.add({"x\x1b[31m\ny"});
    CHECK(table.text(false) == "A\nx\\x1b[31m\\x0ay\n");
    CHECK(one_line("a\nb\tc") == "a b c");
}

TEST_CASE("a reader that has gone is no error, a full disk is") {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    ::close(ends[0]);
    const auto before = std::signal(SIGPIPE, SIG_IGN);
    CHECK_NOTHROW(write_all(ends[1], "text"));
    std::signal(SIGPIPE, before);
    ::close(ends[1]);
    const muster::base::UniqueFd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
    REQUIRE(full);
    CHECK_THROWS_AS(write_all(full.get(), "text"), muster::Error);
}

TEST_CASE("how a process ended, in a word and as a shell's code") {
    CHECK(ending(record()) == "-");
    CHECK(ending(record({{"state", "exited"}, {"exit_code", 3}})) == "3");
    CHECK(shell_code(record({{"state", "exited"}, {"exit_code", 3}})) == 3);
    CHECK(ending(record({{"state", "exited"}, {"exit_code", nullptr}, {"signal", 9}})) == "SIGKILL");
    CHECK(shell_code(record({{"state", "exited"}, {"exit_code", nullptr}, {"signal", 9}})) == 137);
    CHECK(ending(record({{"signal", 11}, {"core_dumped", true}})) == "SIGSEGV (core)");
    CHECK(ending(record({{"state", "failed"}})) == "failed");
    CHECK(shell_code(record({{"state", "failed"}})) == exit_own_failure);
}

TEST_CASE("a record has every field in JSON, absent ones null") {
    const json all = complete(json::array({record()}));
    REQUIRE(all.size() == 1);
    for (const char* field : {"name", "pid", "ppid", "state", "exit_code", "signal", "started", "ended"})
        CHECK(all[0].contains(field));
    CHECK(all[0]["exit_code"].is_null());
    CHECK(all[0]["signal"].is_null());
    CHECK(all[0]["pid"] == 10);
}

TEST_CASE("a record that is none is a protocol error, not a crash") {
    CHECK_THROWS_AS(process_table(json::array({record({{"name", 3}})})), muster::Error);
    CHECK_THROWS_AS(shell_code(record({{"exit_code", "x"}})), muster::Error);
    CHECK_THROWS_AS(complete(json::array({3})), muster::Error);
}

TEST_CASE("exit codes tell no, usage, unreachable and failure apart") {
    CHECK(exit_code(muster::Errc::key_error) == 1);
    CHECK(exit_code(muster::Errc::empty) == 1);
    CHECK(exit_code(muster::Errc::timeout) == 1);
    CHECK(exit_code(muster::Errc::invalid_argument) == 2);
    CHECK(exit_code(muster::Errc::unreachable) == 3);
    CHECK(exit_code(muster::Errc::wrong_kind) == 4);
    CHECK(exit_code(muster::Errc::refused) == 4);
    CHECK(exit_code(muster::Errc::out_of_memory) == 4);
}
