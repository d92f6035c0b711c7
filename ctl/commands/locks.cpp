#include <nlohmann/json.hpp>

#include "ctl/commands/commands.hpp"
#include "ctl/exit_code.hpp"
#include "ctl/text.hpp"

namespace muster::ctl {
namespace {

std::string who(const nlohmann::json& thread) {
    const long pid = thread.value("pid", 0L), tid = thread.value("tid", 0L);
    if (tid == 0) return "a thread that has ended";
    std::string text = "PID " + std::to_string(pid);
    if (tid != pid) text += ", thread " + std::to_string(tid);
    if (thread.contains("program") && thread["program"].is_string()) text += " (" + thread["program"].get<std::string>() + ")";
    if (thread.value("stopped", false)) text += ", stopped";
    return text;
}

std::string seconds(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.1f s", value);
    return text;
}

int print_locks(Context& context, const nlohmann::json& locks) {
    Table table({{"NAME"}, {"KIND"}, {"HELD OR WAITED FOR BY"}, {"SINCE", true}, {"TOKEN", true}});
    for (const auto& lock : locks) {
        const bool named = lock.contains("name") && lock["name"].is_string();
        const Cell name = named ? Cell(lock["name"].get<std::string>(), Style::strong)
                                : Cell("#" + std::to_string(lock.value("id", 0L)), Style::dim);
        const bool held = lock.contains("holder") && lock["holder"].is_object();
        std::string holder = held ? who(lock["holder"]) : std::string("nobody");
        if (lock.value("levels", 0L) > 1) holder += ", " + std::to_string(lock.value("levels", 0L)) + " times";
        const bool known = lock.contains("held_seconds") && lock["held_seconds"].is_number();
        table.add({name, lock.value("kind", "?"), holder, known ? seconds(lock["held_seconds"].get<double>()) : "-",
                   std::to_string(lock.value("token", std::uint64_t{0}))});
        for (const auto& waiter : lock.at("waiters"))
            table.add({Cell(""), "", "  waits: " + who(waiter.at("thread")), seconds(waiter.value("seconds", 0.0)), ""});
    }
    context.out.table(table);
    return exit_done;
}

int print_deadlocks(Context& context, const nlohmann::json& deadlocks) {
    if (context.json) return context.out.json(deadlocks), deadlocks.empty() ? exit_no : exit_done;
    for (const auto& deadlock : deadlocks) context.out.line(printable(deadlock.value("text", "")));
    return deadlocks.empty() ? exit_no : exit_done;
}

}  // namespace

void add_locks(Parser& parser, Context& context) {
    auto verb = parser.command("locks", "list who holds locks, and who waits for what", "Objects");
    auto deadlocks = std::make_shared<bool>(false);
    verb.flag(*deadlocks, "--deadlocks", "print circles of threads that wait for each other; exit code 1: there is none");
    verb.footer(
        "SINCE is at least so long for holders: nobody writes down when a lock is taken, the daemon looks once a\n"
        "second. Objects that are neither held nor waited for are not listed. `musterctl lock break NAME` ends a\n"
        "hold by force.");
    verb.action([deadlocks, &context] {
        const nlohmann::json reply = context.call("objects.Locks", nlohmann::json::object());
        if (*deadlocks) return print_deadlocks(context, reply.at("deadlocks"));
        if (context.json) return context.out.json(reply.at("locks")), exit_done;
        return print_locks(context, reply.at("locks"));
    });
}

}  // namespace muster::ctl
