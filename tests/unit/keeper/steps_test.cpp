// Each system call of a start fails in turn, the child's up to its exec included. The program runs as it should, or the
// failure names the step and the error; and nothing is left of it: no child, no descriptor, and the next start succeeds.
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <new>
#include <set>

#include "harness.hpp"
#include "keeper/cgroup.hpp"
#include "keeper/children.hpp"
#include "keeper/launch.hpp"
#include "keeper/prepare.hpp"
#include "steps.hpp"
#include "support/failing/system_calls.hpp"
#include "support/skip.hpp"

using namespace muster;
using namespace muster::keeper;
using namespace muster::test;
using keeper::test::step_of;
using keeper::test::TempFolder;
using link::Output;

namespace {

constexpr uid_t someone = 65534;

struct Row {
    std::string name;
    link::SpawnSpec spec;
    CloneMethod method = CloneMethod::clone3;
    bool as_service = false;  // is passed a descriptor, and dies with us
    bool cgroup = false;
    std::function<bool()> world;  // made in the child, before; false: it cannot be had
};

const std::string worker_script = R"sh(echo "limit $(ulimit -n)"
echo open /proc/self/fd/*
readlink /proc/self/fd/0
pwd
grep -ohE '^(Uid|Gid|Groups):.*|/muster-' /proc/self/status /proc/self/cgroup
echo this is stderr >&2
exit 7)sh";

bool bind(const std::string& text, const std::string& at, const TempFolder& folder) {
    const std::string path = folder / std::filesystem::path(at).filename().string();
    std::ofstream(path) << text;
    ::chmod(path.c_str(), 0644);
    return ::mount(path.c_str(), at.c_str(), nullptr, MS_BIND, nullptr) == 0;
}

// Users and groups that are known, whatever this machine has.
bool own_users(const TempFolder& folder) {
    return ::unshare(CLONE_NEWNS) == 0 && ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
           bind("passwd: files\ngroup: files\n", "/etc/nsswitch.conf", folder) &&
           bind("root:x:0:0::/:/bin/sh\nsomeone:x:65534:4001::/:/bin/sh\n", "/etc/passwd", folder) &&
           bind("root:x:0:\nsomeone:x:4001:\nmore:x:4002:someone\nothers:x:4003:root\nlast:x:4004:someone\n", "/etc/group", folder);
}

std::vector<Row> rows(const TempFolder& folder) {
    std::vector<Row> all;
    for (const auto method : {CloneMethod::clone3, CloneMethod::clone}) {
        const std::string by = method == CloneMethod::clone3 ? ", by clone3" : ", by clone";
        Row row{"log pipes" + by, keeper::test::shell(worker_script), method, false, false, {}};
        row.spec.out.kind = row.spec.err.kind = Output::Kind::log;
        row.spec.directory = "/usr";
        all.push_back(row);
        row.name = "a cgroup" + by;
        row.cgroup = true;
        if (Cgroups::find().usable()) all.push_back(row);
        row.cgroup = false;
        row.name = "as the service" + by;
        row.as_service = true;
        all.push_back(row);
    }
    Row row{"a file, relative to the directory", keeper::test::shell(worker_script), CloneMethod::clone3, false, false, {}};
    row.spec.directory = folder.path();
    row.spec.out = {Output::Kind::file, "out"};
    row.spec.err.kind = Output::Kind::log;
    all.push_back(row);
    if (::geteuid() == 0) {
        row.name = "another user";
        row.spec.directory = "/";
        row.spec.out = {Output::Kind::log, {}};
        row.spec.uid = someone;
        row.world = [&folder] { return own_users(folder); };
        all.push_back(row);
        row.name = "another user and group";
        row.spec.gid = 4005;
        all.push_back(row);
    }
    return all;
}

// What a start has come to, as text: "started" and what the program said; "failed", step, error and subject.
std::string start(const Row& row, const TempFolder& folder, bool counting) {
    const base::UniqueFd passed(::open("/etc/hostname", O_RDONLY | O_CLOEXEC));
    const Cgroups cgroups = row.cgroup ? Cgroups::find() : Cgroups();
    const auto cgroup = cgroups.create(1);
    std::optional<Counted> counted;
    if (counting) counted.emplace();
    std::variant<Prepared, LaunchFailure> prepared = LaunchFailure{"memory", "", ENOMEM};
    std::variant<Launched, LaunchFailure> result = LaunchFailure{"memory", "", ENOMEM};
    auto* const ready = [&]() -> Prepared* {
        try {
            prepared = prepare(row.spec, "MARK=1");
            if (auto* failure = std::get_if<LaunchFailure>(&prepared)) {
                result = *failure;
                return nullptr;
            }
            LaunchPlan& plan = std::get<Prepared>(prepared).plan;
            plan.method = row.method;
            plan.descriptors = 100;
            plan.dies_with_parent = row.as_service;
            plan.pass = row.as_service ? passed.get() : -1;
            plan.cgroup = cgroup.get();
            result = launch(plan);
        } catch (const std::bad_alloc&) {  // as the keeper does
        }
        return std::get_if<Prepared>(&prepared);
    }();
    counted.reset();
    std::string found;
    if (const auto* failure = std::get_if<LaunchFailure>(&result)) {
        found = "failed/" + failure->step + '/' + std::to_string(failure->error) + '/' + failure->subject;
    } else {
        auto& launched = std::get<Launched>(result);
        ready->out_write.reset();
        ready->err_write.reset();
        found = "started\n";
        if (ready->out_log) found += keeper::test::read_until(ready->out_log.get(), "");
        if (ready->err_log) found += keeper::test::read_until(ready->err_log.get(), "");
        std::optional<link::Ending> ending;
        if (!launched.pidfd) found += "no pidfd\n";
        keeper::test::eventually([&] { return (ending = reap_process(launched.pid, launched.pidfd.get())).has_value(); });
        found += contents(folder / "out");
        found += ending ? "exit code " + std::to_string(ending->exit_code) : "it does not end";
    }
    ::unlink((folder / "out").c_str());
    if (row.cgroup && !cgroups.remove(1)) found += "\nits cgroup is left";
    return found;
}

constexpr const char* separator = "\nand then\n";

std::string start_twice(const Row& row, const TempFolder& folder) {
    if (row.world && !row.world()) return "no such world";
    const std::size_t before = keeper::test::open_descriptors(::getpid());
    std::string found = start(row, folder, true);
    if (::waitpid(-1, nullptr, WNOHANG) != -1 || errno != ECHILD) found += "\na child is left";
    const std::size_t now = keeper::test::open_descriptors(::getpid());
    if (now != before) found += '\n' + std::to_string(now) + " descriptors are open, not " + std::to_string(before);
    return found + separator + start(row, folder, false);
}

// What a start that went on without this call cannot have.
std::string without(std::string text, const FailedCall& call) {
    const char* const line = call.name == "prlimit64" ? "limit" : call.name == "close_range" ? "open" : nullptr;
    if (line == nullptr) return text;
    const auto begins = text.find(line);
    if (begins != std::string::npos) text.erase(begins, text.find('\n', begins) - begins);
    return text;
}

void fail_each_call(int error) {
    if (const std::string why = no_tracing_here(); !why.empty()) skip(why);
    const TempFolder folder;
    ::chmod(folder.path().c_str(), 0755);
    for (const Row& row : rows(folder)) {
        INFO(row.name << ", error " << error);
        const auto try_it = [&](int nth) { return with_failing_call(nth, error, [&] { return start_twice(row, folder); }); };
        const Outcome undisturbed = try_it(0);
        if (undisturbed.found == "no such world") {
            WARN("SKIP: " << row.name << ": no mount namespace of our own");
            continue;
        }
        const std::string next = undisturbed.found.substr(undisturbed.found.find(separator));
        const std::string right = undisturbed.found.substr(0, undisturbed.found.find(separator));
        CAPTURE(right);
        CHECK(next == separator + right);
        REQUIRE(right.starts_with("started\n"));
        CHECK(right.find("limit 100\n") != std::string::npos);
        CHECK(right.find("\n/dev/null\n") != std::string::npos);
        CHECK(right.find("\nthis is stderr\n") != std::string::npos);
        CHECK(right.find("exit code 7") != std::string::npos);
        CHECK((right.find("\n/muster-\n") != std::string::npos) == row.cgroup);
        if (row.spec.uid) {
            CHECK(right.find("\nUid:\t65534\t65534\t65534\t65534\n") != std::string::npos);
            CHECK(right.find(row.spec.gid ? "\nGroups:\t4002 4004 4005" : "\nGroups:\t4001 4002 4004") != std::string::npos);
        }
        std::set<std::string> seen;
        for (int nth = 1;; ++nth) {
            const Outcome outcome = try_it(nth);
            const FailedCall& call = outcome.call;
            if (!call.fired) break;
            REQUIRE(nth < 500);
            INFO(call.name << ' ' << call.path << " of the " << (call.in_child ? "child" : "caller") << ": the " << nth << "th");
            CAPTURE(outcome.found);
            seen.insert(call.name);
            CHECK(outcome.status == 0);
            const auto end = outcome.found.find(separator);
            REQUIRE(end != std::string::npos);
            CHECK(outcome.found.substr(end) == next);
            const std::string found = outcome.found.substr(0, end);
            const std::string step = step_of(call, row.method);
            const std::string failed = "failed/" + step + '/' + std::to_string(call.error) + '/';
            const bool started = without(found, call) == without(right, call);
            if (step.empty())
                CHECK(started);
            else if (step == "user" && error != as_it_would)  // to the C library it is as if there were no such user
                CHECK((found.starts_with("started\n") || found.starts_with("failed/user/")));
            else if (step == "user")
                CHECK((started || found == failed + std::to_string(someone)));
            else if (step == "exec" || step == "chdir")
                CHECK(found == failed + call.path);
            else
                CHECK(found.starts_with(failed));
        }
        for (const char* name : {"pipe2", "prlimit64", "setsid", "chdir", "openat", "dup3", "close_range", "execve"})
            CHECK(seen.contains(name));
        CHECK(seen.contains(row.method == CloneMethod::clone3 ? "clone3" : "clone"));
        if (row.spec.uid)
            for (const char* name : {"fchown", "setgroups", "setresgid", "setresuid"}) CHECK(seen.contains(name));
    }
}

}  // namespace

TEST_CASE("a start of which any system call fails is as it should be, or says at which step, and leaves nothing") {
    fail_each_call(as_it_would);
}

TEST_CASE("a start of which a sandbox forbids any system call is as it should be, or says at which step") {
    fail_each_call(EPERM);
}

TEST_CASE("a start of which an old kernel lacks any system call is as it should be, or says at which step") {
    fail_each_call(ENOSYS);
}

TEST_CASE("a program that cannot be run keeps its error, past those that are not there") {
    if (const std::string why = no_tracing_here(); !why.empty()) skip(why);
    for (const int error : {ESTALE, ENODEV, ETIMEDOUT, EACCES, ENOEXEC, ETXTBSY, ELOOP, EIO}) {
        INFO(error);
        bool seen = false, fired = true;
        for (int nth = 1; fired; ++nth) {
            REQUIRE(nth < 100);
            const Outcome outcome = with_failing_call(nth, error, [] {
                LaunchPlan plan;
                plan.programs = {"/no/such/program", "/bin/true", "/usr/no/such/program"};
                plan.argv = {"true"};
                std::optional<Counted> counted(std::in_place);
                const auto result = launch(plan);
                counted.reset();
                const auto* failure = std::get_if<LaunchFailure>(&result);
                return failure == nullptr ? "" : failure->step + ' ' + failure->subject + ' ' + std::to_string(failure->error);
            });
            fired = outcome.call.fired;
            if (outcome.call.path != "/bin/true") continue;
            seen = true;
            CHECK(outcome.found == "exec /bin/true " + std::to_string(error));
        }
        CHECK(seen);
    }
}
