#include <nlohmann/json.hpp>

#include "ctl/commands/commands.hpp"
#include "ctl/processes.hpp"

namespace muster::ctl {

void add_wait(Parser& parser, Context& context) {
    auto verb = parser.command("wait", "wait until processes have ended, and print how", "Processes");
    auto select = std::make_shared<std::vector<std::string>>();
    verb.positionals(*select, "SELECT", "names, PIDs or ids as #N");
    verb.footer(
        "--timeout bounds it (default: no limit); exit code 1 when somebody is still running then.\n"
        "For a program's own exit code see `run --wait`.");
    verb.action([select, &context] {
        const auto deadline =
            context.timeout ? base::Deadline::after(*context.timeout) : base::Deadline::never();
        return for_each_selected(context, *select, "processes.Wait", nlohmann::json::object(), deadline,
                                 Timeout::told);
    });
}

}  // namespace muster::ctl
