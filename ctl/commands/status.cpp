#include <chrono>
#include <cstdio>

#include <nlohmann/json.hpp>

#include "ctl/commands/commands.hpp"
#include "ctl/exit_code.hpp"
#include "ctl/text.hpp"

namespace muster::ctl {
namespace {

using nlohmann::json;

std::string since(double epoch) {
    const double now =
        std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
    return "up " + human_duration(now - epoch);
}

std::string memory_text(const json& memory) {
    return human_bytes(memory.value("used", 0.0)) + " used of " + human_bytes(memory.value("capacity", 0.0)) +
           ", " + human_bytes(memory.value("reserved", 0.0)) + " reserved";
}

std::string blocked_text(const json& blocked) {
    const bool known = blocked.contains("pid") && blocked["pid"].is_number();
    const auto tid = blocked.value("tid", 0L), pid = known ? blocked["pid"].get<long>() : 0L;
    char seconds[32];
    std::snprintf(seconds, sizeof seconds, "%.1f s", blocked.value("seconds", 0.0));
    return blocked.value("object", "?") + " held by " +
           (known ? "PID " + std::to_string(pid) + (tid != pid ? ", thread " + std::to_string(tid) : "") + " (" +
                        blocked.value("program", "?") + ")"
                  : "thread " + std::to_string(tid) + " (ended since, or of another PID namespace)") +
           (blocked.value("stopped", false) ? ", stopped," : "") + " for at least " + seconds;
}

void print(Context& context, const json& status) {
    const auto number = [&](const char* name) { return std::to_string(status.value(name, 0L)); };
    const auto row = [&](const std::string& name, const std::string& text) {
        context.out.line(context.out.styled(name, Style::strong) + std::string(12 - name.size(), ' ') +
                         printable(text));
    };
    row("daemon", "musterd " + status.value("version", "?") + ", " + status.value("mode", "?") + ", on " +
                      status.value("address", "?"));
    row("keeper", "PID " + number("keeper_pid") + ", " + since(status.value("started", 0.0)));
    row("service", "PID " + number("service_pid") + ", " + since(status.value("service_started", 0.0)) +
                       ", start " + number("service_starts"));
    row("sessions", number("sessions"));
    row("objects", number("objects"));
    row("processes", number("processes"));
    row("memory", memory_text(status.value("memory", json::object())));
    for (const auto& realm : status.value("realms", json::array())) {
        const bool damaged = realm.contains("damaged") && realm["damaged"].is_string();
        row("realm", realm.value("name", "?") + " (uid " + std::to_string(realm.value("uid", 0L)) +
                         "): " + std::to_string(realm.value("sessions", 0L)) + " sessions, " +
                         std::to_string(realm.value("objects", 0L)) + " objects, " +
                         memory_text(realm.value("memory", json::object())) +
                         (damaged ? ", DAMAGED: " + realm["damaged"].get<std::string>() : ""));
        for (const auto& blocked : realm.value("blocked", json::array())) row("blocked", blocked_text(blocked));
    }
}

}  // namespace

void add_status(Parser& parser, Context& context) {
    auto verb =
        parser.command("status", "show the daemon: version, processes of its own, realms, memory", "Daemon");
    verb.action([&context] {
        const json status = context.call("service.Status", json::object());
        if (context.json)
            context.out.json(status);
        else
            print(context, status);
        return exit_done;
    });
}

}  // namespace muster::ctl
