#include <nlohmann/json.hpp>

#include "ctl/commands/commands.hpp"
#include "ctl/exit_code.hpp"

namespace muster::ctl {

void add_check(Parser& parser, Context& context) {
    auto verb =
        parser.command("check", "walk every structure of the realm and list what is wrong", "Objects");
    verb.footer(
        "Each violation is a line: the invariant's number, the object, what was found. Exit code 1 when "
        "there are any.");
    verb.action([&context] {
        // A walk over gigabytes takes its time; only --timeout bounds it.
        const auto deadline =
            context.timeout ? context.patience() : base::Deadline::after(std::chrono::minutes(10));
        const nlohmann::json report = context.call("objects.Check", nlohmann::json::object(), deadline);
        const auto& violations = report.at("violations");
        if (context.json) {
            context.out.json(report);
        } else {
            for (const auto& violation : violations) {
                const bool named = violation.contains("object") && violation["object"].is_string();
                const auto object = named ? violation["object"].get<std::string>() : std::string("segment");
                context.out.line(printable(violation.value("invariant", "?") + "  " + object + ": " +
                                           violation.value("text", "")));
            }
            context.out.line(std::to_string(violations.size()) +
                             (violations.size() == 1 ? " violation" : " violations"));
        }
        return violations.empty() ? exit_done : exit_no;
    });
}

}  // namespace muster::ctl
