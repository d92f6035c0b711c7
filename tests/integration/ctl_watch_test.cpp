// musterctl watch, and keys that expire, against a real daemon.
#include <catch2/catch.hpp>

#include <atomic>
#include <sstream>

#include "ctl_program.hpp"
#include "support/child.hpp"

using muster::test::Child;
using muster::test::Ctl;
using muster::test::Daemon;
using muster::test::eventually;
using muster::test::Shared;
using nlohmann::json;

TEST_CASE("dict verbs for keys that expire") {
    Daemon daemon;
    const Ctl ctl(daemon.address());
    CHECK(ctl("dict", "set", "d", "k", "1", "--ttl", "1h").code == 0);
    CHECK(ctl("dict", "set", "d", "stays", "2").code == 0);
    CHECK(ctl("dict", "ttl", "d", "stays").out == "stays\n");
    CHECK(ctl("dict", "ttl", "d", "stays", "--json").json().is_null());
    CHECK(ctl("dict", "ttl", "d", "k", "--json").json().get<double>() > 3000);
    CHECK(ctl("dict", "ttl", "d", "absent").code == 1);
    CHECK(ctl("dict", "persist", "d", "k").code == 0);
    CHECK(ctl("dict", "ttl", "d", "k").out == "stays\n");
    CHECK(ctl("dict", "expire", "d", "k", "soon").code == 2);
    CHECK(ctl("dict", "expire", "d", "k", "20ms").code == 0);
    CHECK(eventually([&] { return ctl("dict", "contains", "d", "k").code == 1; }));
    CHECK(ctl("dict", "len", "d").out == "1\n");
    CHECK(ctl("dict", "expire", "d", "k", "1s").code == 1);
    CHECK(ctl("objects", "--json").json().at(0).at("size") == 1);
    CHECK(ctl("check").code == 0);
}

TEST_CASE("watch prints what is there, and each change of a key, while the service dies and comes back") {
    Daemon daemon;
    const Ctl ctl(daemon.address());
    REQUIRE(ctl("dict", "set", "d", "rate", "1").code == 0);
    const Shared<std::atomic<bool>> enough;
    Child changer([&] {
        for (int i = 2; !*enough; ++i) {
            if (i % 8 == 0) daemon.kill_service();
            if (ctl("dict", "set", "d", "rate", std::to_string(i)).code != 0) return 1;
        }
        return 0;
    });
    const auto seen = ctl("watch", "d", "rate", "--count", "12", "--timeout", "60s", "--json");
    *enough = true;
    CHECK(seen.code == 0);
    std::vector<json> lines;
    std::istringstream text(seen.out);
    for (std::string line; std::getline(text, line);) lines.push_back(json::parse(line));
    REQUIRE(lines.size() == 13);
    for (std::size_t i = 0; i < lines.size(); ++i) {
        CHECK(lines[i].at("key") == "rate");
        CHECK(lines[i].at("present") == true);
        if (i == 0) continue;
        CHECK(lines[i].at("value").get<int>() > lines[i - 1].at("value").get<int>());
        CHECK(lines[i].at("version").get<int>() > lines[i - 1].at("version").get<int>());
    }
    CHECK(changer.join() == 0);
}

TEST_CASE("watch of an object prints its versions, ends in time, and says when it is gone") {
    Daemon daemon;
    const Ctl ctl(daemon.address());
    REQUIRE(ctl("list", "append", "l", "1").code == 0);
    const auto none = ctl("watch", "l", "--timeout", "10ms");
    CHECK(none.code == 1);
    CHECK(none.says({"[timeout]", "'l'", "has not changed"}));
    CHECK(std::count(none.out.begin(), none.out.end(), '\n') == 1);
    CHECK(ctl("watch", "absent").says({"[no_such_object]", "'absent'"}));
    REQUIRE(ctl("lock", "create", "k").code == 0);
    CHECK(ctl("watch", "k").says({"[wrong_kind]"}));
    const Shared<std::atomic<bool>> enough;
    Child changer([&] {
        while (!*enough && ctl("list", "append", "l", "2").code == 0) {
        }
        return 0;
    });
    CHECK(ctl("watch", "l", "-n", "2", "--timeout", "60s").code == 0);
    *enough = true;
    CHECK(changer.join() == 0);
    Child eraser([&] { return eventually([&] { return ctl("erase", "l").code != 0; }) ? 0 : 1; });
    const auto gone = ctl("watch", "l", "--timeout", "60s");
    CHECK(gone.code == 4);
    CHECK(eraser.join() == 0);
}
