#include "ctl/processes.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <future>
#include <optional>

#include <nlohmann/json.hpp>

#include "ctl/exit_code.hpp"
#include "ctl/text.hpp"

namespace muster::ctl {
namespace {

using nlohmann::json;

template <typename T>
T field(const json& record, const char* name, T otherwise) {
    const auto found = record.find(name);
    if (found == record.end() || found->is_null()) return otherwise;
    try {
        return found->get<T>();
    } catch (const json::exception&) {
        throw Error(Errc::protocol, "read", "process record",
                    std::string("field '") + name + "' is of another type");
    }
}

bool has(const json& record, const char* name) {
    const auto found = record.find(name);
    return found != record.end() && !found->is_null();
}

std::string command_line(const json& process) {
    if (const auto failure = field<std::string>(process, "failure", ""); !failure.empty()) return failure;
    std::string line;
    for (const auto& word : field<std::vector<std::string>>(process, "argv", {})) {
        const bool bare = !word.empty() && word.find_first_of(" \t\n'\"\\$`*?;&|<>()") == word.npos;
        line += (line.empty() ? "" : " ") + (bare ? word : "'" + word + "'");
    }
    return line;
}

Style style_of(const json& process) {
    const auto state = field<std::string>(process, "state", "");
    if (state == "running") return Style::good;
    if (state == "failed") return Style::bad;
    if (state == "exited")
        return has(process, "signal") || field(process, "exit_code", 0) != 0 ? Style::bad : Style::dim;
    return Style::busy;
}

constexpr std::size_t at_once = 32;  // calls under way, each on a connection of its own

double now() {
    return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

json complete(const json& processes) {
    json all = json::array();
    for (const auto& process : processes) {
        json record = {{"id", nullptr},          {"name", nullptr},         {"pid", nullptr},
                       {"ppid", nullptr},        {"uid", nullptr},          {"kind", nullptr},
                       {"state", nullptr},       {"exit_code", nullptr},    {"signal", nullptr},
                       {"core_dumped", nullptr}, {"started", nullptr},      {"ended", nullptr},
                       {"argv", json::array()},  {"user_seconds", nullptr}, {"system_seconds", nullptr},
                       {"max_rss_kib", nullptr}, {"failure", nullptr}};
        if (!process.is_object())
            throw Error(Errc::protocol, "read", "process record", "it is no JSON object");
        record.update(process);
        all.push_back(std::move(record));
    }
    return all;
}

std::string ending(const json& process) {
    if (has(process, "signal"))
        return signal_name(field(process, "signal", 0)) +
               (field(process, "core_dumped", false) ? " (core)" : "");
    if (has(process, "exit_code")) return std::to_string(field(process, "exit_code", 0));
    return field<std::string>(process, "state", "") == "failed" ? "failed" : "-";
}

int shell_code(const json& process) {
    if (has(process, "signal")) return 128 + field(process, "signal", 0);
    return field(process, "exit_code", exit_own_failure);
}

Table process_table(const json& processes) {
    Table table({{"ID", true},
                 {"NAME"},
                 {"PID", true},
                 {"PPID", true},
                 {"STATE"},
                 {"EXIT"},
                 {"STARTED"},
                 {"TIME", true},
                 {"COMMAND"}});
    for (const auto& process : processes) {
        const auto started = field(process, "started", 0.0);
        const Style style = style_of(process);
        const auto pid = field(process, "pid", 0L);
        table.add({"#" + std::to_string(field(process, "id", 0L)),
                   Cell(field<std::string>(process, "name", ""), Style::strong),
                   pid > 0 ? std::to_string(pid) : "-", std::to_string(field(process, "ppid", 0L)),
                   Cell(field<std::string>(process, "state", "?"), style), Cell(ending(process), style),
                   started > 0 ? human_time(started) : "-",
                   started > 0 ? human_duration(field(process, "ended", now()) - started) : "-",
                   command_line(process)});
    }
    return table;
}

void print_processes(Context& context, const json& processes) {
    if (context.json)
        context.out.json(complete(processes));
    else
        context.out.table(process_table(processes));
}

json call_until(Context& context, std::string_view method, json parameters, base::Deadline deadline) {
    if (deadline.is_never()) return context.call(method, parameters, deadline);
    const auto left = deadline.left(std::chrono::hours(24 * 365));
    parameters["timeout"] = std::chrono::duration<double>(left).count();
    return context.call(method, parameters, base::Deadline::after(left + session::Control::default_patience));
}

int for_each_selected(Context& context, const std::vector<std::string>& selectors, std::string_view method,
                      const json& parameters, base::Deadline deadline, Timeout timeout) {
    context.control();  // here, so that no daemon is told once
    std::vector<std::promise<json>> replies(selectors.size());
    std::atomic<std::size_t> next{0};
    const auto work = [&] {
        for (std::size_t i = next++; i < selectors.size(); i = next++) {
            try {
                json asked = parameters;
                asked["select"] = selectors[i];
                replies[i].set_value(timeout == Timeout::told ? call_until(context, method, asked, deadline)
                                                              : context.call(method, asked, deadline));
            } catch (...) {
                replies[i].set_exception(std::current_exception());
            }
        }
    };
    std::vector<std::future<void>> workers;
    for (std::size_t i = 0; i < std::min(selectors.size(), at_once); ++i)
        workers.push_back(std::async(std::launch::async, work));

    json processes = json::array();
    std::optional<int> failed;
    for (auto& reply : replies) {
        try {
            const json got = reply.get_future().get();
            for (const auto& process : got.at("processes")) processes.push_back(process);
        } catch (const Error& error) {
            complain(error);
            if (!failed) failed = exit_code(error.errc());
        }
    }
    if (!failed || !processes.empty()) print_processes(context, processes);
    return failed.value_or(exit_done);
}

}  // namespace muster::ctl
