#include "service/supervisor/log_lines.hpp"

#include <catch2/catch.hpp>
#include <random>

using namespace muster::service;

namespace {

std::vector<std::string> lines(const std::vector<std::string>& pieces) {
    std::vector<std::string> result;
    LogLines cutter([&](std::string_view line) { result.emplace_back(line); });
    for (const std::string& piece : pieces) cutter.feed(piece);
    cutter.end();
    return result;
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("output becomes lines however it comes in pieces") {
    CHECK(lines({"one\ntwo\n"}) == Lines{"one", "two"});
    CHECK(lines({"o", "ne", "\nt", "wo"}) == Lines{"one", "two"});
    CHECK(lines({"\n\n"}) == Lines{"", ""});
    CHECK(lines({"dos\r\n"}) == Lines{"dos"});
    CHECK(lines({""}).empty());
}

TEST_CASE("a long line becomes several, not cut inside a character") {
    const auto exact = lines({std::string(max_log_line, 'x') + "\n"});
    CHECK(exact == Lines{std::string(max_log_line, 'x')});
    const auto longer = lines({std::string(max_log_line + 1, 'x'), "\n"});
    CHECK(longer == Lines{std::string(max_log_line, 'x'), "x"});
    const auto euro = lines({std::string(max_log_line - 1, 'x') + "\xe2\x82\xac\n"});
    CHECK(euro == Lines{std::string(max_log_line - 1, 'x'), "\xe2\x82\xac"});
}

TEST_CASE("no output gets an unbounded or unescaped line into the log") {
    const auto seed = std::random_device{}();
    CAPTURE(seed);
    std::mt19937 random(seed);
    std::size_t longest = 0;
    bool clean = true;
    LogLines cutter([&](std::string_view line) {
        longest = std::max(longest, line.size());
        for (const char c : line) clean = clean && (static_cast<unsigned char>(c) >= 0x20 || c == '\t');
    });
    for (int i = 0; i < 2000; ++i) {
        std::string piece(random() % 700, '\0');
        for (char& c : piece) c = static_cast<char>(random() % 251 + (random() % 300 == 0 ? 0 : 1));
        cutter.feed(piece);
    }
    cutter.end();
    CHECK(longest <= 4 * max_log_line);
    CHECK(clean);
}
