#include <nlohmann/json.hpp>

#include "ctl/commands/commands.hpp"
#include "ctl/exit_code.hpp"

namespace muster::ctl {

void add_version(Parser& parser, Context& context) {
    parser.version("musterctl " MUSTER_VERSION);
    auto verb = parser.command("version", "print musterctl's version; the daemon's is in `status`", "Daemon");
    verb.action([&context] {
        if (context.json)
            context.out.json({{"version", MUSTER_VERSION}});
        else
            context.out.line("musterctl " MUSTER_VERSION);
        return exit_done;
    });
}

}  // namespace muster::ctl
