#include <nlohmann/json.hpp>

#include "ctl/commands/commands.hpp"
#include "ctl/exit_code.hpp"

namespace muster::ctl {
namespace {

Table table_of(const nlohmann::json& invariants) {
    Table table({{"INVARIANT"}, {"CHECKED", true}, {"VIOLATIONS", true}, {"WHAT"}});
    for (const auto& each : invariants) {
        const long violations = each.value("violations", 0L);
        table.add({Cell(each.value("invariant", "?"), Style::strong), std::to_string(each.value("checked", 0L)),
                   Cell(std::to_string(violations), violations == 0 ? Style::plain : Style::bad),
                   each.value("what", "")});
    }
    return table;
}

}  // namespace

void add_check(Parser& parser, Context& context) {
    auto verb =
        parser.command("check", "look at every structure of the realm and list what is wrong", "Objects");
    verb.footer(
        "Others work on meanwhile: nobody waits longer than for an ordinary change. A line for each invariant "
        "says what was looked at; each violation is a line: the invariant's number, the object, what was found. "
        "Exit code 1 when there are any.");
    verb.action([&context] {
        // A walk over gigabytes takes its time; only --timeout bounds it.
        const auto deadline =
            context.timeout ? context.patience() : base::Deadline::after(std::chrono::minutes(10));
        const nlohmann::json report = context.call("objects.Check", nlohmann::json::object(), deadline);
        const auto& violations = report.at("violations");
        if (context.json) {
            context.out.json(report);
        } else {
            if (!report.at("invariants").empty()) context.out.table(table_of(report.at("invariants")));
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
