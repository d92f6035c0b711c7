#include "service/supervisor/supervisor.hpp"

#include <signal.h>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "fake_outside.hpp"
#include "service/supervisor/view.hpp"

using namespace muster;
using namespace muster::service;

namespace {

constexpr uid_t alice = 1000, bob = 1001;

// Keeps the last answer of a call.
struct Reply {
    Supervisor::Answer answer() {
        return [this](const auto& given) {
            ++times;
            result = given;
        };
    }
    const Processes& processes() const { return std::get<Processes>(result.value()); }
    const CallError& error() const { return std::get<CallError>(result.value()); }
    int times = 0;
    std::optional<std::variant<Processes, CallError>> result;
};

struct Fixture {
    Launch launch(std::string name, uid_t uid = alice, std::size_t count = 1) {
        Launch result;
        result.spec.argv = {"/bin/" + name};
        result.name = std::move(name);
        result.uid = uid;
        result.count = count;
        return result;
    }
    void start(std::uint64_t id) { supervisor.started({id, static_cast<pid_t>(5000 + id), outside.time.wall, false, false}); }
    // Spawned and running; returns its id.
    std::uint64_t run(const std::string& name, uid_t uid = alice) {
        Reply reply;
        supervisor.spawn(launch(name, uid), reply.answer());
        const auto id = outside.take<link::Spawn>().value().id;
        start(id);
        REQUIRE(reply.times == 1);
        outside.sent.clear();
        return id;
    }
    void exit(std::uint64_t id, int code = 0, int signal = 0) {
        link::Ending ending;
        ending.exit_code = code;
        ending.signal = signal;
        ending.ended = outside.time.wall;
        supervisor.exited({id, ending});
    }
    void answer_signals(int error) {
        for (const auto& signal : outside.take_all<link::Signal>()) supervisor.signal_done({signal.id, error});
    }
    std::vector<int> signals_sent() {
        std::vector<int> result;
        for (const auto& signal : outside.take_all<link::Signal>()) {
            result.push_back(signal.signal);
            supervisor.signal_done({signal.id, 0});
        }
        return result;
    }
    std::string state_of(std::uint64_t id) const {
        const auto process = supervisor.find(id);
        return process ? std::string(to_string(process->state)) : "gone";
    }
    FakeOutside outside;
    Supervisor supervisor{{.history = 3, .processes = 10, .grace = 5, .keeper_pid = 77}, outside};
};

template <typename Call>
std::string error_of(Call&& call) {
    try {
        call();
    } catch (const CallError& error) {
        return error.name();
    }
    return "";
}

}  // namespace

TEST_CASE_METHOD(Fixture, "spawn answers when the program was executed") {
    Reply reply;
    supervisor.spawn(launch("worker"), reply.answer());
    const auto spawn = outside.take<link::Spawn>().value();
    CHECK(spawn.spec.argv == std::vector<std::string>{"/bin/worker"});
    CHECK(state_of(spawn.id) == "starting");
    CHECK(reply.times == 0);
    start(spawn.id);
    REQUIRE(reply.times == 1);
    const Process& process = *reply.processes().at(0);
    CHECK(process.pid == 5000 + static_cast<pid_t>(spawn.id));
    CHECK(process.ppid == 77);
    CHECK(state_of(spawn.id) == "running");
    exit(spawn.id, 3);
    CHECK(state_of(spawn.id) == "exited");
    const auto shown = view(process);
    CHECK(shown.at("exit_code") == 3);
    CHECK(shown.at("signal").is_null());
}

TEST_CASE_METHOD(Fixture, "several are started all or none") {
    Reply reply;
    supervisor.spawn(launch("w", alice, 3), reply.answer());
    const auto spawns = outside.take_all<link::Spawn>();
    REQUIRE(spawns.size() == 3);
    start(spawns[0].id);
    supervisor.start_failed({spawns[1].id, "exec", "/bin/w", ENOENT});
    CHECK(reply.times == 0);
    start(spawns[2].id);
    const auto kills = outside.take_all<link::Signal>();
    REQUIRE(kills.size() == 2);
    for (const auto& kill : kills) {
        CHECK(kill.signal == SIGKILL);
        CHECK(kill.tree);
        supervisor.signal_done({kill.id, 0});
    }
    CHECK(reply.times == 0);
    for (const auto index : {0, 2}) {
        exit(spawns[static_cast<std::size_t>(index)].id, 0, SIGKILL);
        answer_signals(ESRCH);  // nothing is left of its tree
    }
    REQUIRE(reply.times == 1);
    CHECK(reply.error().name() == "io.muster.processes.StartFailed");
    CHECK(reply.error().parameters() ==
          nlohmann::json{{"step", "exec"}, {"subject", "/bin/w"}, {"errno", ENOENT}, {"reason", "No such file or directory"}});
    const auto remembered = supervisor.list(alice, true, std::nullopt);
    REQUIRE(remembered.size() == 1);
    CHECK(remembered[0]->state == State::failed);
    CHECK(remembered[0]->failure == "exec '/bin/w': No such file or directory");
}

