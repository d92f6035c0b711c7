// musterctl's verbs for sets, counters, namespaces and numbers, against a real daemon.
#include <catch2/catch.hpp>

#include "ctl_program.hpp"

using muster::test::Ctl;
using muster::test::Daemon;
using nlohmann::json;

TEST_CASE("set verbs") {
    Daemon daemon;
    const Ctl ctl(daemon.address());
    CHECK(ctl("set", "add", "s", "3", "four", "3").out == "2\n");
    CHECK(ctl("set", "add", "s", "3").out == "0\n");
    CHECK(ctl("set", "items", "s").out == "3\nfour\n");
    CHECK(ctl("set", "len", "s").out == "2\n");
    CHECK(ctl("set", "contains", "s", "four").code == 0);
    CHECK(ctl("set", "contains", "s", "--string", "3").code == 1);
    CHECK(ctl("show", "s", "--json").json() == json({3, "four"}));
    CHECK(ctl("set", "discard", "s", "3").code == 0);
    CHECK(ctl("set", "discard", "s", "3").code == 1);
    CHECK(ctl("set", "pop", "s").out == "four\n");
    const auto none = ctl("set", "pop", "s");
    CHECK(none.code == 1);
    CHECK(none.says({"set 's'", "empty"}));
    CHECK(ctl("objects", "--json").json().at(0).at("kind") == "set");
}

TEST_CASE("counter verbs") {
    Daemon daemon;
    const Ctl ctl(daemon.address());
    CHECK(ctl("counter", "inc", "c", "hello").out == "1\n");
    CHECK(ctl("counter", "inc", "c", "hello", "4").out == "5\n");
    CHECK(ctl("counter", "inc", "c", "hello", "--", "-2").out == "3\n");
    CHECK(ctl("counter", "inc", "c", "7", "9").out == "9\n");
    CHECK(ctl("counter", "get", "c", "hello").out == "3\n");
    CHECK(ctl("counter", "get", "c", "absent").out == "0\n");
    CHECK(ctl("counter", "top", "c").out == "7\t9\nhello\t3\n");
    CHECK(ctl("counter", "top", "c", "1", "--json").json() == json::array({{7, 9}}));
    CHECK(ctl("counter", "total", "c").out == "12\n");
    CHECK(ctl("counter", "del", "c", "7").code == 0);
    CHECK(ctl("counter", "del", "c", "7").code == 1);
    CHECK(ctl("show", "c", "--json").json() == json{{"hello", 3}});
    CHECK(ctl("counter", "get", "nowhere", "x").says({"[no_such_object]", "counter 'nowhere'"}));
}

TEST_CASE("namespace verbs") {
    Daemon daemon;
    const Ctl ctl(daemon.address());
    CHECK(ctl("namespace", "set", "n", "rate", "0.5").code == 0);
    CHECK(ctl("namespace", "set", "n", "7", "seven").code == 0);  // a name is text
    CHECK(ctl("namespace", "get", "n", "rate").out == "0.5\n");
    CHECK(ctl("namespace", "get", "n", "7").out == "seven\n");
    CHECK(ctl("namespace", "attributes", "n").out == "rate\n7\n");
    CHECK(ctl("namespace", "has", "n", "rate").code == 0);
    CHECK(ctl("show", "n", "--json").json() == json{{"rate", 0.5}, {"7", "seven"}});
    CHECK(ctl("namespace", "del", "n", "rate").code == 0);
    const auto absent = ctl("namespace", "get", "n", "rate");
    CHECK(absent.code == 1);
    CHECK(absent.says({"[no_attribute]", "namespace 'n'", "rate"}));
    CHECK(ctl("dict", "get", "n", "rate").says({"[wrong_kind]", "namespace"}));
}

TEST_CASE("value verbs") {
    Daemon daemon;
    const Ctl ctl(daemon.address());
    CHECK(ctl("value", "create", "v", "int16", "7").code == 0);
    CHECK(ctl("value", "get", "v").out == "7\n");
    CHECK(ctl("value", "add", "v", "--", "-10").out == "-3\n");
    CHECK(ctl("value", "set", "v", "32767").code == 0);
    CHECK(ctl("show", "v", "--json").json() == 32767);
    const auto over = ctl("value", "set", "v", "32768");
    CHECK(over.code == 4);
    CHECK(over.says({"[value_error]", "value 'v'", "32768", "int16"}));
    CHECK(ctl("value", "set", "v", "0.5").says({"[value_error]"}));
    CHECK(ctl("value", "get", "v").out == "32767\n");
    CHECK(ctl("value", "create", "w", "int17", "0").says({"int17", "uint8"}));
    CHECK(ctl("value", "create", "v", "float64", "0").says({"[type_mismatch]", "int16", "float64"}));
}

TEST_CASE("array verbs") {
    Daemon daemon;
    const Ctl ctl(daemon.address());
    CHECK(ctl("array", "create", "a", "float64", "3").code == 0);
    CHECK(ctl("array", "set", "a", "--", "-1", "0.5").code == 0);
    CHECK(ctl("array", "get", "a", "2").out == "0.5\n");
    CHECK(ctl("array", "len", "a").out == "3\n");
    CHECK(ctl("array", "items", "a", "--json").json() == json({0.0, 0.0, 0.5}));
    CHECK(ctl("show", "a", "--json").json() == json({0.0, 0.0, 0.5}));
    const auto outside = ctl("array", "get", "a", "3");
    CHECK(outside.code == 1);
    CHECK(outside.says({"[index_error]", "array 'a'", "3"}));
    CHECK(ctl("array", "create", "a", "float64", "4").says({"[value_error]", "3 elements, not 4"}));
}
