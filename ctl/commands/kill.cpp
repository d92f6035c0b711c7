#include <nlohmann/json.hpp>

#include "ctl/commands/commands.hpp"
#include "ctl/processes.hpp"

namespace muster::ctl {

void add_kill(Parser& parser, Context& context) {
    auto verb =
        parser.command("kill", "end processes at once: SIGKILL to the whole tree of each", "Processes");
    auto select = std::make_shared<std::vector<std::string>>();
    verb.positionals(*select, "SELECT", "names, PIDs or ids as #N");
    verb.footer("Returns when all have ended and prints how.");
    verb.action([select, &context] {
        return for_each_selected(context, *select, "processes.Kill", nlohmann::json::object(),
                                 context.patience());
    });
}

}  // namespace muster::ctl