TEST_CASE_METHOD(Fixture, "several of one name are numbered") {
    supervisor.spawn(launch("w", alice, 2), [](const auto&) {});
    for (const auto& spawn : outside.take_all<link::Spawn>()) start(spawn.id);
    CHECK(supervisor.list(alice, false, "w-1").size() == 1);
    CHECK(supervisor.list(alice, false, "w-2").size() == 1);
    CHECK(supervisor.list(alice, false, "w").size() == 2);
}

TEST_CASE_METHOD(Fixture, "stop: the signal to the tree, the grace period, SIGKILL, and the answer when all is gone") {
    const auto id = run("w");
    Reply reply;
    supervisor.stop({alice, 1}, "w", std::nullopt, reply.answer());
    CHECK(state_of(id) == "stopping");
    CHECK(signals_sent() == std::vector<int>{SIGTERM, SIGCONT});
    outside.pass(4.9);
    supervisor.tick();
    CHECK(signals_sent().empty());
    outside.pass(0.2);
    REQUIRE(supervisor.next_deadline().value() <= outside.time.steady);
    supervisor.tick();
    CHECK(signals_sent() == std::vector<int>{SIGKILL});
    exit(id, 0, SIGKILL);
    CHECK(state_of(id) == "exited");
    CHECK(reply.times == 0);  // a grandchild may be left
    CHECK(signals_sent() == std::vector<int>{0});
    outside.pass(0.2);
    supervisor.tick();
    answer_signals(ESRCH);
    REQUIRE(reply.times == 1);
    CHECK(reply.processes().at(0)->outcome->signal == SIGKILL);
}

TEST_CASE_METHOD(Fixture, "what the main process leaves behind gets the rest of the grace period") {
    const auto id = run("w");
    Reply reply;
    supervisor.stop({alice, 1}, "w", 2, reply.answer());
    signals_sent();
    exit(id, 0);
    CHECK(signals_sent() == std::vector<int>{0});
    outside.pass(1);
    supervisor.tick();
    CHECK(signals_sent() == std::vector<int>{0});
    outside.pass(1.1);
    supervisor.tick();
    const auto sent = signals_sent();
    CHECK(std::count(sent.begin(), sent.end(), SIGKILL) == 1);
    CHECK(reply.times == 0);
    outside.pass(0.2);
    supervisor.tick();
    answer_signals(ESRCH);
    CHECK(reply.times == 1);
    CHECK_FALSE(supervisor.next_deadline());
}

TEST_CASE_METHOD(Fixture, "kill is at once, and cuts short a stop in progress") {
    const auto id = run("w");
    Reply stop, kill;
    supervisor.stop({alice, 1}, "w", 100, stop.answer());
    CHECK(signals_sent() == std::vector<int>{SIGTERM, SIGCONT});
    supervisor.kill({alice, 1}, "w", kill.answer());
    CHECK(signals_sent() == std::vector<int>{SIGKILL});
    exit(id, 0, SIGKILL);
    answer_signals(ESRCH);
    CHECK(stop.times == 1);
    CHECK(kill.times == 1);
}

TEST_CASE_METHOD(Fixture, "a stop that comes before the start is carried out after it") {
    Reply started, stopped;
    supervisor.spawn(launch("w"), started.answer());
    const auto id = outside.take<link::Spawn>().value().id;
    supervisor.stop({alice, 1}, "w", 1, stopped.answer());
    CHECK(signals_sent().empty());
    start(id);
    CHECK(state_of(id) == "stopping");
    CHECK(signals_sent() == std::vector<int>{SIGTERM, SIGCONT});
    CHECK(started.times == 1);
}

