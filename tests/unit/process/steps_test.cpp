// A start of which each system call fails in turn, the child's up to its function included: the function runs as it should,
// or the start is refused and nothing is left of it; and it can be tried again.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdio>
#include <muster/error.hpp>
#include <muster/process.hpp>
#include <optional>
#include <set>
#include <string>

#include "support/failing/system_calls.hpp"
#include "support/leftovers.hpp"
#include "support/skip.hpp"

using namespace muster::test;

namespace {

// The parent's input is not the child's: there is nothing to be read.
int read_input() {
    char byte;
    return ::read(STDIN_FILENO, &byte, 1) == 0 ? 7 : 8;
}

std::string start_twice() {
    int input[2];
    if (::pipe2(input, O_CLOEXEC) != 0 || ::dup2(input[0], STDIN_FILENO) != STDIN_FILENO) return "no pipe";
    if (::write(input[1], "input of the parent's", 21) != 21) return "nothing to read";
    std::string found;
    std::optional<muster::Process> process;
    const auto run = [&] {
        process.emplace(read_input);
        process->start();
        process->join();
        return "exit code " + std::to_string(process->exitcode().value_or(-1));
    };
    {
        std::optional<Counted> counted(std::in_place);
        try {
            found = run();
        } catch (const muster::Error& error) {
            counted.reset();
            found = std::string("error: ") + error.what();
            try {
                process->join();  // of one that runs
                found += ", then exit code " + std::to_string(process->exitcode().value_or(-1));
            } catch (const muster::Error&) {
                if (has_children()) found += ", and a child is left";
            }
        }
    }
    return found + "; again: " + run();
}

}  // namespace

TEST_CASE("a start of which any system call fails runs as it should, or is refused and leaves no child") {
    if (const std::string why = no_tracing_here(); !why.empty()) skip(why);
    std::fflush(stdout);  // what is buffered would be each child's to write
    // Parent and child take turns as they like, so that one round may miss a call.
    const std::set<std::string> wanted{"parent: pidfd_open", "parent: eventfd2", "parent: clone", "child: openat"};
    std::set<std::string> seen;
    const auto seen_all = [&] { return std::includes(seen.begin(), seen.end(), wanted.begin(), wanted.end()); };
    for (int nth = 1, round = 0; round < 10 && !(nth == 1 && seen_all()); ++nth) {
        REQUIRE(nth < 300);
        const Outcome outcome = with_failing_call(nth, as_it_would, start_twice);
        if (!outcome.call.fired) {
            nth = 0;
            ++round;
            continue;
        }
        seen.insert((outcome.call.in_child ? "child: " : "parent: ") + outcome.call.name);
        INFO(outcome.call.name << ' ' << outcome.call.path << " of the " << (outcome.call.in_child ? "child" : "parent") << ", call " << nth);
        CAPTURE(outcome.found);
        if (outcome.call.in_child && outcome.call.name == "read") continue;  // the function's own
        const bool error = outcome.found.starts_with("error: ");
        const bool could_not_start = error && outcome.found.find("could not be started") != std::string::npos;
        CHECK(outcome.status == 0);
        CHECK(outcome.found.ends_with("; again: exit code 7"));
        CHECK(outcome.found.find("a child is left") == std::string::npos);
        if (outcome.call.in_child || !error)
            CHECK(outcome.found.starts_with("exit code 7; "));
        else if (!could_not_start)  // it was waited for, and is still there
            CHECK(outcome.found.find(", then exit code 7; ") != std::string::npos);
    }
    CHECK(seen_all());
}
