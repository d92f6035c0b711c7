// Each limit of one user: the error names it and the key that raises it, and other users are not touched.
#include <sys/stat.h>

#include <muster/ipc.hpp>

#include "hostile/hostile.hpp"

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