TEST_CASE_METHOD(Fixture, "stopping what has ended answers at once, signalling it is refused") {
    exit(run("w"), 7);
    Reply reply;
    supervisor.stop({alice, 1}, "w", std::nullopt, reply.answer());
    REQUIRE(reply.times == 1);
    CHECK(reply.processes().at(0)->outcome->exit_code == 7);
    CHECK(error_of([&] { supervisor.signal({alice, 1}, "w", SIGHUP, reply.answer()); }) ==
          "io.muster.processes.NoSuchProcess");
}

TEST_CASE_METHOD(Fixture, "a signal goes to one process and answers when it was sent") {
    const auto id = run("w");
    Reply reply;
    supervisor.signal({alice, 1}, "#" + std::to_string(id), SIGUSR1, reply.answer());
    const auto signal = outside.take<link::Signal>().value();
    CHECK(signal.signal == SIGUSR1);
    CHECK_FALSE(signal.tree);
    CHECK(reply.times == 0);
    supervisor.signal_done({id, 0});
    CHECK(reply.times == 1);
    supervisor.signal({alice, 1}, "w", SIGUSR1, reply.answer());
    supervisor.signal_done({id, ESRCH});  // it ended, we have not been told yet
    CHECK(reply.error().name() == "io.muster.processes.NoSuchProcess");
}

TEST_CASE_METHOD(Fixture, "wait answers at the end, at the timeout, or never after it was cancelled") {
    const auto id = run("w");
    Reply good, late, gone;
    supervisor.wait({alice, 1}, "w", std::nullopt, good.answer());
    supervisor.wait({alice, 1}, "w", 1, late.answer());
    supervisor.cancel(supervisor.wait({alice, 1}, "w", 100, gone.answer()));
    outside.pass(1);
    supervisor.tick();
    REQUIRE(late.times == 1);
    CHECK(late.error().name() == "io.muster.processes.WaitTimeout");
    CHECK(late.error().parameters().at("processes").at(0).at("state") == "running");
    exit(id);
    CHECK(good.times == 1);
    CHECK(gone.times == 0);
    CHECK_FALSE(supervisor.next_deadline());
}

TEST_CASE_METHOD(Fixture, "the history is bounded, and what is forgotten is forgotten at the keeper") {
    std::vector<std::uint64_t> ids;
    for (int i = 0; i < 5; ++i) {
        ids.push_back(run("w"));
        exit(ids.back(), i);
    }
    const auto forgotten = outside.take_all<link::Forget>();
    REQUIRE(forgotten.size() == 1);  // run() drops what was sent before the last end
    CHECK(forgotten[0].id == ids[1]);
    const auto remembered = supervisor.list(alice, true, std::nullopt);
    REQUIRE(remembered.size() == 3);
    CHECK(remembered.front()->id == ids[2]);
    CHECK(supervisor.list(alice, false, std::nullopt).empty());
}

TEST_CASE_METHOD(Fixture, "a wait for more than the history holds has all of them") {
    supervisor.spawn(launch("w", alice, 10), [](const auto&) {});
    for (const auto& spawn : outside.take_all<link::Spawn>()) start(spawn.id);
    std::vector<Reply> replies(10);
    for (std::size_t i = 0; i < 10; ++i)
        supervisor.wait({alice, 1}, "w-" + std::to_string(i + 1), std::nullopt, replies[i].answer());
    for (std::uint64_t id = 1; id <= 10; ++id) exit(id, static_cast<int>(id));
    for (std::size_t i = 0; i < 10; ++i) CHECK(replies[i].processes().at(0)->outcome->exit_code == static_cast<int>(i + 1));
}

TEST_CASE_METHOD(Fixture, "users see and act on their own processes, root on all") {
    run("w", alice);
    run("w", bob);
    run("only-bobs", bob);
    CHECK(supervisor.list(alice, true, std::nullopt).size() == 1);
    CHECK(supervisor.list(0, true, std::nullopt).size() == 3);
    Reply reply;
    supervisor.kill({alice, 1}, "w", reply.answer());
    CHECK(outside.take_all<link::Signal>().size() == 1);
    CHECK(error_of([&] { supervisor.kill({alice, 1}, "only-bobs", reply.answer()); }) ==
          "io.muster.processes.NotPermitted");
    CHECK(error_of([&] { supervisor.wait({alice, 1}, "only-bobs", 1, reply.answer()); }) ==
          "io.muster.processes.NotPermitted");
    CHECK(error_of([&] { supervisor.kill({alice, 1}, "nobodys", reply.answer()); }) ==
          "io.muster.processes.NoSuchProcess");
    supervisor.kill({0, 1}, "only-bobs", reply.answer());
    CHECK(outside.take_all<link::Signal>().size() == 1);
}

