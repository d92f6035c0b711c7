// A daemon without sockets, a request for each of its methods, and what must be true of one for which something failed: what
// it was to do is done, and told so, or nothing is; and the next call succeeds.
#pragma once

#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <cstdio>
#include <exception>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "containers/containers.hpp"
#include "service/api.hpp"
#include "service/server/interfaces.hpp"
#include "unit/supervisor/fake_outside.hpp"

namespace muster::service::test {

using nlohmann::json;

struct Keeper : StoreOutside {
    void keep_memory(const std::string&, int) override { ++kept; }
    void watch_session(std::uint64_t, int) override {}
    void unwatch_session(std::uint64_t) override {}
    int kept = 0;
};

struct Replies : ReplySink {
    void send(std::string frame, base::UniqueFd, bool) override { frames.push_back(std::move(frame)); }
    std::vector<std::string> frames;
};

class Daemon {
  public:
    Daemon() {
        for (const auto text : embedded_interfaces()) dispatcher_.add_interface(text);
        context_.deadline_moved = [] {};
        context_.shut_down = [] {};
        context_.keeper_backlog = [] { return Backlog{}; };
        add_processes_api(dispatcher_, supervisor_, context_);
        add_objects_api(dispatcher_, store_);
        add_locks_api(dispatcher_, store_);
        add_service_api(dispatcher_, supervisor_, store_, context_);
    }

    std::shared_ptr<Replies> call(const std::string& method, const json& parameters, bool more = false) {
        auto made = make(method, parameters, more);
        dispatcher_.dispatch(made.first);
        return made.second;
    }
    std::pair<std::shared_ptr<Call>, std::shared_ptr<Replies>> make(const std::string& method, const json& parameters, bool more) {
        Message message;
        message.method = method;
        message.parameters = std::make_shared<const json>(parameters);
        message.more = more;
        auto peer = std::make_shared<Peer>();
        peer->pid = 4'000'000;
        auto sink = std::make_shared<Replies>();
        sink->frames.reserve(16);
        auto made = std::make_shared<Call>(std::move(message), std::move(peer), sink);
        return {made, sink};
    }
    void dispatch(const std::shared_ptr<Call>& call) { dispatcher_.dispatch(call); }

    // One process runs, and an object is there.
    void populate() {
        call("io.muster.processes.Spawn", {{"spec", {{"argv", {"/bin/w"}}, {"name", "w"}}}});
        supervisor_.started({outside_.take<link::Spawn>().value().id, 4'000'001, 1, false, false});
        const auto segment = segment::Segment::open(base::UniqueFd(::dup(store_.attach(0).memfd)), "client");
        containers::Directory(segment).open_or_create("d", heap::Kind::dict, {});
    }

    // What there is, but for numbers that no two lives have in common.
    std::string state() {
        json all = json::object();
        const auto frames = call("io.muster.processes.List", {{"all", true}})->frames;
        json listed = json::parse(frames.at(0));
        for (json& process : listed.at("parameters").at("processes")) {
            if (process.at("state") == "failed") continue;  // remembered as such
            process.erase("id");
            all["processes"].push_back(process);
        }
        for (const link::ToKeeper& message : outside_.sent) {
            all["told"].push_back(message.index());
            if (const auto* spawn = std::get_if<link::Spawn>(&message)) all["told"].push_back(spawn->spec.environment);
        }
        for (const session::ObjectInfo& object : store_.objects(0)) all["objects"].push_back(object.name);
        all["realms"] = store_.realms(0).size();
        all["kept"] = keeper_.kept;
        return all.dump();
    }

    // The keeper does what it was told: programs start, and end when they are killed.
    void obey() {
        while (!outside_.sent.empty()) {
            const link::ToKeeper message = std::move(outside_.sent.front());
            outside_.sent.pop_front();
            if (const auto* spawn = std::get_if<link::Spawn>(&message)) {
                supervisor_.started({spawn->id, static_cast<pid_t>(4'100'000 + spawn->id), 1, false, false});
            } else if (const auto* signal = std::get_if<link::Signal>(&message)) {
                if (signal->signal == SIGKILL) {
                    link::Ending ending;
                    ending.signal = SIGKILL;
                    supervisor_.exited({signal->id, ending});
                }
                supervisor_.signal_done({signal->id, signal->signal == 0 ? ESRCH : 0});
            }
        }
    }

