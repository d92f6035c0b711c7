#include <nlohmann/json.hpp>

#include "ctl/commands/commands.hpp"
#include "ctl/exit_code.hpp"
#include "ctl/text.hpp"

namespace muster::ctl {

void add_sessions(Parser& parser, Context& context) {
    auto verb = parser.command("sessions", "list who is attached to the shared memory", "Daemon");
    verb.action([&context] {
        const nlohmann::json sessions =
            context.call("service.Sessions", nlohmann::json::object()).at("sessions");
        if (context.json) {
            context.out.json(sessions);
            return exit_done;
        }
        Table table({{"INDEX", true}, {"PID", true}, {"UID", true}, {"NAME"}, {"STARTED"}, {"REGISTERED"}});
        for (const auto& session : sessions)
            table.add({std::to_string(session.value("index", 0L)), std::to_string(session.value("pid", 0L)),
                       std::to_string(session.value("uid", 0L)),
                       Cell(session.value("name", ""), Style::strong),
                       human_time(session.value("started", 0.0)),
                       session.value("registered", false) ? "yes" : "no"});
        context.out.table(table);
        return exit_done;
    });
}

}  // namespace muster::ctl
