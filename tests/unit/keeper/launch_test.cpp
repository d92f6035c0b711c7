#include <catch2/catch.hpp>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <functional>

#include "harness.hpp"
#include "keeper/cgroup.hpp"
#include "keeper/children.hpp"
#include "keeper/launch.hpp"
#include "keeper/prepare.hpp"
#include "keeper/proc.hpp"

using namespace muster;
using namespace muster::keeper;
using keeper::test::TempFolder;

namespace {

LaunchPlan plan_of(std::vector<std::string> argv) {
    LaunchPlan plan;
    plan.programs = {argv.front()};
    plan.argv = std::move(argv);
    return plan;
}

int exit_code(const std::variant<Launched, LaunchFailure>& result) {
    const auto& launched = std::get<Launched>(result);
    std::optional<link::Ending> ending;
    REQUIRE(keeper::test::eventually([&] { return (ending = reap_process(launched.pid, launched.pidfd.get())).has_value(); }));
    return ending->signal == 0 ? ending->exit_code : -ending->signal;
}

// Runs this in a child, as nobody, and returns its number.
int as_nobody(const std::function<int()>& function) {
    const pid_t pid = ::fork();
    if (pid == 0) {
        if (::setgid(65534) != 0 || ::setuid(65534) != 0) ::_exit(250);
        ::_exit(function());
    }
    int status = 0;
    ::waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

int failed_at(const std::variant<Launched, LaunchFailure>& result, const std::string& step, int error) {
    const auto* failure = std::get_if<LaunchFailure>(&result);
    if (failure == nullptr) return 100;
    if (failure->step != step) return 101;
    return failure->error == error ? 0 : 102;
}

}  // namespace

TEST_CASE("both ways to clone start a program and report a failure") {
    const auto method = GENERATE(CloneMethod::clone3, CloneMethod::clone);
    auto plan = plan_of({"/bin/sh", "-c", "exit 9"});
    plan.method = method;
    CHECK(exit_code(launch(plan)) == 9);
    plan.directory = "/no/such/folder";
    CHECK(failed_at(launch(plan), "chdir", ENOENT) == 0);
    CHECK(next_zombie() == -1);
}

TEST_CASE("both ways to clone start a child in its cgroup") {
    const auto cgroups = Cgroups::find();
    if (!cgroups.usable()) {
        WARN("SKIP: no writable cgroup v2 here");
        return;
    }
    const auto method = GENERATE(CloneMethod::clone3, CloneMethod::clone);
    const auto cgroup = cgroups.create(42);
    REQUIRE(cgroup);
    auto plan = plan_of({"/bin/sleep", "1000"});
    plan.method = method;
    plan.cgroup = cgroup.get();
    const auto result = launch(plan);
    const pid_t pid = std::get<Launched>(result).pid;
    CHECK(cgroups.members(42) == std::vector<pid_t>{pid});
    CHECK_FALSE(cgroups.remove(42));
    CHECK(cgroups.kill(42));
    CHECK(exit_code(result) == -SIGKILL);
    CHECK(cgroups.remove(42));
    // A cgroup that is no more is a failure of its own, which the caller can mend.
    const auto lost = launch(plan);
    CHECK(std::get<LaunchFailure>(lost).step == (method == CloneMethod::clone3 ? "clone" : "cgroup"));
}

TEST_CASE("rights and resources that are missing are named") {
    if (::geteuid() != 0) {
        WARN("SKIP: only root can become nobody");
        return;
    }
    CHECK(as_nobody([] {
              auto plan = plan_of({"/bin/true"});
              plan.credentials = {0, 0, {0}};
              return failed_at(launch(plan), "setgroups", EPERM);
          }) == 0);
    CHECK(as_nobody([] {
              const rlimit none{0, 0};
              ::setrlimit(RLIMIT_NPROC, &none);
              return failed_at(launch(plan_of({"/bin/true"})), "clone", EAGAIN);
          }) == 0);
    CHECK(as_nobody([] {
              const rlimit few{3, 3};
              ::setrlimit(RLIMIT_NOFILE, &few);
              link::SpawnSpec spec;
              spec.argv = {"/bin/true"};
              spec.out.kind = link::Output::Kind::log;
              const auto prepared = prepare(spec, "MARK=1");
              const auto* failure = std::get_if<LaunchFailure>(&prepared);
              return failure != nullptr && failure->step == "pipe" && failure->error == EMFILE ? 0 : 1;
          }) == 0);
    CHECK(as_nobody([] {  // to stay who one is needs no right
              link::SpawnSpec spec;
              spec.argv = {"/bin/true"};
              spec.uid = 65534;
              const auto prepared = prepare(spec, "MARK=1");
              return std::holds_alternative<Launched>(launch(std::get<Prepared>(prepared).plan)) ? 0 : 1;
          }) == 0);
}

TEST_CASE("a program is looked for as execvp does, in the child's PATH") {
    using List = std::vector<std::string>;
    CHECK(program_candidates("ls", {"A=b", "PATH=/a:/b/c"}) == List{"/a/ls", "/b/c/ls"});
    CHECK(program_candidates("ls", {}) == List{"/usr/local/bin/ls", "/usr/bin/ls", "/bin/ls"});
    CHECK(program_candidates("ls", {"PATH=:/a:"}) == List{"./ls", "/a/ls", "./ls"});
    CHECK(program_candidates("./ls", {"PATH=/a"}) == List{"./ls"});
    CHECK(program_candidates("", {"PATH=/a"}) == List{""});
}

TEST_CASE("the first candidate that can be run is run, past missing and forbidden ones") {
    const TempFolder folder;
    const std::string forbidden = folder / "true";
    base::UniqueFd(::open(forbidden.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644)).reset();
    auto plan = plan_of({"true"});
    plan.programs = {"/nowhere/true", "/etc/passwd/true", forbidden, "/bin/true"};
    CHECK(exit_code(launch(plan)) == 0);
    plan.programs.pop_back();
    const auto result = launch(plan);
    CHECK(std::get<LaunchFailure>(result).error == EACCES);
    CHECK(std::get<LaunchFailure>(result).subject == forbidden);
}

TEST_CASE("the mark replaces what the environment had under its name") {
    link::SpawnSpec spec;
    spec.argv = {"true"};
    spec.environment = {"A=1", "MUSTER_PROCESS_ID=theirs", "B=2"};
    const auto prepared = prepare(spec, "MUSTER_PROCESS_ID=ours-1");
    CHECK(std::get<Prepared>(prepared).plan.environment ==
          std::vector<std::string>{"A=1", "B=2", "MUSTER_PROCESS_ID=ours-1"});
}

TEST_CASE("what /proc tells of this process is so") {
    const auto stat = read_stat(::getpid());
    REQUIRE(stat);
    CHECK(stat->parent == ::getppid());
    CHECK(stat->session == ::getsid(0));
    CHECK(stat->start <= boot_ticks());
    CHECK_FALSE(read_stat(0x7fffffff));
    CHECK_FALSE(started_with(::getpid(), "NO_SUCH_VARIABLE=1"));
}
