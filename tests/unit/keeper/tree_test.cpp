#include <catch2/catch.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cerrno>
#include <filesystem>

#include "harness.hpp"
#include "keeper/cgroup.hpp"
#include "keeper/proc.hpp"

using namespace muster;
using namespace muster::keeper::test;
using Way = keeper::Options::Cgroups;

namespace {

// Both ways to find a tree. The first one needs a writable cgroup v2.
bool available(Way way) {
    if (way == Way::off || keeper::Cgroups::find().usable()) return true;
    WARN("SKIP: no writable cgroup v2 here");
    return false;
}

RunningKeeper::Adjust with(Way way) {
    return [way](keeper::Options& options) { options.cgroups = way; };
}

// A word that is in the command line of every process of the tree, and only there.
std::string token() {
    static int count = 0;
    return "token-" + std::to_string(::getpid()) + '-' + std::to_string(++count) + ".";
}

// Five processes: the main one, its child, one that was double-forked, one in a session of its own, and one that is
// both. With a cgroup, also one that cleared its environment.
std::string tree_script(const std::string& token, Way way, bool main_stays = true) {
    const std::string sleep = "tail -f /dev/null " + token;
    std::string script = sleep + " & (" + sleep + " &); setsid " + sleep + " & (setsid sh -c 'exec " + sleep + "' &); ";
    if (way == Way::automatic) script += "(env -i setsid /usr/bin/" + sleep + " &); ";
    return script + (main_stays ? "exec " + sleep : "exit 4");
}

// tail complains of the token: it is no file. The count includes only what still runs.
std::size_t running(const std::string& token) {
    std::size_t count = 0;
    for (const pid_t pid : processes_with(token)) {
        const auto stat = keeper::read_stat(pid);
        if (stat && stat->state != 'Z' && contents("/proc/" + std::to_string(pid) + "/comm") == "tail\n") ++count;
    }
    return count;
}

std::vector<std::string> cgroups_of(pid_t keeper) {
    std::vector<std::string> found;
    std::error_code error;  // a v2 tree is mounted there, or in there
    for (std::filesystem::recursive_directory_iterator it("/sys/fs/cgroup", error), end; !error && it != end; it.increment(error))
        if (it->path().filename().string().starts_with("muster-" + std::to_string(keeper) + '-'))
            found.push_back(it->path().string());
    return found;
}

}  // namespace

TEST_CASE("a signal to a tree reaches all of it and nobody else") {
    const auto way = GENERATE(Way::automatic, Way::off);
    const int signal = GENERATE(SIGKILL, SIGTERM);
    if (!available(way)) return;
    CAPTURE(way == Way::automatic, signal);
    RunningKeeper keeper(relay::obedient, with(way));
    keeper.take_over();
    const std::string ours = token(), others = token();
    const auto tree = keeper.start(shell(tree_script(ours, way)));
    const auto other = keeper.start(shell(tree_script(others, way)));
    const std::size_t size = way == Way::automatic ? 6 : 5;
    REQUIRE(eventually([&] { return running(ours) == size && running(others) == size; }));

    CHECK(keeper.signal(tree.id, signal, true) == 0);
    CHECK(eventually([&] { return running(ours) == 0; }));
    const auto exited = keeper.expect<link::Exited>();
    CHECK(exited.id == tree.id);
    CHECK(exited.ending.signal == signal);
    CHECK(running(others) == size);
    CHECK(eventually([&] { return keeper.signal(tree.id, signal, true) == ESRCH; }));

    CHECK(keeper.signal(other.id, SIGKILL, true) == 0);
    CHECK(eventually([&] { return running(others) == 0; }));
    CHECK(eventually([&] { return keeper::children_of(keeper.pid()).size() == 1; }));
    CHECK(eventually([&] { return cgroups_of(keeper.pid()).empty(); }));
}

