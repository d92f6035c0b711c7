#include <catch2/catch.hpp>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <sstream>

#include "harness.hpp"
#include "keeper/proc.hpp"

using namespace muster;
using namespace muster::keeper::test;
using base::UniqueFd;

namespace {

link::SpawnSpec logged(std::string script) {
    auto spec = shell(std::move(script));
    spec.out.kind = link::Output::Kind::log;
    return spec;
}

std::string output_of(RunningKeeper& keeper, link::SpawnSpec spec) {
    std::vector<UniqueFd> logs;
    keeper.start(std::move(spec), &logs);
    const std::string text = read_until(logs.at(0).get(), "");
    keeper.expect<link::Exited>();
    return text;
}

bool is_root() { return ::geteuid() == 0; }

}  // namespace

TEST_CASE("how a child ended is told as a value") {
    RunningKeeper keeper;
    const auto hand_over = keeper.take_over();
    CHECK(hand_over.hello.keeper_pid == keeper.pid());
    CHECK(hand_over.hello.service_starts == 1);
    CHECK(hand_over.hello.next_id == 1);

    const auto started = keeper.start(shell("exit 3"));
    CHECK(started.id == 1);
    CHECK(started.pid > 0);
    auto exited = keeper.expect<link::Exited>();
    CHECK(exited.id == started.id);
    CHECK(exited.ending.exit_code == 3);
    CHECK(exited.ending.signal == 0);
    CHECK(exited.ending.ended >= started.started);
    CHECK(exited.ending.max_rss_kib > 0);

    keeper.start(shell("kill -9 $$"));
    exited = keeper.expect<link::Exited>();
    CHECK(exited.ending.signal == SIGKILL);
    CHECK(exited.ending.exit_code == -1);
    CHECK_FALSE(exited.ending.core_dumped);

    const auto sleeper = keeper.start(shell("exec sleep 1000"));
    CHECK(keeper.signal(sleeper.id, SIGTERM, false) == 0);
    CHECK(keeper.expect<link::Exited>().ending.signal == SIGTERM);
    CHECK(keeper.signal(sleeper.id, SIGTERM, false) == ESRCH);
}

