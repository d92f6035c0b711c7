#include <nlohmann/json.hpp>

#include "ctl/commands/commands.hpp"
#include "ctl/exit_code.hpp"
#include "ctl/processes.hpp"
#include "ctl/text.hpp"

namespace muster::ctl {

void add_signal(Parser& parser, Context& context) {
    struct Options {
        std::string signal;
        std::vector<std::string> select;
    };
    auto verb = parser.command("signal", "send a signal to processes, not to their trees", "Processes");
    auto options = std::make_shared<Options>();
    verb.positional(options->signal, "SIGNAL", "TERM, SIGTERM, 15, RTMIN+2");
    verb.positionals(options->select, "SELECT", "names, PIDs or ids as #N");
    verb.action([options, &context] {
        const auto signal = parse_signal(options->signal);
        if (!signal) {
            complain("signal: '" + printable(options->signal) +
                     "' is no signal: write it first, as in `musterctl signal USR1 NAME`");
            return exit_usage;
        }
        return for_each_selected(context, options->select, "processes.Signal", {{"signal", *signal}},
                                 context.patience());
    });
}

}  // namespace muster::ctl
