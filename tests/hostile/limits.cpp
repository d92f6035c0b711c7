// Each limit of one user: the error names it and the key that raises it, and other users are not touched.
#include <sys/stat.h>

#include <muster/ipc.hpp>

#include "hostile/hostile.hpp"
#include "support/eventually.hpp"

using namespace muster::test;
using Catch::Matchers::Contains;

namespace {

const json sleeper = {{"spec", {{"argv", {"sleep", "1000"}}, {"name", "w"}}}};

json spawn(VarlinkSocket& client, int count) {
    json parameters = sleeper;
    parameters["count"] = count;
    return client.call("io.muster.processes.Spawn", parameters);
}

bool says(const json& reply, const char* what, int limit, const char* key) {
    const json expected = {{"what", what}, {"limit", limit}, {"key", key}};
    return reply.value("error", "").ends_with(".LimitExceeded") && reply.at("parameters") == expected;
}

// A daemon for every user, on a socket that every user reaches.
struct ForEverybody : Target {
    explicit ForEverybody(const std::string& settings) : Target(settings, {"--system"}) {
        ::chmod(daemon().directory().path().c_str(), 0711);
    }
};

}  // namespace

TEST_CASE("processes of one user, and of all") {
    ForEverybody target("[limits]\nprocesses_per_uid = 3\nprocesses = 5\n");
    CHECK(says(spawn(target.witness(), 4), "processes of one user", 3, "limits.processes_per_uid"));
    CHECK(spawn(target.witness(), 3).contains("parameters"));
    CHECK(says(spawn(target.witness(), 1), "processes of one user", 3, "limits.processes_per_uid"));
    CHECK(as_another_user([&] {
        VarlinkSocket client(target.path());
        return spawn(client, 2).contains("parameters") && says(spawn(client, 1), "processes", 5, "limits.processes");
    }));
    target.witness().call("io.muster.processes.Kill", {{"select", "w"}});
    CHECK(spawn(target.witness(), 3).contains("parameters"));
}

TEST_CASE("sessions of one user, and of all") {
    ForEverybody target("[limits]\nsessions_per_uid = 3\nsessions = 5\n");
    const auto connected = [&] { return muster::Manager::connect(target.daemon().address()); };
    const auto registered = [&] {
        std::vector<json> all;
        const json reply = target.witness().call("io.muster.service.Sessions");
        for (const json& session : reply.at("parameters").at("sessions"))
            if (session.at("registered")) all.push_back(session);
        return all;
    };
    const auto why = [&](const char* what, const char* limit, const char* key) {
        try {
            connected();
        } catch (const muster::Error& error) {
            const std::string text = error.what();
            return error.errc() == muster::Errc::limit_exceeded && text.find(what) != text.npos &&
                   text.find(limit) != text.npos && text.find(key) != text.npos;
        }
        return false;
    };
    // A process has a session when it holds an anonymous object, or a lock. The fourth has connected before that.
    std::vector<muster::Manager> managers;
    for (int i = 0; i < 4; ++i) managers.push_back(connected());
    std::vector<muster::Dict<int, int>> dicts;
    for (std::size_t i = 0; i < 3; ++i) dicts.push_back(managers[i].dict<int, int>());
    REQUIRE(eventually([&] { return registered().size() == 3; }));
    CHECK(says(target.witness().call("io.muster.service.Attach"), "sessions of one user", 3, "limits.sessions_per_uid"));
    CHECK(why("sessions of one user", "at most 3", "limits.sessions_per_uid"));
    // It is served, but not registered: the error is Register's, too.
    dicts.push_back(managers[3].dict<int, int>());
    dicts[3].set(1, 2);
    CHECK(dicts[3].at(1) == 2);
    const json listed = target.witness().call("io.muster.service.Sessions").at("parameters").at("sessions");
    REQUIRE(listed.size() == 4);
    CHECK(registered().size() == 3);
    for (const json& session : listed)
        if (!session.at("registered"))
            CHECK(says(target.witness().call("io.muster.service.Register",
                                             {{"session", session.at("index")}, {"generation", session.at("generation")}}),
                       "sessions of one user", 3, "limits.sessions_per_uid"));
    CHECK(as_another_user([&] {
        const auto first = connected(), second = connected();
        auto one = first.dict<int, int>(), two = second.dict<int, int>();
        one.set(1, 1);
        two.set(2, 2);
        VarlinkSocket client(target.path());
        return eventually([&] { return why("sessions", "at most 5", "limits.sessions"); }) &&
               says(client.call("io.muster.service.Attach"), "sessions", 5, "limits.sessions");
    }));
    // What is given back is free at once.
    dicts.clear();
    managers.clear();
    const auto again = connected();
    again.dict<int, int>().set(3, 4);
    target.check_served();
}

TEST_CASE("objects and memory of one user are those of the realm") {
    ForEverybody target("memory = \"4 MiB\"\n");
    const auto why = [](const auto& until_refused) -> std::string {
        try {
            for (int i = 0; i < 100'000; ++i) until_refused(i);
        } catch (const muster::Error& error) {
            return error.what();
        }
        return "never refused";
    };
    const auto manager = muster::Manager::connect(target.daemon().address());
    CHECK_THAT(why([&](int i) { manager.dict<int, int>("d" + std::to_string(i)); }),
               Contains("objects of the realm are in use") && Contains("--memory"));
    auto list = manager.dict<int, std::string>("d0");
    CHECK_THAT(why([&](int i) { list.set(i, std::string(10'000, 'x')); }), Contains("out of memory"));
    CHECK(as_another_user([&] {
        const auto own = muster::Manager::connect(target.daemon().address());
        auto dict = own.dict<int, int>("mine");
        dict.set(1, 2);
        return dict.at(1) == 2;
    }));
    target.check_served();
}