TEST_CASE_METHOD(Fixture, "there is a largest number of processes") {
    Reply reply;
    CHECK(error_of([&] { supervisor.spawn(launch("w", alice, 11), reply.answer()); }) ==
          "io.muster.processes.LimitExceeded");
    supervisor.spawn(launch("w", alice, 10), reply.answer());
    CHECK(error_of([&] { supervisor.spawn(launch("w"), reply.answer()); }) == "io.muster.processes.LimitExceeded");
}

TEST_CASE_METHOD(Fixture, "watchers are told every change of what they may see") {
    std::vector<std::string> seen;
    const auto token = supervisor.watch(alice, [&](const Process& process) {
        seen.push_back(process.name + " " + std::string(to_string(process.state)));
    });
    const auto id = run("a", alice);
    exit(run("b", bob));
    Reply reply;
    supervisor.stop({alice, 1}, "a", 1, reply.answer());
    exit(id);
    CHECK(seen == std::vector<std::string>{"a running", "a stopping", "a exited"});
    supervisor.unwatch(token);
    run("c", alice);
    CHECK(seen.size() == 3);
}

TEST_CASE_METHOD(Fixture, "a new service knows what the old one knew") {
    const auto running = run("r");
    Reply reply;
    const auto stopping = run("s");
    supervisor.stop({alice, 1}, "s", 3, reply.answer());
    const std::string stop_note = outside.take<link::SetNote>().value().note;
    Launch full = launch("full", bob);
    full.stop_signal = SIGINT;
    full.grace = 9;
    supervisor.spawn(full, reply.answer());
    const auto spawn = outside.take<link::Spawn>().value();

    outside.pass(1);
    FakeOutside other_outside;
    other_outside.time = outside.time;
    Supervisor second{{.history = 3, .processes = 10, .grace = 5, .keeper_pid = 77}, other_outside};
    second.next_id(spawn.id + 1);
    link::Ending ending;
    ending.exit_code = 4;
    ending.ended = outside.time.wall;
    second.restore({running, 101, "not even JSON", 5, ending, false, false});
    second.restore({stopping, 102, stop_note, 6, std::nullopt, false, false});
    second.restore({spawn.id, 103, spawn.note, 7, std::nullopt, false, false});
    second.restored();

    CHECK(second.find(running)->outcome->exit_code == 4);
    CHECK(second.find(running)->state == State::exited);
    CHECK(second.find(stopping)->state == State::stopping);
    const auto kept = second.find(spawn.id);
    CHECK(kept->name == "full");
    CHECK(kept->uid == bob);
    CHECK(kept->argv == std::vector<std::string>{"/bin/full"});
    CHECK(kept->stop_signal == SIGINT);
    CHECK(kept->grace == 9);
    CHECK(kept->pid == 103);
    CHECK(kept->state == State::running);

    CHECK(other_outside.take_all<link::Signal>().empty());  // the stop signal is not sent twice
    other_outside.pass(2.1);                                // 3 s after the stop
    second.tick();
    const auto killed = other_outside.take_all<link::Signal>();
    REQUIRE(killed.size() == 1);
    CHECK(killed[0].id == stopping);
    CHECK(killed[0].signal == SIGKILL);

    Reply fresh;
    second.spawn(launch("fresh"), fresh.answer());
    CHECK(other_outside.take<link::Spawn>().value().id > spawn.id);
}

TEST_CASE_METHOD(Fixture, "shutting down stops every process, starts none, and says when all is gone") {
    const auto one = run("one"), two = run("two", bob);
    exit(run("three"));
    int done = 0;
    supervisor.shut_down([&] { ++done; });
    CHECK(signals_sent().size() == 4);
    Reply reply;
    CHECK(error_of([&] { supervisor.spawn(launch("w"), reply.answer()); }) == "io.muster.processes.NotPermitted");
    exit(one);
    exit(two);
    CHECK(done == 0);
    answer_signals(ESRCH);
    CHECK(done == 1);
}
