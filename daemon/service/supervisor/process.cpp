#include "service/supervisor/process.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace muster::service {

using nlohmann::json;

Outcome Outcome::of(const link::Ending& ending) {
    Outcome result;
    result.ended = ending.ended;
    if (ending.signal != 0)
        result.signal = ending.signal;
    else
        result.exit_code = ending.exit_code;
    result.core_dumped = ending.core_dumped;
    result.user_seconds = ending.user_seconds;
    result.system_seconds = ending.system_seconds;
    result.max_rss_kib = ending.max_rss_kib;
    return result;
}

std::size_t cost_of(const std::vector<std::string>& argv) noexcept {
    std::size_t result = 0;
    for (const std::string& text : argv) result += text.size() + sizeof text;
    return result;
}

std::vector<std::string> shortened(const std::vector<std::string>& argv, std::size_t most) {
    std::vector<std::string> result;
    for (const std::string& text : argv) {
        if (text.size() + sizeof text > most) {
            if (result.empty()) result.push_back(text.substr(0, most / 2));  // the program is always told
            result.push_back("...");
            break;
        }
        most -= text.size() + sizeof text;
        result.push_back(text);
    }
    return result;
}

std::string to_note(const Process& process, const Instant& now) {
    json note = {{"name", process.name},   {"uid", process.uid},
                 {"argv", process.argv},   {"stop_signal", process.stop_signal},
                 {"grace", process.grace}, {"discard", process.discard}};
    if (!process.group.empty()) note["group"] = process.group;
    if (process.stopping) {
        const std::chrono::duration<double> left = process.stopping->deadline - now.steady;
        note["stop"] = {{"deadline", now.wall + left.count()}, {"killed", process.stopping->killed}};
    }
    return note.dump(-1, ' ', false, json::error_handler_t::replace);
}

void from_note(Process& process, const std::string& text, const Instant& now) {
    const json note = json::parse(text, nullptr, false);
    if (!note.is_object()) return;
    try {
        process.name = note.value("name", process.name);
        process.group = note.value("group", process.group);
        process.uid = note.value("uid", process.uid);
        process.argv = note.value("argv", process.argv);
        process.stop_signal = note.value("stop_signal", process.stop_signal);
        process.grace = note.value("grace", process.grace);
        process.discard = note.value("discard", false);
        if (const auto stop = note.find("stop"); stop != note.end()) {
            Stopping stopping;
            const double left = std::clamp(stop->value("deadline", 0.0) - now.wall, 0.0, max_grace);
            stopping.deadline = now.steady + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(left));
            stopping.killed = stop->value("killed", false);
            process.stopping = stopping;
        }
    } catch (const json::exception&) {  // ours alone writes notes; an older layout keeps what was read so far
    }
}

}  // namespace muster::service
