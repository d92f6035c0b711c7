#include <muster/manager.hpp>

#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cmath>
#include <nlohmann/json.hpp>

#include "handles/realm.hpp"
#include "session/control.hpp"

namespace muster {
namespace {

using nlohmann::json;

constexpr std::chrono::seconds spawn_patience{30};
// A wait is asked for in pieces, so that it survives the service's replacement.
constexpr std::chrono::seconds wait_piece{60};
// Beyond the grace that a stop gives.
constexpr std::chrono::seconds stop_patience{30};

json output(const std::string& where, const std::string& directory) {
    if (where == "log" || where == "null") return {{"kind", where}};
    return {{"kind", "file"}, {"path", where.starts_with('/') ? where : directory + "/" + where}};
}

std::string working_directory() {
    char path[PATH_MAX];
    return ::getcwd(path, sizeof path) != nullptr ? path : "/";
}

std::optional<int> code_of(const json& process) {
    if (const auto signal = process.find("signal"); signal != process.end() && !signal->is_null())
        return -signal->get<int>();
    if (const auto code = process.find("exit_code"); code != process.end() && !code->is_null()) return code->get<int>();
    return {};
}

bool ended(const json& process) {
    const auto when = process.find("ended");
    return when != process.end() && !when->is_null();
}

}  // namespace

SpawnedProcess::SpawnedProcess(std::shared_ptr<detail::Realm> realm, std::uint64_t id, pid_t pid, std::string name) noexcept
    : realm_(std::move(realm)), id_(id), pid_(pid), name_(std::move(name)) {}

SpawnedProcess Manager::spawn(const std::vector<std::string>& argv, const SpawnOptions& options) const {
    if (argv.empty()) throw Error(Errc::invalid_argument, "spawn", "process", "no program was named");
    const std::string directory = options.directory.empty() ? working_directory() : options.directory;
    json spec{{"argv", argv},
              {"directory", directory},
              {"stdout", output(options.output, directory)},
              {"stderr", output(options.errors, directory)}};
    if (!options.name.empty()) spec["name"] = options.name;
    json environment = json::array();
    for (const auto& [name, value] : options.environment) environment.push_back(name + "=" + value);
    if (!environment.empty()) spec["environment"] = environment;
    if (options.grace) spec["grace"] = std::chrono::duration<double>(*options.grace).count();
    const json reply = realm_->session()->control().call("io.muster.processes.Spawn", {{"spec", spec}},
                                                         base::Deadline::after(spawn_patience));
    const json& process = reply.at("processes").at(0);
    return {realm_, process.at("id").get<std::uint64_t>(), process.at("pid").get<pid_t>(),
            process.at("name").get<std::string>()};
}

namespace {

json ask(const detail::Realm& realm, const char* method, json parameters, base::Deadline deadline) {
    return realm.session()->control().call(std::string("io.muster.processes.") + method, parameters, deadline)
        .at("processes").at(0);
}

std::string selector(std::uint64_t id) { return "#" + std::to_string(id); }
base::Deadline soon() { return base::Deadline::after(session::Control::default_patience); }

}  // namespace

std::vector<ProcessInfo> Manager::processes(bool all) const {
    const json reply = realm_->session()->control().call("io.muster.processes.List", {{"all", all}}, soon());
    std::vector<ProcessInfo> found;
    for (const json& process : reply.at("processes"))
        found.push_back({.id = process.at("id").get<std::uint64_t>(),
                         .name = process.at("name").get<std::string>(),
                         .pid = process.at("pid").get<pid_t>(),
                         .ppid = process.at("ppid").get<pid_t>(),
                         .forked = process.at("kind") == "forked",
                         .state = process.at("state").get<std::string>(),
                         .exitcode = code_of(process)});
    std::sort(found.begin(), found.end(), [](const ProcessInfo& a, const ProcessInfo& b) { return a.id < b.id; });
    return found;
}

bool SpawnedProcess::is_alive() const {
    return !ended(ask(*realm_, "List", {{"select", selector(id_)}, {"all", true}}, soon()));
}

std::optional<int> SpawnedProcess::exitcode() const {
    return code_of(ask(*realm_, "List", {{"select", selector(id_)}, {"all", true}}, soon()));
}

namespace {

// What the process was when it had ended; none when it has not by then.
std::optional<json> wait_until(const detail::Realm& realm, std::uint64_t id, base::Deadline deadline) {
    for (;;) {
        const auto piece = deadline.left(wait_piece);
        try {
            return ask(realm, "Wait", {{"select", selector(id)}, {"timeout", std::chrono::duration<double>(piece).count()}},
                       base::Deadline::after(piece + session::Control::default_patience));
        } catch (const Error& error) {
            if (error.errc() != Errc::timeout) throw;
            if (deadline.passed()) return std::nullopt;
        }
    }
}

}  // namespace

bool SpawnedProcess::wait_within(std::chrono::nanoseconds timeout) const {
    return wait_until(*realm_, id_, base::Deadline::after(timeout)).has_value();
}

int SpawnedProcess::wait() const {
    return code_of(*wait_until(*realm_, id_, base::Deadline::never())).value_or(0);
}

void SpawnedProcess::signal(int number) const {
    (void)ask(*realm_, "Signal", {{"select", selector(id_)}, {"signal", number}}, soon());
}

void SpawnedProcess::stop() const {
    const base::Deadline deadline = base::Deadline::after(stop_patience + wait_piece);
    (void)ask(*realm_, "Stop", {{"select", selector(id_)}}, deadline);
}

void SpawnedProcess::kill() const {
    (void)ask(*realm_, "Kill", {{"select", selector(id_)}}, base::Deadline::after(stop_patience));
}

}  // namespace muster