TEST_CASE("a child starts clean: session, signals, descriptors, limits, environment") {
    rlimit limit{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
    RunningKeeper keeper;
    keeper.take_over();
    auto spec = logged("pwd; readlink /proc/self/fd/0; ulimit -n; echo $WORD; ls /proc/self/fd | wc -l; cat");
    spec.directory = "/usr";
    spec.environment.push_back("WORD=a b");
    // ls has 0, 1, 2 and the directory; cat ends at once on /dev/null.
    CHECK(output_of(keeper, spec) == "/usr\n/dev/null\n" + std::to_string(limit.rlim_cur) + "\na b\n4\n");

    auto status = logged("");
    status.argv = {"cat", "/proc/self/status"};
    const std::string signals = output_of(keeper, status);
    for (const char* field : {"SigBlk:\t", "SigIgn:\t", "SigCgt:\t"})
        CHECK(signals.find(std::string(field) + "0000000000000000") != std::string::npos);

    const auto sleeper = keeper.start(shell("exec sleep 1000"));
    CHECK(::getsid(sleeper.pid) == sleeper.pid);
    CHECK(::getpgid(sleeper.pid) == sleeper.pid);
    const auto stat = muster::keeper::read_stat(sleeper.pid);
    REQUIRE(stat);
    CHECK(stat->parent == keeper.pid());
}

TEST_CASE("output goes where it was sent: two pipes, one file, nowhere") {
    RunningKeeper keeper;
    keeper.take_over();
    auto spec = logged("echo out; echo err >&2");
    spec.err.kind = link::Output::Kind::log;
    std::vector<UniqueFd> logs;
    const auto started = keeper.start(spec, &logs);
    CHECK(started.has_out_log);
    CHECK(started.has_err_log);
    REQUIRE(logs.size() == 2);
    CHECK(read_until(logs[0].get(), "") == "out\n");
    CHECK(read_until(logs[1].get(), "") == "err\n");
    keeper.expect<link::Exited>();

    const std::string path = keeper.folder() / "both";
    spec = shell("echo out; echo err >&2");
    spec.directory = keeper.folder().path();
    spec.out = {link::Output::Kind::file, path};
    spec.err = {link::Output::Kind::file, "both"};  // relative to the directory
    for (int i = 0; i < 2; ++i) {
        keeper.start(spec);
        keeper.expect<link::Exited>();
    }
    CHECK(contents(path) == "out\nerr\nout\nerr\n");

    spec = shell("x=$(readlink /proc/$$/fd/1 /proc/$$/fd/2); echo $x > seen");
    spec.directory = keeper.folder().path();
    keeper.start(spec);
    keeper.expect<link::Exited>();
    CHECK(contents(keeper.folder() / "seen") == "/dev/null /dev/null\n");
}

TEST_CASE("a start that fails names the step, the subject and the reason") {
    RunningKeeper keeper;
    keeper.take_over();
    const TempFolder& folder = keeper.folder();
    const auto expect_failure = [&](link::SpawnSpec spec, const char* step, const std::string& subject, int error) {
        const auto failed = keeper.start_failing(std::move(spec));
        CHECK(failed.step == step);
        CHECK(failed.subject == subject);
        CHECK(failed.error == error);
    };
    auto spec = shell("true");
    spec.argv = {"no-such-program"};
    expect_failure(spec, "exec", "no-such-program", ENOENT);
    spec.argv = {"/no/such/program"};
    expect_failure(spec, "exec", "/no/such/program", ENOENT);
    const std::string script = folder / "muster-script";
    UniqueFd(::open(script.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644)).reset();
    spec.argv = {"muster-script"};
    spec.environment = {"PATH=/nowhere:" + folder.path() + ":/bin"};
    expect_failure(spec, "exec", script, EACCES);
    ::chmod(script.c_str(), 0755);
    expect_failure(spec, "exec", script, ENOEXEC);
    spec.argv = {"/bin/echo", std::string(200'000, 'x')};
    expect_failure(spec, "exec", "/bin/echo", E2BIG);
    spec.argv = {};
    expect_failure(spec, "exec", "", EINVAL);

    spec = shell("true");
    spec.directory = "/no/such/folder";
    expect_failure(spec, "chdir", "/no/such/folder", ENOENT);
    spec.directory = "/etc/passwd";
    expect_failure(spec, "chdir", "/etc/passwd", ENOTDIR);

    spec = shell("true");
    spec.out = {link::Output::Kind::file, "/no/such/folder/file"};
    expect_failure(spec, "open stdout", "/no/such/folder/file", ENOENT);
    spec.out = {};
    spec.err = {link::Output::Kind::file, "/etc"};
    expect_failure(spec, "open stderr", "/etc", EISDIR);
    const std::string fifo = folder / "fifo";
    REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
    spec.err = {link::Output::Kind::file, fifo};  // must not wait for a reader
    expect_failure(spec, "open stderr", fifo, ENXIO);

    spec = shell("true");
    spec.uid = 3'999'999'999u;
    expect_failure(spec, "user", "3999999999", ENOENT);

    keeper.send(link::Spawn{77, shell("exit 0"), {}});
    keeper.expect<link::Started>();
    keeper.send(link::Spawn{77, shell("exit 0"), {}});
    CHECK(keeper.expect<link::StartFailed>().step == "id");
}

TEST_CASE("a child can be another user, with that user's groups and rights") {
    if (!is_root()) {
        WARN("SKIP: only root can start as somebody else");
        return;
    }
    RunningKeeper keeper;
    keeper.take_over();
    auto spec = logged("id -u; id -g; id -G");
    spec.uid = 65534;
    CHECK(output_of(keeper, spec) == "65534\n65534\n65534\n");
    spec.gid = 1;
    CHECK(output_of(keeper, spec).starts_with("65534\n1\n1"));
    spec = logged("id -u; id -G; echo again > /dev/stdout");
    spec.uid = 1234567;  // nobody's number: with a group it will do
    spec.gid = 7654321;
    CHECK(output_of(keeper, spec) == "1234567\n7654321\nagain\n");

    const TempFolder open_to_all("/tmp");  // the folder of all tests is its owner's alone
    const std::string file = open_to_all / "file";
    spec = shell("echo hello");
    spec.uid = 65534;
    spec.out = {link::Output::Kind::file, file};
    auto failed = keeper.start_failing(spec);  // not open yet
    CHECK(failed.step == "open stdout");
    CHECK(failed.error == EACCES);
    REQUIRE(::chmod(open_to_all.path().c_str(), 0777) == 0);
    keeper.start(spec);
    keeper.expect<link::Exited>();
    struct stat status {};
    REQUIRE(::stat(file.c_str(), &status) == 0);
    CHECK(status.st_uid == 65534);
    CHECK((status.st_mode & 0777) == 0644);
}

TEST_CASE("an orphan of a child is reaped, and its end told") {
    RunningKeeper keeper;
    keeper.take_over();
    const std::string fifo = keeper.folder() / "fifo";
    REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
    constexpr int orphans = 100;
    const auto parent = keeper.start(shell("for i in $(seq " + std::to_string(orphans) + "); do (sh -c 'read x < " + fifo +
                                           "; exit 7' &); done; exit 0"));
    CHECK(keeper.expect<link::Exited>().id == parent.id);
    {
        const UniqueFd release(::open(fifo.c_str(), O_RDWR | O_CLOEXEC));
        for (int i = 0; i < orphans; ++i) {
            REQUIRE(::write(release.get(), "go\n", 3) == 3);
            const auto reaped = keeper.expect<link::OrphanReaped>();
            CHECK(reaped.ending.exit_code == 7);
            CHECK(reaped.pid != parent.pid);
        }
    }
    CHECK(eventually([&] { return muster::keeper::children_of(keeper.pid()).size() == 1; }));  // the service
}

TEST_CASE("two hundred children and as many failed starts leave no descriptor and no zombie behind") {
    RunningKeeper keeper;
    keeper.take_over();
    keeper.settle();
    const auto before = open_descriptors(keeper.pid());
    auto spec = shell("exit 0");
    spec.argv = {"/bin/true"};
    spec.out.kind = spec.err.kind = link::Output::Kind::log;
    auto failing = spec;
    failing.directory = "/no/such/folder";
    std::vector<std::uint64_t> ids;
    for (int i = 0; i < 200; ++i) {
        ids.push_back(keeper.start(spec).id);
        keeper.start_failing(failing);
    }
    for (std::size_t i = 0; i < ids.size(); ++i) keeper.expect<link::Exited>();
    // Most log pipes are closed although the records are kept: nobody writes, and there is nothing to read.
    CHECK(open_descriptors(keeper.pid()) < before + 40);
    for (const auto id : ids) keeper.send(link::Forget{id});
    keeper.settle();
    CHECK(open_descriptors(keeper.pid()) == before);
    CHECK(muster::keeper::children_of(keeper.pid()).size() == 1);
}

TEST_CASE("what an ended child had logged is kept for the next service until it is read") {
    RunningKeeper keeper;
    keeper.take_over();
    const auto started = keeper.start(logged("echo last words"));
    keeper.expect<link::Exited>();
    for (int i = 0; i < 20; ++i) {
        keeper.start(shell("exit 0"));
        keeper.expect<link::Exited>();
    }
    const pid_t service = keeper.service_pid();
    ::kill(service, SIGKILL);
    REQUIRE(eventually([&] { return keeper.service_pid() != 0 && keeper.service_pid() != service; }));
    const auto state = keeper.take_over();
    const auto& known = state.children.at(started.id);
    CHECK(known.child.ending);
    REQUIRE(known.logs.size() == 1);
    CHECK(read_until(known.logs[0].get(), "") == "last words\n");
}

TEST_CASE("a child costs the keeper less than six KiB, and its memory is had again") {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    WARN("SKIP: sanitizers have a memory of their own");
#else
    RunningKeeper keeper;
    keeper.take_over();
    const auto resident = [&] {
        std::size_t total = 0, pages = 0;
        std::istringstream(contents("/proc/" + std::to_string(keeper.pid()) + "/statm")) >> total >> pages;
        return pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    };
    auto spec = shell("");
    spec.argv = {"sleep", "1000"};
    spec.out.kind = link::Output::Kind::log;
    std::uint64_t next = 1;
    const auto round = [&](int count) {
        const auto first = next;
        for (int i = 0; i < count; ++i) keeper.send(link::Spawn{next++, spec, std::string(400, 'n')});
        for (int i = 0; i < count; ++i) keeper.expect<link::Started>();
        const auto with_all = resident();
        for (auto id = first; id < next; ++id) keeper.send(link::Signal{id, SIGKILL, true});
        for (int i = 0; i < count; ++i) keeper.expect<link::Exited>();
        for (int i = 0; i < count; ++i) keeper.expect<link::SignalDone>();
        for (auto id = first; id < next; ++id) keeper.send(link::Forget{id});
        keeper.settle();
        return with_all;
    };
    constexpr int count = 100;
    round(10);
    const auto before = resident();
    const auto with_all = round(count);
    CHECK((with_all - std::min(with_all, before)) / count < 6 * 1024);
    for (int i = 0; i < 2; ++i) round(count);
    CHECK(resident() < with_all + 256 * 1024);
#endif
}
