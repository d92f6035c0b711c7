#include <nlohmann/json.hpp>

#include "ctl/commands/commands.hpp"
#include "ctl/exit_code.hpp"
#include "ctl/text.hpp"

namespace muster::ctl {

void add_objects(Parser& parser, Context& context) {
    auto verb = parser.command("objects", "list the shared objects", "Objects");
    verb.footer(
        "SIZE counts elements (of a lock: 1 while it is held), BYTES the memory it owns, HOLDERS the "
        "sessions that\n"
        "keep an anonymous one alive; `stored`: a handle to it was stored in another object, which may keep it, too.");
    verb.action([&context] {
        const nlohmann::json objects = context.call("objects.List", nlohmann::json::object()).at("objects");
        if (context.json) {
            nlohmann::json all = nlohmann::json::array();
            for (const auto& object : objects) {
                nlohmann::json record{{"name", nullptr}};
                record.update(object);
                all.push_back(std::move(record));
            }
            context.out.json(all);
            return exit_done;
        }
        Table table({{"NAME"}, {"KIND"}, {"SIZE", true}, {"BYTES", true}, {"HOLDERS", true}});
        for (const auto& object : objects) {
            const bool named = object.contains("name") && object["name"].is_string();
            const auto id = "#" + std::to_string(object.value("id", 0L));
            table.add({named ? Cell(object["name"].get<std::string>(), Style::strong) : Cell(id, Style::dim),
                       object.value("kind", "?"), std::to_string(object.value("size", 0L)),
                       human_bytes(object.value("bytes", 0.0)),
                       named ? "-" : std::to_string(object.value("holders", 0L)) + (object.value("stored", false) ? ", stored" : "")});
        }
        context.out.table(table);
        return exit_done;
    });
}

}  // namespace muster::ctl
