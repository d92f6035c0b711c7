#include "service/server/interface.hpp"

#include <catch2/catch.hpp>
#include <muster/error.hpp>
#include <nlohmann/json.hpp>

#include "service/server/interfaces.hpp"
#include "service/server/validator.hpp"

using namespace muster::service;
using nlohmann::json;
using Catch::Matchers::Contains;

namespace {

const char* text = R"(# a test
interface org.example.test-1
type Color (red, green)
type Point (x: int, y: ?float) # trailing comment
method Draw(points: []Point, color: ?Color, tags: [string]string, extra: ?object, deep: ?(on: bool, off: []?string)) -> ()
method Nothing() -> (done: bool)
error Bad (reason: string)
)";

std::string whats_wrong(const json& value, const char* method = "Draw") {
    static const Interface interface = Interface::parse(text);
    const auto found = mismatch(value, interface.methods.find(method)->second.input, interface);
    return found ? found->path + ": " + found->reason : "";
}

std::string parse_failure(const std::string& definition) {
    try {
        Interface::parse(definition);
    } catch (const muster::Error& error) {
        return error.detail();
    }
    return "";
}

}  // namespace

TEST_CASE("an interface definition is parsed") {
    const Interface interface = Interface::parse(text);
    CHECK(interface.name == "org.example.test-1");
    CHECK(interface.description == text);
    CHECK(interface.types.size() == 2);
    CHECK(interface.types.find("Color")->second.values == std::vector<std::string>{"red", "green"});
    CHECK(interface.methods.size() == 2);
    CHECK(interface.methods.find("Draw")->second.input.fields.size() == 5);
    CHECK(interface.methods.find("Nothing")->second.output.fields.at(0).name == "done");
    CHECK(interface.errors.size() == 1);
}

TEST_CASE("mistakes in a definition are told with their line") {
    CHECK_THAT(parse_failure("nothing"), Contains("'interface' expected"));
    CHECK_THAT(parse_failure("interface a.b\ntype x (a: int)"), Contains("line 2") && Contains("capital"));
    CHECK_THAT(parse_failure("interface a.b\ntype X (a: int, b)"), Contains("mixed"));
    CHECK_THAT(parse_failure("interface a.b\ntype X (a: int, a: int)"), Contains("'a' appears twice"));
    CHECK_THAT(parse_failure("interface a.b\ntype X (a: Y)"), Contains("no type 'Y'"));
    CHECK_THAT(parse_failure("interface a.b\ntype X ()\ntype X ()"), Contains("line 3") && Contains("twice"));
    CHECK_THAT(parse_failure("interface a.b\nmethod X(a: int)"), Contains("'-' expected"));
    CHECK_THAT(parse_failure("interface a.b\ntype X (a: \?\?int)"), Contains("optional twice"));
    CHECK_THAT(parse_failure("interface a.b\ntype X (a: int"), Contains("expected"));
}

TEST_CASE("parameters are held against the definition and the first misfit is named") {
    const json good = {{"points", {{{"x", 1}}, {{"x", 2}, {"y", 2.5}}}}, {"tags", json::object()}};
    CHECK(whats_wrong(good).empty());

    auto with = [&](const char* name, json value) {
        json changed = good;
        changed[name] = std::move(value);
        return whats_wrong(changed);
    };
    CHECK(whats_wrong(json::object()) == "points: missing");
    CHECK(with("speed", 1) == "speed: unknown");
    CHECK(with("points", "no") == "points: an array expected, not a string");
    CHECK(with("points", {{{"x", 1}}, {{"x", "1"}}}) == "points[1].x: an integer expected, not a string");
    CHECK(with("points", {{{"x", 1.5}}}) == "points[0].x: an integer expected, not a fraction");
    CHECK(with("points", {{{"x", 1}, {"z", 1}}}) == "points[0].z: unknown");
    CHECK(with("points", {{{"x", 18446744073709551615u}}}) == "points[0].x: does not fit 64 bits");
    CHECK(with("points", {{{"x", 1}, {"y", 7}}}).empty());  // an integer is a number
    CHECK(with("color", "red").empty());
    CHECK(with("color", nullptr).empty());
    CHECK(with("color", "blue") == "color: one of red, green expected");
    CHECK(with("color", 3) == "color: a string expected, not an integer");
    CHECK(with("tags", {{"k", "v"}}).empty());
    CHECK(with("tags", {{"k", 1}}) == "tags.k: a string expected, not an integer");
    CHECK(with("extra", {{"any", {1, 2}}}).empty());
    CHECK(with("extra", json::array()) == "extra: an object expected, not an array");
    CHECK(with("deep", {{"on", true}, {"off", {"a", nullptr}}}).empty());
    CHECK(with("deep", {{"on", 1}, {"off", json::array()}}) == "deep.on: a boolean expected, not an integer");
    CHECK(with("deep", {{"on", true}, {"off", {"a", 2}}}) == "deep.off[1]: a string expected, not an integer");
    CHECK(whats_wrong(json::object(), "Nothing").empty());
}

TEST_CASE("the daemon's own interface files parse, and describe themselves unchanged") {
    std::vector<std::string> names;
    for (const auto definition : embedded_interfaces()) {
        const Interface interface = Interface::parse(definition);
        CHECK(interface.description == definition);
        names.push_back(interface.name);
    }
    CHECK(names == std::vector<std::string>{"io.muster.objects", "io.muster.processes", "io.muster.service",
                                            "org.varlink.service"});
}
