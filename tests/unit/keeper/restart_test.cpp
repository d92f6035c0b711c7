#include <catch2/catch.hpp>

#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "harness.hpp"
#include "keeper/proc.hpp"
#include "keeper/service_process.hpp"

using namespace muster;
using namespace muster::keeper::test;
using namespace std::chrono_literals;
using base::UniqueFd;

namespace {

void kill_service(RunningKeeper& keeper) {
    const pid_t pid = keeper.service_pid();
    REQUIRE(pid > 0);
    ::kill(pid, SIGKILL);
    REQUIRE(eventually([&] {
        const pid_t next = keeper.service_pid();
        return next != 0 && next != pid;
    }));
    keeper.hang_up();
}

std::size_t lines_with(const std::string& text, const std::string& what) {
    std::size_t count = 0;
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++count;
    return count;
}

}  // namespace

TEST_CASE("the next service gets the listening socket, the memories and the children, and nothing is lost") {
    RunningKeeper keeper;
    keeper.take_over();
    keeper.send(link::Ready{});

    auto spec = shell("trap 'echo two' USR1; echo one; while :; do sleep 0.01; done");
    spec.out.kind = link::Output::Kind::log;
    std::vector<UniqueFd> logs;
    const auto worker = keeper.start(spec, &logs, "the worker's note");
    CHECK(read_until(logs.at(0).get(), "\n") == "one\n");
    const auto doomed = keeper.start(shell("exec sleep 1000"), nullptr, "doomed");
    const auto forgotten = keeper.start(shell("exit 0"));
    keeper.expect<link::Exited>();
    keeper.send(link::Forget{forgotten.id});

    const UniqueFd memory(::memfd_create("realm", MFD_CLOEXEC)), dropped(::memfd_create("dropped", MFD_CLOEXEC));
    keeper.send(link::KeepMemory{"realm"}, {memory.get()});
    keeper.send(link::KeepMemory{"dropped"}, {dropped.get()});
    keeper.send(link::DropMemory{"dropped"});
    keeper.send(link::SetNote{worker.id, "another note"});
    keeper.settle();

    // The service cannot take the exit in between: it is stopped, and then dead.
    ::kill(keeper.service_pid(), SIGSTOP);
    ::kill(doomed.pid, SIGINT);
    REQUIRE(eventually([&] {
        const auto children = keeper::children_of(keeper.pid());
        return std::find(children.begin(), children.end(), doomed.pid) == children.end();
    }));
    kill_service(keeper);

    const auto state = keeper.take_over();
    CHECK(state.hello.service_starts == 2);
    CHECK(state.hello.keeper_pid == keeper.pid());
    CHECK(state.hello.next_id == 4);
    REQUIRE(state.listening.size() == 1);
    CHECK(same_file(state.listening[0].get(), keeper.listening()));
    REQUIRE(state.memories.size() == 1);
    CHECK(same_file(state.memories.at("realm").get(), memory.get()));
    REQUIRE(state.children.size() == 2);
    const auto& running = state.children.at(worker.id);
    CHECK(running.child.pid == worker.pid);
    CHECK(running.child.note == "another note");
    CHECK(running.child.started == worker.started);
    CHECK_FALSE(running.child.ending);
    CHECK(running.child.has_out_log);
    REQUIRE(running.logs.size() == 1);
    const auto& ended = state.children.at(doomed.id).child;
    CHECK(ended.note == "doomed");
    REQUIRE(ended.ending);
    CHECK(ended.ending->signal == SIGINT);

    // The log pipe is the same one, and was never closed.
    ::kill(worker.pid, SIGUSR1);
    CHECK(read_until(running.logs[0].get(), "\n") == "two\n");
    CHECK(keeper.signal(worker.id, SIGKILL, true) == 0);
    CHECK(keeper.expect<link::Exited>().ending.signal == SIGKILL);
    CHECK(keeper.log().find("killed by signal 9 (SIGKILL); next start now") != std::string::npos);
}

TEST_CASE("what a service asked for at its last instruction is done") {
    RunningKeeper keeper(relay::dies_after_memory);
    const UniqueFd memory(::memfd_create("realm", MFD_CLOEXEC));
    for (std::uint32_t round = 1; round <= 5; ++round) {
        CHECK(keeper.take_over().memories.size() == round - 1);
        const auto service = keeper.service_pid();
        const int stopped = round % 2 == 0 ? SIGSTOP : SIGCONT;  // it sees the request and the death at once
        ::kill(keeper.pid(), stopped);
        keeper.send(link::KeepMemory{"realm " + std::to_string(round)}, {memory.get()});
        REQUIRE(eventually([&] {
            const auto stat = keeper::read_stat(service);
            return !stat || stat->state == 'Z';
        }));
        ::kill(keeper.pid(), SIGCONT);
        keeper.hang_up();
        REQUIRE(eventually([&] { return keeper.service_pid() != 0 && keeper.service_pid() != service; }));
    }
    CHECK(keeper.take_over().memories.size() == 5);
    CHECK(keeper.log().find("exited with 7") != std::string::npos);
}

