// musterctl's view of handles that are values, and what the daemon frees of them.
#include <catch2/catch.hpp>

#include <muster/ipc.hpp>

#include "ctl_program.hpp"

using muster::Manager;
using muster::Value;
using muster::test::Ctl;
using muster::test::Daemon;
using muster::test::eventually;
using nlohmann::json;

namespace {

bool prints(const muster::test::Outcome& outcome, const std::string& text) { return outcome.out.find(text) != std::string::npos; }

json anonymous(const Ctl& ctl) {
    json all = json::array();
    for (const json& object : ctl("objects", "--json").json())
        if (object.at("name").is_null()) all.push_back(object);
    return all;
}

}  // namespace

TEST_CASE("handles in values are printed as what they are, everywhere") {
    Daemon daemon;
    const Ctl ctl(daemon.address());
    const Manager manager = Manager::connect(daemon.address());
    auto table = manager.dict<std::string, Value>("table");
    auto inner = manager.list<int>(), named = manager.list<int>("named");
    const std::string id = std::to_string(inner.ref().id);
    table.set("inner", muster::to_value(inner));
    table.set("deep", Value{{"in", {1, muster::to_value(named)}}});
    manager.queue<muster::List<int>>("queue").put(inner);
    CHECK(prints(ctl("show", "table"), "\"inner\": {\"handle\":\"list #" + id + "\"}\n"));
    CHECK(prints(ctl("show", "table"), R"("deep": {"in":[1,{"handle":"list 'named'"}]})"));
    const json handle{{"handle", {{"id", inner.ref().id}, {"kind", "list"}, {"name", nullptr}}}};
    const json of_named{{"handle", {{"id", named.ref().id}, {"kind", "list"}, {"name", "named"}}}};
    CHECK(ctl("show", "table", "--json").json() == json{{"inner", handle}, {"deep", {{"in", {1, of_named}}}}});
    CHECK(ctl("dict", "get", "table", "inner").out == "{\"handle\":\"list #" + id + "\"}\n");
    CHECK(ctl("dict", "values", "table", "--json").json()[0] == handle);
    CHECK(ctl("dict", "items", "table", "--json").json()[0][1] == handle);
    CHECK(ctl("show", "queue", "--json").json() == json::array({handle}));
    inner.extend({1, 2});
    CHECK(ctl("show", "table", "--deep", "--json").json() == json{{"inner", {1, 2}}, {"deep", {{"in", {1, json::array()}}}}});
    manager.erase("named");
    CHECK(prints(ctl("dict", "get", "table", "deep"), ", gone"));
    const auto gone = ctl("show", "table", "--deep");
    CHECK(gone.code == 4);
    CHECK(gone.says({"[destroyed]"}));
}

TEST_CASE("show --deep --limit prints of each object as many entries as wanted, and how many there are") {
    Daemon daemon;
    const Ctl ctl(daemon.address());
    const Manager manager = Manager::connect(daemon.address());
    auto table = manager.dict<std::string, Value>("table");
    auto inner = manager.list<int>();
    inner.extend({1, 2, 3});
    auto numbered = manager.dict<int, muster::List<int>>();
    numbered.set(5, inner);
    numbered.set(6, inner);
    table.set("a/b", Value{{"plain", {1, 2, 3}}, {"list", muster::to_value(inner)}});
    table.set("numbered", muster::to_value(numbered));
    table.set("lock", muster::to_value(manager.lock()));  // what is not shown is not followed
    CHECK(ctl("show", "table", "--deep").says({"[type_mismatch]"}));
    CHECK(ctl("show", "table", "--deep", "--limit", "2").out == R"({
  "a/b": {
    "list": [
      1,
      2
      ... and 1 more
    ],
    "plain": [
      1,
      2,
      3
    ]
  },
  "numbered": [
    [
      5,
      [
        1,
        2
        ... and 1 more
      ]
    ],
    [
      6,
      [
        1,
        2
        ... and 1 more
      ]
    ]
  ]
  ... and 1 more
}
)");
    CHECK(ctl("show", "table", "--deep", "--limit", "0").out == "{\n  ... and 3 more\n}\n");
    CHECK(ctl("show", "table", "--deep", "--limit", "2", "--json").json() ==
          json{{"a/b", {{"plain", {1, 2, 3}}, {"list", {1, 2}}}}, {"numbered", {{5, {1, 2}}, {6, {1, 2}}}}});
    table.erase("lock");
    CHECK(ctl("show", "table", "--deep", "--limit", "3").out == ctl("show", "table", "--deep").out);
}

TEST_CASE("objects tells what is stored, check of its marks, and what nobody reaches is freed") {
    Daemon daemon;
    const Ctl ctl(daemon.address());
    const Manager manager = Manager::connect(daemon.address());
    auto table = manager.dict<std::string, muster::List<int>>("table");
    {
        auto held = manager.list<int>();
        CHECK(anonymous(ctl)[0].at("stored") == false);
        table.set("a", held);
        CHECK(anonymous(ctl)[0].at("stored") == true);
        CHECK(prints(ctl("objects"), "1, stored"));
    }
    CHECK(eventually([&] { return anonymous(ctl)[0].at("holders") == 0; }));
    CHECK(prints(ctl("objects"), "0, stored"));
    const json report = ctl("check", "--json").json();
    CHECK(report.at("violations").empty());
    CHECK(report.at("invariants").back().at("invariant") == "I13");
    CHECK(report.at("invariants").back().at("checked") == 1);
    table.at("a").push_back(1);
    table.clear();
    CHECK(eventually([&] { return anonymous(ctl).empty(); }));
}