TEST_CASE("a signal to one process spares the rest of its tree") {
    const auto way = GENERATE(Way::automatic, Way::off);
    if (!available(way)) return;
    RunningKeeper keeper(relay::obedient, with(way));
    keeper.take_over();
    const std::string ours = token();
    const auto tree = keeper.start(shell(tree_script(ours, way)));
    const std::size_t size = way == Way::automatic ? 6 : 5;
    REQUIRE(eventually([&] { return running(ours) == size; }));
    CHECK(keeper.signal(tree.id, SIGKILL, false) == 0);
    CHECK(keeper.expect<link::Exited>().id == tree.id);
    CHECK(running(ours) == size - 1);
    CHECK(keeper.signal(tree.id, SIGKILL, false) == ESRCH);

    // What is left of it can still be had by its id.
    CHECK(keeper.signal(tree.id, SIGKILL, true) == 0);
    CHECK(eventually([&] { return running(ours) == 0; }));
    CHECK(eventually([&] { return cgroups_of(keeper.pid()).empty(); }));
}

TEST_CASE("the remains of a child that ended by itself can still be signalled") {
    const auto way = GENERATE(Way::automatic, Way::off);
    if (!available(way)) return;
    RunningKeeper keeper(relay::obedient, with(way));
    keeper.take_over();
    const std::string ours = token();
    const auto tree = keeper.start(shell(tree_script(ours, way, false)));
    const auto exited = keeper.expect<link::Exited>();
    CHECK(exited.ending.exit_code == 4);
    const std::size_t size = way == Way::automatic ? 5 : 4;
    REQUIRE(eventually([&] { return running(ours) == size; }));
    CHECK(keeper.signal(tree.id, SIGTERM, true) == 0);
    CHECK(eventually([&] { return running(ours) == 0; }));
    CHECK(eventually([&] { return keeper.signal(tree.id, SIGKILL, true) == ESRCH; }));
    keeper.send(link::Forget{tree.id});
    CHECK(keeper.signal(tree.id, SIGKILL, true) == ESRCH);
}

TEST_CASE("SIGKILL to a tree wins against processes that fork without end") {
    const auto way = GENERATE(Way::automatic, Way::off);
    if (!available(way)) return;
    RunningKeeper keeper(relay::obedient, with(way));
    keeper.take_over();
    const std::string ours = token();
    // Each link of the chain starts the next one and ends.
    const std::string path = keeper.folder() / ours;
    {
        std::FILE* const script = std::fopen(path.c_str(), "w");
        REQUIRE(script != nullptr);
        std::fputs("sleep 0.002; sh $0 & exit 0", script);
        std::fclose(script);
    }
    const auto tree = keeper.start(shell("for i in 1 2 3; do sh " + path + " & done; exec sleep 1000"));
    REQUIRE(eventually([&] { return processes_with(ours).size() >= 3; }));
    CHECK(keeper.signal(tree.id, SIGKILL, true) == 0);
    CHECK(eventually([&] {
        if (processes_with(ours).empty()) return true;
        keeper.signal(tree.id, SIGKILL, true);
        return false;
    }));
}

TEST_CASE("without cgroups, even what hid from its tree ends with the keeper") {
    const std::string ours = token();
    RunningKeeper keeper(relay::obedient, with(Way::off));
    keeper.take_over();
    keeper.start(shell("(env -i setsid /usr/bin/tail -f /dev/null " + ours + " &); exit 0"));
    REQUIRE(eventually([&] { return running(ours) == 1; }));
    ::kill(keeper.pid(), SIGTERM);
    keeper.expect<link::Stop>();
    keeper.hang_up();
    CHECK(keeper.wait_for_end() == 0);
    CHECK(running(ours) == 0);
}

TEST_CASE("the cgroups of a keeper that was killed are cleared away by the next one") {
    if (!available(Way::automatic)) return;
    pid_t first = 0;
    pid_t worker = 0;
    {
        RunningKeeper keeper;
        keeper.take_over();
        first = keeper.pid();
        worker = keeper.start(shell("exec sleep 1000")).pid;
        ::kill(first, SIGKILL);
        keeper.wait_for_end();
    }
    ::kill(worker, SIGKILL);
    ::waitpid(worker, nullptr, 0);
    REQUIRE(cgroups_of(first).size() == 1);
    CHECK(eventually([&] {
        keeper::Cgroups::find();
        return cgroups_of(first).empty();
    }));
}