TEST_CASE("workers hammer on while the service is killed again and again") {
    RunningKeeper keeper;
    keeper.take_over();
    std::vector<link::Started> workers;
    for (int i = 0; i < 8; ++i) workers.push_back(keeper.start(shell("exec sleep 1000")));
    for (std::uint32_t round = 0; round < 4; ++round) {
        ::kill(workers[round].pid, SIGTERM);
        kill_service(keeper);
        const auto state = keeper.take_over();
        CHECK(state.hello.service_starts == round + 2);
        REQUIRE(state.children.size() == workers.size());
        for (const auto& [id, known] : state.children) CHECK(known.child.pid == workers.at(id - 1).pid);
        // The exit is in the hand-over, or told after it.
        if (!state.children.at(round + 1).child.ending) CHECK(keeper.expect<link::Exited>().id == round + 1);
    }
    keeper.settle();
    const auto children = keeper::children_of(keeper.pid());
    CHECK(children.size() == 1 + 4);  // the service and the workers left
}

TEST_CASE("a service that dies at once is started again for ever, ever more slowly") {
    RunningKeeper keeper(relay::dies_at_once);
    CHECK(eventually([&] { return lines_with(keeper.log(), "exited with 3; next start") >= 4; }));
    CHECK(keeper.log().find("next start now") != std::string::npos);
    CHECK(keeper.log().find("next start in 50 ms") != std::string::npos);
    CHECK(keeper.log().find("next start in 100 ms") != std::string::npos);
    CHECK_FALSE(keeper.ended());
    ::kill(keeper.pid(), SIGTERM);
    CHECK(keeper.wait_for_end() == 0);
}

TEST_CASE("a service program that is not there is tried for ever") {
    RunningKeeper keeper(relay::obedient, [](keeper::Options& options) { options.program = "/no/such/musterd"; });
    CHECK(eventually([&] { return lines_with(keeper.log(), "cannot start the service: exec: No such file") >= 3; }));
    ::kill(keeper.pid(), SIGINT);
    CHECK(keeper.wait_for_end() == 0);
}

TEST_CASE("a service that sends rubbish, or hangs up, is replaced") {
    const char* const mode = GENERATE(relay::damaged, relay::hangs_up);
    CAPTURE(mode);
    RunningKeeper keeper(mode);
    CHECK_THROWS(keeper.take_over());
    CHECK(eventually([&] { return keeper.log().find("; next start now") != std::string::npos; }));
    CHECK(eventually([&] { return keeper.service_pid() != 0; }));
}

TEST_CASE("the service leads a session of its own and may have as many descriptors as the keeper") {
    RunningKeeper keeper;
    const auto state = keeper.take_over();
    const pid_t service = keeper.service_pid();
    CHECK(::getsid(service) == service);
    rlimit limit{}, keepers{};
    REQUIRE(::prlimit(service, RLIMIT_NOFILE, nullptr, &limit) == 0);
    REQUIRE(::prlimit(keeper.pid(), RLIMIT_NOFILE, nullptr, &keepers) == 0);
    CHECK(limit.rlim_cur == keepers.rlim_cur);
}

TEST_CASE("the service has the name of its program in process lists") {
    RunningKeeper keeper;
    keeper.take_over();
    const auto name = [](pid_t pid) { return contents("/proc/" + std::to_string(pid) + "/comm"); };
    CHECK(name(keeper.service_pid()) == name(keeper.pid()));
}

TEST_CASE("the service does not outlive the keeper") {
    RunningKeeper keeper;
    keeper.take_over();
    const pid_t service = keeper.service_pid();
    ::kill(keeper.pid(), SIGKILL);
    CHECK(keeper.wait_for_end() == -SIGKILL);
    CHECK(eventually([&] {
        const auto stat = keeper::read_stat(service);
        return !stat || stat->state == 'Z';  // re-parented to whoever reaps here
    }));
}

TEST_CASE("the back-off starts at nothing, doubles up to a second and forgets after ten good ones") {
    keeper::Backoff backoff;
    const auto short_life = 10ms;
    CHECK(backoff.after_life_of(short_life) == 0ms);
    CHECK(backoff.after_life_of(short_life) == 50ms);
    CHECK(backoff.after_life_of(short_life) == 100ms);
    CHECK(backoff.after_life_of(short_life) == 200ms);
    CHECK(backoff.after_life_of(short_life) == 400ms);
    CHECK(backoff.after_life_of(short_life) == 800ms);
    for (int i = 0; i < 100; ++i) CHECK(backoff.after_life_of(short_life) == 1000ms);
    CHECK(backoff.after_life_of(10s) == 0ms);
    CHECK(backoff.after_life_of(short_life) == 50ms);
}
