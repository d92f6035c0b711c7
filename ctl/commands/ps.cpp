#include <nlohmann/json.hpp>

#include "ctl/commands/commands.hpp"
#include "ctl/exit_code.hpp"
#include "ctl/processes.hpp"

namespace muster::ctl {

void add_ps(Parser& parser, Context& context) {
    struct Options {
        bool all = false;
        std::optional<std::string> select;
    };
    auto verb = parser.command("ps", "list processes", "Processes");
    auto options = std::make_shared<Options>();
    verb.flag(options->all, "-a,--all",
              "also those that have ended, as far back as the daemon's history goes");
    verb.positional(options->select, "SELECT", "only these: a name, a PID or an id as #N");
    verb.action([options, &context] {
        nlohmann::json parameters{{"all", options->all}};
        if (options->select) parameters["select"] = *options->select;
        print_processes(context, context.call("processes.List", parameters).at("processes"));
        return exit_done;
    });
}

}  // namespace muster::ctl
