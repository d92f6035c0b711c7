// Calls that the service keeps until something happens: nobody keeps one that was answered, and none outlives the
// supervisor that it waited in.
#include <unistd.h>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "service/api.hpp"
#include "service/server/interfaces.hpp"
#include "unit/supervisor/fake_outside.hpp"

using namespace muster;
using namespace muster::service;
using nlohmann::json;

namespace {

struct Replies : ReplySink {
    void send(std::string frame, base::UniqueFd, bool last) override {
        if (!frame.empty()) frames.push_back(json::parse(frame));
        finished = finished || last;
    }
    std::vector<json> frames;
    bool finished = false;
};

// One process of the caller's runs, under the name `w`.
struct Fixture {
    Fixture() {
        for (const auto text : embedded_interfaces()) dispatcher->add_interface(text);
        context.deadline_moved = [] {};
        context.keeper_backlog = [] { return Backlog{}; };
        add_processes_api(*dispatcher, *supervisor, context);
        call("Spawn", spawn_parameters());
        id = outside.take<link::Spawn>().value().id;
        supervisor->started({id, 4'000'000, 1, false, false});
        REQUIRE(sink->finished);
    }
    static json spawn_parameters() { return {{"spec", {{"argv", {"/bin/w"}}, {"name", "w"}}}}; }

    // What is left of the call when its handler has returned.
    std::weak_ptr<Call> call(const std::string& method, json parameters, bool more = false) {
        Message message;
        message.method = "io.muster.processes." + method;
        message.parameters = std::make_shared<const json>(std::move(parameters));
        message.more = more;
        auto peer = std::make_shared<Peer>();
        peer->pid = ::getpid();
        peer->uid = ::geteuid();
        sink = std::make_shared<Replies>();
        auto made = std::make_shared<Call>(std::move(message), std::move(peer), sink);
        dispatcher->dispatch(made);
        return made;
    }
    void exit() {
        link::Ending ending;
        ending.exit_code = 0;
        supervisor->exited({id, ending});
    }

    FakeOutside outside;
    std::unique_ptr<Dispatcher> dispatcher = std::make_unique<Dispatcher>(Dispatcher::Identity{"t", "t", "t", ""});
    std::unique_ptr<Supervisor> supervisor = std::make_unique<Supervisor>(SupervisorOptions{.history = 0}, outside);
    ApiContext context;
    std::shared_ptr<Replies> sink;
    std::uint64_t id = 0;
};

struct Open {
    const char* method;
    json parameters;
    bool more = false;
};

const std::vector<Open>& waiting_calls() {
    static const std::vector<Open> all = {
        {"Spawn", Fixture::spawn_parameters()},
        {"Spawn", {{"spec", {{"argv", {"/bin/w"}}}}, {"count", 3}}},
        {"Signal", {{"select", "w"}, {"signal", 10}}},
        {"Stop", {{"select", "w"}}},
        {"Kill", {{"select", "w"}}},
        {"Wait", {{"select", "w"}}},
        {"Wait", {{"select", "w"}, {"timeout", 100}}},
        {"Watch", json::object(), true},
    };
    return all;
}

}  // namespace

TEST_CASE("a call that waits is gone with the supervisor, whatever it waits for") {
    for (const Open& open : waiting_calls()) {
        INFO(open.method << " " << open.parameters.dump());
        Fixture fixture;
        const auto call = fixture.call(open.method, open.parameters, open.more);
        REQUIRE_FALSE(call.expired());
        CHECK_FALSE(fixture.sink->finished);
        const std::weak_ptr<Process> process = fixture.supervisor->find(fixture.id);
        fixture.supervisor.reset();
        fixture.dispatcher.reset();
        CHECK(call.expired());
        CHECK(fixture.sink->finished);  // its client waits for nobody
        CHECK(process.expired());
    }
}

TEST_CASE("a signal is answered also when its process was forgotten meanwhile, and keeps nothing") {
    Fixture fixture;
    const std::weak_ptr<Process> process = fixture.supervisor->find(fixture.id);
    const auto call = fixture.call("Signal", {{"select", "w"}, {"signal", 10}});
    fixture.exit();  // the keeper had reaped it already: no history, so nobody knows it any more
    REQUIRE_FALSE(fixture.supervisor->find(fixture.id));
    CHECK_FALSE(fixture.sink->finished);
    fixture.supervisor->signal_done({fixture.id, ESRCH});
    REQUIRE(fixture.sink->finished);
    CHECK(fixture.sink->frames.at(0).at("error") == "io.muster.processes.NoSuchProcess");
    CHECK(call.expired());
    CHECK(process.expired());
}

TEST_CASE("a signal that could not be sent leaves no answer that others would get") {
    struct Full : FakeOutside {
        void send(link::ToKeeper message) override {
            if (full) throw std::bad_alloc();
            FakeOutside::send(std::move(message));
        }
        bool full = false;
    } outside;
    Supervisor supervisor({}, outside);
    Launch launch;
    launch.name = "w";
    launch.spec.argv = {"/bin/w"};
    supervisor.spawn(launch, [](const auto&) {});
    supervisor.started({1, 4'000'000, 1, false, false});
    int lost = 0, answered = 0;
    outside.full = true;
    CHECK_THROWS_AS(supervisor.signal({0, 1}, "w", 10, [&](const auto&) { ++lost; }), std::bad_alloc);
    outside.full = false;
    supervisor.signal({0, 1}, "w", 10, [&](const auto&) { ++answered; });
    supervisor.signal_done({1, 0});
    CHECK(lost == 0);
    CHECK(answered == 1);
}
