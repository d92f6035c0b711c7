#include <nlohmann/json.hpp>

#include "ctl/commands/commands.hpp"
#include "ctl/exit_code.hpp"

namespace muster::ctl {

void add_erase(Parser& parser, Context& context) {
    auto verb = parser.command("erase", "erase a shared object; handles that others hold fail from then on",
                               "Objects");
    auto names = std::make_shared<std::vector<std::string>>();
    verb.positionals(*names, "NAME", "names of objects");
    verb.action([names, &context] {
        int code = exit_done;
        for (const auto& name : *names) {
            try {
                context.call("objects.Erase", {{"name", name}});
            } catch (const Error& error) {
                complain(error);
                if (code == exit_done) code = exit_code(error.errc());
            }
        }
        return code;
    });
}

}  // namespace muster::ctl
