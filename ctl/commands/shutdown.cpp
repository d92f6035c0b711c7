#include <nlohmann/json.hpp>

#include "ctl/commands/commands.hpp"
#include "ctl/exit_code.hpp"

namespace muster::ctl {

void add_shutdown(Parser& parser, Context& context) {
    auto verb = parser.command("shutdown", "end the daemon: it stops its processes, then exits", "Daemon");
    verb.footer(
        "For the daemon's owner and root. Returns when the daemon has agreed, not when it has ended.");
    verb.action([&context] {
        context.call("service.Shutdown", nlohmann::json::object());
        return exit_done;
    });
}

}  // namespace muster::ctl
