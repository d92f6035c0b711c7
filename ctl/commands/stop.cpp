#include <nlohmann/json.hpp>

#include "ctl/commands/commands.hpp"
#include "ctl/exit_code.hpp"
#include "ctl/processes.hpp"

namespace muster::ctl {
namespace {

using nlohmann::json;

struct StopOptions {
    std::vector<std::string> select;
    bool all = false;
    std::optional<Duration> grace;
};

int stop(Context& context, StopOptions& options) {
    if (options.all == !options.select.empty()) {
        complain(options.all ? "stop: --all and a SELECT exclude each other"
                             : "stop: name processes, or say --all: see `musterctl stop --help`");
        return exit_usage;
    }
    if (options.all) {
        const json processes = context.call("processes.List", {{"all", false}}).at("processes");
        for (const auto& process : processes)
            if (process.value("kind", "spawned") == "spawned")
                options.select.push_back("#" + std::to_string(process.at("id").get<long>()));
        if (options.select.empty()) {
            print_processes(context, json::array());
            return exit_done;
        }
    }
    json parameters = json::object();
    if (options.grace && *options.grace)
        parameters["grace"] = std::chrono::duration<double>(**options.grace).count();
    else if (options.grace)
        parameters["grace"] = 1e9;  // "inf": never killed
    // How long it takes is the processes' matter, so only --timeout bounds it.
    const auto deadline = context.timeout ? context.patience() : base::Deadline::never();
    return for_each_selected(context, options.select, "processes.Stop", parameters, deadline);
}

}  // namespace

void add_stop(Parser& parser, Context& context) {
    auto verb = parser.command(
        "stop", "end processes: stop signal, grace period, SIGKILL, to the whole tree of each", "Processes");
    auto options = std::make_shared<StopOptions>();
    verb.positionals(options->select, "SELECT", "names, PIDs or ids as #N", false);
    verb.flag(options->all, "-a,--all", "all that the daemon started and that have not ended");
    verb.option(options->grace, "--grace", "from the stop signal to SIGKILL (default: as `run` said)");
    verb.footer(
        "Returns when all have ended and prints how. --timeout bounds the waiting, not the stopping.");
    verb.action([options, &context] { return stop(context, *options); });
}

}  // namespace muster::ctl
