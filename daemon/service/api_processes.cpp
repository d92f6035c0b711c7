#include <signal.h>
#include <unistd.h>

#include <limits>

#include <nlohmann/json.hpp>

#include "service/api.hpp"
#include "service/supervisor/environment.hpp"
#include "service/supervisor/view.hpp"

namespace muster::service {
namespace {

using nlohmann::json;
using CallPtr = std::shared_ptr<Call>;

template <typename Value>
std::optional<Value> optional(const json& parameters, const char* name) {
    const auto found = parameters.find(name);
    if (found == parameters.end() || found->is_null()) return std::nullopt;
    return found->get<Value>();
}

Requester requester(const Call& call) { return {call.peer().uid, call.peer().pid}; }

std::optional<double> seconds(const json& parameters, const char* name, const std::string& path) {
    const auto value = optional<double>(parameters, name);
    if (value && !(*value >= 0 && *value <= max_grace))
        throw invalid_parameter(path, "0 to 1000000 seconds is possible");
    return value;
}

int signal_number(std::int64_t value, const std::string& path, int smallest) {
    if (value < smallest || value > SIGRTMAX)
        throw invalid_parameter(path, "a signal number from " + std::to_string(smallest) + " to " +
                                          std::to_string(SIGRTMAX) + " expected");
    return static_cast<int>(value);
}

void check_text(const std::string& text, const std::string& path) {
    if (text.find('\0') != std::string::npos) throw invalid_parameter(path, "has a NUL inside");
}

std::vector<std::string> texts(const json& array, const std::string& path) {
    auto result = array.get<std::vector<std::string>>();
    for (std::size_t i = 0; i < result.size(); ++i)
        check_text(result[i], path + "[" + std::to_string(i) + "]");
    return result;
}

link::Output output(const json& spec, const char* name) {
    using Kind = link::Output::Kind;
    const std::string path = std::string("spec.") + name;
    const auto found = spec.find(name);
    if (found == spec.end() || found->is_null()) return {Kind::log, ""};
    const auto kind = found->at("kind").get<std::string>();
    const auto file = optional<std::string>(*found, "path");
    if (kind != "file" && file) throw invalid_parameter(path + ".path", "only for kind file");
    if (kind == "null") return {Kind::null, ""};
    if (kind == "inherit") return {Kind::inherit, ""};
    if (kind == "log") return {Kind::log, ""};
    if (!file || !file->starts_with('/'))
        throw invalid_parameter(path + ".path", "an absolute path expected");
    check_text(*file, path + ".path");
    return {Kind::file, *file};
}

CallError not_permitted(const std::string& operation, const std::string& reason) {
    return CallError("io.muster.processes.NotPermitted", {{"operation", operation}, {"reason", reason}});
}

// Whose the child will be. In a user's or private daemon everything is the daemon's user's.
void set_credentials(Launch& launch, const Peer& peer, const ApiContext& context) {
    const uid_t own = ::geteuid();
    const bool other = context.config.mode == Mode::system && peer.uid != own;
    if (other && own != 0)
        throw not_permitted(
            "spawn", "the daemon does not run as root and cannot become uid " + std::to_string(peer.uid));
    const User user = User::of(other ? peer.uid : own, other ? peer.gid : ::getegid());
    launch.uid = user.uid;
    if (other) {
        launch.spec.uid = user.uid;
        launch.spec.gid = user.gid;
        // The daemon's own stderr is where its journal priorities come from: not for users to write to.
        for (const auto* out : {&launch.spec.out, &launch.spec.err})
            if (out->kind == link::Output::Kind::inherit)
                throw not_permitted("spawn", "output kind 'inherit' is for the daemon's own user");
    }
    launch.spec.environment = environment(user, context.config.address, launch.spec.environment);
}

Launch parse_launch(const json& parameters, const Peer& peer, const ApiContext& context) {
    const json& spec = parameters.at("spec");
    Launch launch;
    launch.spec.argv = texts(spec.at("argv"), "spec.argv");
    if (launch.spec.argv.empty() || launch.spec.argv[0].empty())
        throw invalid_parameter("spec.argv", "must name a program");
    if (const auto name = optional<std::string>(spec, "name")) {
        check_name(*name, "spec.name");
        launch.name = *name;
    } else {
        launch.name = default_name(launch.spec.argv[0]);
    }
    if (const auto entries = spec.find("environment"); entries != spec.end() && !entries->is_null()) {
        launch.spec.environment = texts(*entries, "spec.environment");
        for (std::size_t i = 0; i < launch.spec.environment.size(); ++i)
            if (const auto equals = launch.spec.environment[i].find('=');
                equals == 0 || equals == std::string::npos)
                throw invalid_parameter("spec.environment[" + std::to_string(i) + "]", "NAME=VALUE expected");
    }
    if (const auto directory = optional<std::string>(spec, "directory")) {
        check_text(*directory, "spec.directory");
        if (!directory->starts_with('/'))
            throw invalid_parameter("spec.directory", "an absolute path expected");
        launch.spec.directory = *directory;
    }
    launch.spec.out = output(spec, "stdout");
    launch.spec.err = output(spec, "stderr");
    if (const auto number = optional<std::int64_t>(spec, "stop_signal"))
        launch.stop_signal = signal_number(*number, "spec.stop_signal", 1);
    launch.grace = seconds(spec, "grace", "spec.grace");
    const auto count = optional<std::int64_t>(parameters, "count").value_or(1);
    if (count < 1 || count > static_cast<std::int64_t>(max_spawn_count))
        throw invalid_parameter("count", "1 to " + std::to_string(max_spawn_count) + " is possible");
    launch.count = static_cast<std::size_t>(count);
    if (launch.count > 1 && launch.name.size() + 5 > max_name)
        throw invalid_parameter("spec.name", "too long to be numbered");
    set_credentials(launch, peer, context);
    std::size_t bytes = 0;
    for (const auto* list : {&launch.spec.argv, &launch.spec.environment})
        for (const std::string& text : *list) bytes += text.size() + 16;
    if (bytes * launch.count > max_spawn_bytes)
        throw limit_exceeded("io.muster.processes", "bytes of arguments and environment", max_spawn_bytes, "");
    return launch;
}

Supervisor::Answer answer_to(const CallPtr& call) {
    return [call](const std::variant<Processes, CallError>& answer) {
        if (const auto* processes = std::get_if<Processes>(&answer))
            call->reply({{"processes", view(*processes)}});
        else
            call->fail(std::get<CallError>(answer).name(), std::get<CallError>(answer).parameters());
    };
}

std::string selection(const Call& call) { return call.parameters().at("select").get<std::string>(); }

void watch(const CallPtr& call, Supervisor& supervisor) {
    const uid_t uid = call->peer().uid;
    const json present = {{"processes", view(supervisor.list(uid, true, std::nullopt))}};
    if (!call->wants_more() || call->oneway()) return call->reply(present);
    call->reply_more(present);
    const auto token = supervisor.watch(uid, [call](const Process& process) {
        call->reply_more({{"processes", json::array({view(process)})}});
    });
    call->on_abandoned([&supervisor, token] { supervisor.unwatch(token); });
    if (call->abandoned()) supervisor.unwatch(token);
}

Outcome told_outcome(const json& parameters) {
    Outcome outcome;
    if (const auto code = optional<std::int64_t>(parameters, "exit_code")) {
        if (*code < 0 || *code > 255) throw invalid_parameter("exit_code", "0 to 255 is possible");
        outcome.exit_code = static_cast<int>(*code);
    }
    if (const auto number = optional<std::int64_t>(parameters, "signal"))
        outcome.signal = signal_number(*number, "signal", 1);
    if (outcome.exit_code && outcome.signal)
        throw invalid_parameter("signal", "it ended by a signal or with a code");
    outcome.core_dumped = optional<bool>(parameters, "core_dumped");
    return outcome;
}

}  // namespace

void add_processes_api(Dispatcher& dispatcher, Supervisor& supervisor, const ApiContext& context) {
    const auto handle = [&dispatcher, moved = context.deadline_moved](const char* name, auto handler) {
        dispatcher.handle(std::string("io.muster.processes.") + name, [handler, moved](const CallPtr& call) {
            handler(call);
            moved();
        });
    };
    // Every request to the keeper costs memory until it takes it.
    const auto require_keeper = [backlog = context.keeper_backlog] {
        const Backlog waiting = backlog();
        if (waiting.requests > max_keeper_backlog)
            throw limit_exceeded("io.muster.processes", "requests to the keeper", max_keeper_backlog, "");
        if (waiting.bytes > max_keeper_backlog_bytes)
            throw limit_exceeded("io.muster.processes", "bytes of requests to the keeper", max_keeper_backlog_bytes,
                                 "");
    };
    handle("Spawn", [&supervisor, context, require_keeper](const CallPtr& call) {
        require_keeper();
        supervisor.spawn(parse_launch(call->parameters(), call->peer(), context), answer_to(call));
    });
    handle("List", [&supervisor](const CallPtr& call) {
        const bool all = optional<bool>(call->parameters(), "all").value_or(false);
        const auto chosen = optional<std::string>(call->parameters(), "select");
        call->reply({{"processes", view(supervisor.list(call->peer().uid, all, chosen))}});
    });
    handle("Signal", [&supervisor, require_keeper](const CallPtr& call) {
        require_keeper();
        const int number = signal_number(call->parameters().at("signal").get<std::int64_t>(), "signal", 0);
        supervisor.signal(requester(*call), selection(*call), number, answer_to(call));
    });
    // A client that goes away stops waiting, not the stop; one that does not want an answer does not wait at all.
    const auto cancelled_with = [&supervisor](const CallPtr& call, Supervisor::Token token) {
        if (token == 0) return;
        if (call->oneway()) return supervisor.cancel(token);
        call->on_abandoned([&supervisor, token] { supervisor.cancel(token); });
    };
    handle("Stop", [&supervisor, cancelled_with, require_keeper](const CallPtr& call) {
        require_keeper();
        const auto grace = seconds(call->parameters(), "grace", "grace");
        cancelled_with(call, supervisor.stop(requester(*call), selection(*call), grace, answer_to(call)));
    });
    handle("Kill", [&supervisor, cancelled_with, require_keeper](const CallPtr& call) {
        require_keeper();
        cancelled_with(call, supervisor.kill(requester(*call), selection(*call), answer_to(call)));
    });
    handle("Wait", [&supervisor, cancelled_with](const CallPtr& call) {
        const auto timeout = seconds(call->parameters(), "timeout", "timeout");
        cancelled_with(call, supervisor.wait(requester(*call), selection(*call), timeout, answer_to(call)));
    });
    handle("Watch", [&supervisor](const CallPtr& call) { watch(call, supervisor); });
    const auto pid = [](const Call& call) {
        const auto value = call.parameters().at("pid").get<std::int64_t>();
        if (value < 1 || value > std::numeric_limits<pid_t>::max())
            throw invalid_parameter("pid", "a pid expected");
        return static_cast<pid_t>(value);
    };
    handle("Announce", [&supervisor, pid](const CallPtr& call) {
        auto done = call->acknowledgement();
        supervisor.announce(requester(*call), pid(*call), call->parameters().at("name").get<std::string>());
        done();
    });
    handle("Ended", [&supervisor, pid](const CallPtr& call) {
        auto done = call->acknowledgement();
        supervisor.ended(requester(*call), pid(*call), told_outcome(call->parameters()));
        done();
    });
}

}  // namespace muster::service
