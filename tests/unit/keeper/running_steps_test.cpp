// A running keeper, for which each system call of one start fails in turn, its own and the child's up to exec: the start is
// answered as it was, and nothing is left of one that failed.
#include <catch2/catch.hpp>
#include <cerrno>
#include <filesystem>
#include <set>
#include <string>

#include "harness.hpp"
#include "keeper/proc.hpp"
#include "steps.hpp"
#include "support/failing/system_calls.hpp"
#include "support/skip.hpp"

using namespace muster;
using namespace muster::keeper::test;
using muster::test::as_it_would;
using muster::test::CallTracer;
using muster::test::FailedCall;

namespace {

struct Answer {
    std::optional<link::Started> started;
    std::optional<link::StartFailed> failed;
    std::optional<link::Ending> ending;
    std::vector<base::UniqueFd> logs;

    bool given() const { return started || failed; }
};

void listen(RunningKeeper& keeper, Answer& answer) {
    while (auto received = keeper.link().receive()) {
        if (const auto* failed = std::get_if<link::StartFailed>(&received->message)) answer.failed = *failed;
        if (const auto* exited = std::get_if<link::Exited>(&received->message)) answer.ending = exited->ending;
        if (const auto* started = std::get_if<link::Started>(&received->message)) {
            answer.started = *started;
            answer.logs = std::move(received->fds);
        }
    }
    keeper.link().flush();
}

link::SpawnSpec worker() {
    link::SpawnSpec spec = shell("pwd; exit 7");
    spec.out.kind = spec.err.kind = link::Output::Kind::log;
    spec.directory = "/usr";
    return spec;
}

// From the first call that is not of the link to the sending of the answer.
CallTracer::Counts of_the_start() {
    return [over = false](pid_t, const std::string& name) mutable {
        static const std::set<std::string> of_the_link{"epoll_wait", "epoll_ctl", "recvmsg"};
        over |= name == "sendmsg" || name == "sendto";
        return !over && !of_the_link.contains(name);
    };
}

// The keeper's cgroup for this child, where the tree may be mounted.
bool has_cgroup(pid_t keeper, int id) {
    const std::string text = contents("/proc/self/cgroup");
    const auto line = text.find("0::");
    if (line == std::string::npos) return false;
    const std::string own = text.substr(line + 3, text.find('\n', line) - line - 3);
    const std::string name = own + "/muster-" + std::to_string(keeper) + '-' + std::to_string(id);
    return std::filesystem::exists("/sys/fs/cgroup" + name) || std::filesystem::exists("/sys/fs/cgroup/unified" + name);
}

void check_it_ran(RunningKeeper& keeper, Answer& answer) {
    REQUIRE(eventually([&] {
        listen(keeper, answer);
        return answer.ending.has_value();
    }));
    CHECK(answer.ending->exit_code == 7);
    REQUIRE(answer.logs.size() == 2);
    CHECK(read_until(answer.logs[0].get(), "") == "/usr\n");
    CHECK(read_until(answer.logs[1].get(), "").empty());
}

void fail_each_call_of_a_start(int error) {
    if (const std::string why = muster::test::no_tracing_here(); !why.empty()) muster::test::skip(why);
    int refusals = 0, starts = 0;
    std::set<std::string> seen;
    for (int nth = 1;; ++nth) {
        REQUIRE(nth < 500);
        RunningKeeper keeper;
        keeper.take_over();
        keeper.settle();
        const std::size_t before = open_descriptors(keeper.pid());
        Answer answer;
        FailedCall call;
        {
            CallTracer tracer(keeper.pid());
            tracer.fail(nth, error, of_the_start());
            keeper.send(link::Spawn{1, worker(), "a note"});
            REQUIRE(eventually([&] {
                while (tracer.step(false)) {
                }
                listen(keeper, answer);
                return answer.given() || tracer.ended() || keeper.link().closed();
            }));
            call = tracer.call();
        }
        INFO(call.name << ' ' << call.path << " of the " << (call.in_child ? "child" : "keeper") << ": the " << nth << "th");
        REQUIRE(answer.given());
        if (call.fired) seen.insert(call.name);
        const std::string step = step_of(call, keeper::CloneMethod::clone3);
        if (answer.failed) {
            ++refusals;
            CAPTURE(answer.failed->step, answer.failed->subject, answer.failed->error);
            REQUIRE(call.fired);
            CHECK(answer.failed->step == step);
            CHECK(answer.failed->error == call.error);
        } else {
            ++starts;
            // Without its cgroup it is tried once more.
            if (call.fired && call.in_child) CHECK((step.empty() || step == "cgroup"));
            check_it_ran(keeper, answer);
            keeper.send(link::Forget{1});
        }
        keeper.settle();
        CHECK(keeper::children_of(keeper.pid()).size() == 1);  // the service: no child, no zombie
        CHECK(open_descriptors(keeper.pid()) == before);
        CHECK_FALSE(has_cgroup(keeper.pid(), 1));
        Answer next;
        keeper.send(link::Spawn{2, worker(), {}});
        check_it_ran(keeper, next);
        CHECK(next.started);
        if (!call.fired) break;
    }
    CHECK(refusals >= 10);
    CHECK(starts >= 3);
    for (const char* name : {"pipe2", "clone3", "setsid", "chdir", "openat", "dup3", "close_range", "execve"})
        CHECK(seen.contains(name));
}

}  // namespace

TEST_CASE("a keeper of which any system call of a start fails answers it, leaves nothing of it, and starts the next") {
    fail_each_call_of_a_start(as_it_would);
}

TEST_CASE("a keeper to which a sandbox forbids any system call of a start answers it and goes on") {
    fail_each_call_of_a_start(EPERM);
}
