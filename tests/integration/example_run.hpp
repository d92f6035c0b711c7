// Runs an example program against a daemon of the test's own, and looks at what it leaves behind.
#pragma once

#include <sys/resource.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "support/daemon_fixture.hpp"

namespace muster::test {

using nlohmann::json;

inline std::vector<std::string> lines_of(const std::string& text) {
    std::istringstream in(text);
    std::vector<std::string> lines;
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
}
inline std::vector<std::string> sorted(std::vector<std::string> lines) {
    std::sort(lines.begin(), lines.end());
    return lines;
}
inline std::size_t count_containing(const std::vector<std::string>& lines, const std::string& part) {
    return static_cast<std::size_t>(std::count_if(lines.begin(), lines.end(), [&](const std::string& line) {
        return line.find(part) != std::string::npos;
    }));
}

struct ExampleRun {
    Daemon daemon;
    Ran ran;
    std::vector<std::string> lines;

    // Runs it to its end; CHECKs that it succeeded, said `expected_errors` on stderr and nothing else, and
    // that its anonymous objects go when it has.
    void example(const std::string& name, const std::string& expected_errors = "") {
        const rlimit no_core{0, 0};  // one of them ends by abort()
        ::setrlimit(RLIMIT_CORE, &no_core);
        ran = run({program("example-" + name)}, {"MUSTER_ADDRESS=" + daemon.address()});
        lines = lines_of(ran.out);
        INFO(ran.out << ran.err << daemon.log());
        CHECK(ran.status == 0);
        CHECK(ran.err == expected_errors);
        CHECK(eventually([&] {
            for (const json& object : objects())
                if (object.at("name").is_null()) return false;
            return true;
        }));
    }
    json objects() const { return json::parse(daemon.ctl({"objects", "--json"}).out); }
    // All that the daemon knows, also the ended ones.
    json processes() const { return json::parse(daemon.ctl({"ps", "--all", "--json"}).out); }
    // The one of that name.
    json process(const std::string& name) const {
        for (const json& each : processes())
            if (each.at("name") == name) return each;
        FAIL("the daemon knows no process '" << name << "'");
        return {};
    }
};

}  // namespace muster::test