  private:
    static StoreOptions small() {
        StoreOptions options;
        options.memory = std::uint64_t{4} << 20;
        return options;
    }

    FakeOutside outside_;
    Keeper keeper_;
    Dispatcher dispatcher_{{"Muster", "musterd", "1", "url"}};
    Supervisor supervisor_{{}, outside_};
    Store store_{small(), keeper_};
    ApiContext context_;
};

struct Request {
    const char* method;
    json parameters;
    bool more = false;
    bool populated = true;
    bool repeatable = false;  // so it may be done, and told to have failed
};

inline std::vector<Request> requests() {
    const json w = {{"select", "w"}}, none = json::object();
    return {
        {"io.muster.processes.Spawn", {{"spec", {{"argv", {"/bin/x", "1"}}, {"name", "x"}, {"environment", {"A=1"}}}}, {"count", 3}}},
        {"io.muster.processes.List", {{"all", true}}},
        {"io.muster.processes.Signal", {{"select", "w"}, {"signal", 10}}},
        {"io.muster.processes.Stop", {{"select", "w"}, {"grace", 5}}},
        {"io.muster.processes.Kill", w},
        {"io.muster.processes.Wait", w},
        {"io.muster.processes.Wait", {{"select", "w"}, {"timeout", 5}}},
        {"io.muster.processes.Watch", none, true},
        {"io.muster.objects.List", none},
        {"io.muster.objects.Erase", {{"name", "d"}}},
        {"io.muster.objects.Erase", {{"name", "missing"}}},
        {"io.muster.objects.Locks", none},
        {"io.muster.objects.Check", none},
        {"io.muster.service.Attach", none, false, false, true},
        {"io.muster.service.Attach", none},
        {"io.muster.service.Status", none},
        {"io.muster.service.Sessions", none},
        {"org.varlink.service.GetInfo", none},
        {"org.varlink.service.GetInterfaceDescription", {{"interface", "io.muster.objects"}}},
    };
}

enum Outcome { told_so = 10, failed = 11, silent = 12, terminated = 13, all_succeed = 14, wrong = 15 };

// The state that the request leads to when nothing fails.
inline std::string state_after(const Request& request) {
    Daemon daemon;
    if (request.populated) daemon.populate();
    const auto kept = daemon.call(request.method, request.parameters, request.more);
    return daemon.state();
}

// In a child: what became of the request. `failing` carries the function out while something fails, and tells whether it did.
inline Outcome attempt(const Request& request, const std::string& after,
                       const std::function<bool(const std::function<void()>&)>& failing) {
    std::set_terminate([] { ::_exit(terminated); });
    const auto complain = [&](const char* what, const std::string& is, const std::string& was) {
        std::fprintf(stderr, "%s: %s:\n%s\nbefore:\n%s\nafter:\n%s\n", request.method, what, is.c_str(), was.c_str(), after.c_str());
        return wrong;
    };
    Daemon daemon;
    if (request.populated) daemon.populate();
    const std::string before = daemon.state();
    auto made = daemon.make(request.method, request.parameters, request.more);
    auto& call = made.first;
    const auto& replies = made.second;
    const std::weak_ptr<Call> open = call;
    const bool fired = failing([&] {
        daemon.dispatch(call);
        call.reset();
    });
    if (!fired) return all_succeed;
    std::string state = daemon.state();
    if (state != before && state != after) {  // a launch is taken back, when the keeper answers
        daemon.obey();
        state = daemon.state();
    }
    const bool answered = !replies->frames.empty();
    const bool is_error = answered && replies->frames.back().find("\"error\"") != std::string::npos;
    if (state != before && state != after) return complain("half done", state, before);
    if (answered && !is_error && state != after) return complain("told that it is done", state, before);
    if (is_error && state != before && !request.repeatable) return complain("told that it failed", state, before);
    if (!answered && !open.expired() && state != after) return complain("waits for what is not done", state, before);
    if (state == before) {
        const auto again = daemon.call(request.method, request.parameters, request.more);
        if (daemon.state() != after) return complain("does not succeed the next time", daemon.state(), before);
    }
    return is_error ? failed : answered || !open.expired() ? told_so : silent;
}

}  // namespace muster::service::test
