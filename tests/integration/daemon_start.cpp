// Starting: where it may listen, what it refuses, and the exit codes of --help.
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "support/daemon_fixture.hpp"
#include "varlink_socket.hpp"

using namespace muster::test;
using Catch::Matchers::Contains;
namespace fs = std::filesystem;

namespace {

Ran refused(const std::string& address, std::vector<std::string> more = {}) {
    std::vector<std::string> argv{program("musterd"), "--private", "--address", address};
    argv.insert(argv.end(), more.begin(), more.end());
    Ran ran = run(argv);
    INFO(ran.err);
    CHECK(ran.out.empty());
    CHECK(std::count(ran.err.begin(), ran.err.end(), '\n') == 1);
    CHECK_THAT(ran.err, Catch::Matchers::StartsWith("musterd: "));
    return ran;
}

}  // namespace

TEST_CASE("a second daemon at the same address is told so and harms nothing") {
    Daemon daemon;
    const Ran second = refused(daemon.address());
    CHECK(second.status == 4);
    CHECK_THAT(second.err, Contains("already running"));
    CHECK(VarlinkSocket(daemon.socket_path()).call("io.muster.service.Status").contains("parameters"));
}

TEST_CASE("a socket that a killed daemon left is replaced, also its lock") {
    TempDirectory directory;
    const std::string path = directory / "muster.sock";
    {
        const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
        REQUIRE(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
        ::close(fd);
    }
    std::ofstream(path + ".lock") << "";
    // A daemon with an owner that ended long ago comes up, serves, and ends.
    const Ran ran = run({program("musterd"), "--private", "--address", "unix:" + path, "--owner", "999999999"});
    CHECK(ran.status != 4);
    CHECK(ran.status != 5);
    CHECK(fs::is_empty(directory.path()));
}

TEST_CASE("what is in the way of the socket is named and left alone") {
    TempDirectory directory;
    std::ofstream(directory / "file") << "precious";
    fs::create_symlink("/nowhere", directory / "link");
    fs::create_directory(directory / "dir");
    const auto file = refused("unix:" + directory / "file");
    CHECK(file.status == 5);
    CHECK_THAT(file.err, Contains("a file that is no socket"));
    const auto link = refused("unix:" + directory / "link");
    CHECK(link.status == 5);
    CHECK_THAT(link.err, Contains("symbolic link"));
    CHECK_THAT(refused("unix:" + directory / "dir").err, Contains("a file that is no socket"));
    CHECK_THAT(refused("unix:" + directory / "missing/m.sock").err, Contains("No such file or directory"));
    CHECK_THAT(refused("unix:" + directory / "file/m.sock").err, Contains("directory"));
    const auto too_long = refused("unix:" + directory / std::string(200, 'x'));
    CHECK(too_long.status == 5);
    CHECK_THAT(too_long.err, Contains("may have 107"));
    CHECK(refused("tcp:1234").status == 2);
    std::size_t left = 0;
    for ([[maybe_unused]] const auto& entry : fs::directory_iterator(directory.path())) ++left;
    CHECK(left == 3);  // and no lock file beside them
}

TEST_CASE("the command line and the configuration are refused by name") {
    TempDirectory directory;
    const std::string address = "unix:" + directory / "m.sock", file = directory / "musterd.toml";
    CHECK(run({program("musterd"), "--user", "--system"}).status == 2);
    CHECK(run({program("musterd"), "--adress", "x"}).status == 2);
    const auto with = [&](const std::string& text) {
        std::ofstream(file) << text;
        const Ran ran = refused(address, {"--config", file});
        CHECK(ran.status == 3);
        return ran.err;
    };
    CHECK_THAT(with("history = 3\nhitsory = 4\n"), Contains(file + ":2: unknown key 'hitsory'"));
    CHECK_THAT(with("history = \"many\"\n"), Contains(file + ":1: history: wrong type"));
    CHECK_THAT(with("history = \n"), Contains(file + ":1:"));
    CHECK_THAT(with("\n[limits]\nconections = 4\n"), Contains(file + ":3: unknown key 'limits.conections'"));
    CHECK_THAT(with("memory = \"1 KiB\"\n"), Contains("4 MiB to 1 TiB"));
    const Ran missing = refused(address, {"--config", directory / "none"});
    CHECK(missing.status == 3);
    CHECK(refused(address, {"--memory", "huge"}).status == 3);
    CHECK(refused(address, {"--log-level", "loud"}).status == 3);
    CHECK_THAT(run({program("musterd"), "--version"}).out, Contains("musterd 0."));
    CHECK_THAT(run({program("musterd"), "--help"}).out, Contains("Exit codes:"));
}

TEST_CASE("the configuration file counts, the command line counts more") {
    TempDirectory directory;
    const std::string file = directory / "musterd.toml";
    std::ofstream(file) << "memory = \"16 MiB\"\nlog_level = \"warning\"\nhistory = 1\n[limits]\nprocesses = 2\n";
    Daemon daemon({"--config", file, "--memory", "8 MiB"});
    VarlinkSocket client(daemon.socket_path());
    CHECK(client.call("io.muster.service.Attach").at("parameters").at("capacity") == 8 << 20);
    const nlohmann::json spec = {{"argv", {"sleep", "1000"}}};
    CHECK(client.call("io.muster.processes.Spawn", {{"spec", spec}, {"count", 3}}).at("error") ==
          "io.muster.processes.LimitExceeded");
    CHECK(client.call("io.muster.processes.Spawn", {{"spec", spec}, {"count", 2}}).contains("parameters"));
    client.call("io.muster.processes.Kill", {{"select", "sleep-1"}});
    client.call("io.muster.processes.Kill", {{"select", "sleep-2"}});
    CHECK(client.call("io.muster.processes.List", {{"all", true}}).at("parameters").at("processes").size() == 1);
}

TEST_CASE("the socket is for its owner, in system mode for everybody") {
    const auto mode_of = [](const Daemon& daemon) {
        struct stat info {};
        ::stat(daemon.socket_path().c_str(), &info);
        return info.st_mode & 0777;
    };
    CHECK(mode_of(Daemon({"--user"})) == 0600);
    CHECK(mode_of(Daemon({"--private"})) == 0600);
    CHECK(mode_of(Daemon({"--system"})) == 0666);
}

TEST_CASE("a ready descriptor and an owner are for the program that starts a private daemon") {
    TempDirectory directory;
    const std::string address = "unix:" + directory / "m.sock";
    const Ran ran = run({"/bin/sh", "-c",
                         "sleep 1000 & owner=$!; " + program("musterd") + " --private --address " + address +
                             " --owner $owner --ready-fd 7 7>" + directory / "ready" + " & daemon=$!; " +
                             "until grep -q ready " + directory / "ready" + "; do sleep 0.01; done; " +
                             "kill -9 $owner; wait $daemon"});
    CHECK(ran.status == 0);
    CHECK_THAT(ran.err, Contains("musterd: ready on " + address));
    CHECK_FALSE(fs::exists(directory / "m.sock"));
}

TEST_CASE("the default address of a user's daemon is made where it belongs") {
    TempDirectory runtime;
    const std::string script = program("musterd") + " --user & daemon=$!; until test -S " + runtime / "muster/muster.sock" +
                               "; do sleep 0.01; done; stat -c %a " + runtime / "muster" + "; kill $daemon; wait $daemon";
    const Ran ran = run({"/bin/sh", "-c", script}, {"XDG_RUNTIME_DIR=" + runtime.path(), "HOME=" + runtime.path()});
    CHECK(ran.status == 0);
    CHECK(ran.out == "700\n");
    CHECK(run({program("musterd"), "--user"}, {"XDG_RUNTIME_DIR="}).status == 2);
}

TEST_CASE("a socket passed by the service manager is used and left where it is") {
    TempDirectory directory;
    const std::string path = directory / "passed.sock", log = directory / "log";
    const int listener = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    std::strncpy(name.sun_path, path.c_str(), sizeof name.sun_path - 1);
    REQUIRE(::bind(listener, reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0);
    REQUIRE(::listen(listener, 8) == 0);
    const std::string daemon_program = program("musterd");
    const pid_t pid = ::fork();
    if (pid == 0) {
        const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
        if (listener != 3) ::dup2(listener, 3);
        ::dup2(out, 2);
        ::setenv("LISTEN_FDS", "1", 1);
        ::setenv("LISTEN_PID", std::to_string(::getpid()).c_str(), 1);
        ::execl(daemon_program.c_str(), "musterd", "--private", nullptr);
        ::_exit(99);
    }
    ::close(listener);
    VarlinkSocket client(path);
    const auto status = client.call("io.muster.service.Status").at("parameters");
    CHECK(status.at("address") == "unix:" + path);
    CHECK(status.at("keeper_pid") == pid);
    ::kill(pid, SIGTERM);
    int code = -1;
    ::waitpid(pid, &code, 0);
    CHECK(code == 0);
    CHECK(fs::exists(path));
}

TEST_CASE("to the journal the log goes with priorities and without times") {
    TempDirectory directory;
    const std::string address = "unix:" + directory / "m.sock", log = directory / "log";
    const Ran ran = run({"/bin/sh", "-c",
                         "exec 2>" + log + "; JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2) " + program("musterd") +
                             " --private --address " + address + " & daemon=$!; until grep -q ready " + log +
                             "; do sleep 0.01; done; " + program("musterctl") + " --address " + address +
                             " run --name w -- /bin/echo hello; until grep -q hello " + log +
                             "; do sleep 0.01; done; kill $daemon; wait $daemon"});
    std::ifstream file(log);
    std::string all, line;
    while (std::getline(file, line)) {
        if (line.find("hello") == std::string::npos) continue;
        CHECK_THAT(line, Catch::Matchers::StartsWith("<6>w["));
        CHECK_THAT(line, Catch::Matchers::EndsWith("]: hello"));
        all += line;
    }
    CHECK_FALSE(all.empty());
}

TEST_CASE("a system daemon runs workers as their client's user, and keeps users apart") {
    if (::geteuid() != 0) {
        WARN("SKIP: becoming another user needs root");
        return;
    }
    Daemon daemon({"--system"});
    REQUIRE(::chmod(daemon.directory().path().c_str(), 0711) == 0);
    VarlinkSocket root(daemon.socket_path());
    root.call("io.muster.processes.Spawn", {{"spec", {{"argv", {"sleep", "1000"}}, {"name", "roots"}}}});
    const pid_t child = ::fork();
    if (child == 0) {  // nobody; a child does not assert, its code says which step it was
        if (::setgroups(0, nullptr) != 0 || ::setgid(65534) != 0 || ::setuid(65534) != 0) ::_exit(10);
        VarlinkSocket mine(daemon.socket_path());
        const auto spawned = mine.call("io.muster.processes.Spawn", {{"spec", {{"argv", {"sleep", "1000"}}, {"name", "mine"}}}});
        if (!spawned.contains("parameters") || spawned.contains("error")) ::_exit(11);
        if (spawned.at("parameters").at("processes").at(0).at("uid") != 65534) ::_exit(12);
        if (mine.call("io.muster.processes.Kill", {{"select", "roots"}}).value("error", "") != "io.muster.processes.NotPermitted") ::_exit(13);
        if (mine.call("io.muster.processes.List").at("parameters").at("processes").size() != 1) ::_exit(14);
        if (mine.call("io.muster.service.Shutdown").value("error", "") != "io.muster.service.NotPermitted") ::_exit(15);
        if (mine.call("io.muster.service.Attach").contains("error")) ::_exit(16);
        const nlohmann::json inherit = {{"argv", {"true"}}, {"stdout", {{"kind", "inherit"}}}};
        if (mine.call("io.muster.processes.Spawn", {{"spec", inherit}}).value("error", "") != "io.muster.processes.NotPermitted") ::_exit(17);
        ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    CHECK(WEXITSTATUS(status) == 0);
    const auto all = root.call("io.muster.processes.List").at("parameters").at("processes");
    REQUIRE(all.size() == 2);
    struct stat info {};
    REQUIRE(::stat(("/proc/" + std::to_string(all[1].at("pid").get<pid_t>())).c_str(), &info) == 0);
    CHECK(info.st_uid == 65534);
    CHECK(root.call("io.muster.service.Status").at("parameters").at("realms").size() == 1);
    CHECK(root.call("io.muster.processes.Kill", {{"select", "mine"}}).contains("parameters"));
}
