#include "service/config.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <map>

#include <toml++/toml.h>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "start_error.hpp"

namespace muster::service {
namespace {

constexpr std::uint64_t smallest_memory = std::uint64_t{4} << 20, largest_memory = std::uint64_t{1} << 40;

[[noreturn]] void refuse(const std::string& where, const std::string& why, const std::string& help) {
    throw StartError(ExitCode::configuration, where + ": " + why + ": " + help);
}

std::string at(const std::string& path, const toml::source_region& source) {
    return path + ":" + std::to_string(source.begin.line);
}

using Setter = std::function<void(const toml::node&, const std::string& where)>;
using Setters = std::map<std::string, Setter, std::less<>>;

std::string known_keys(const Setters& setters) {
    std::string result;
    for (const auto& [name, setter] : setters) result += (result.empty() ? "" : ", ") + name;
    return result;
}

void apply(const toml::table& table, const Setters& setters, const std::string& path,
           const std::string& prefix) {
    for (const auto& [key, node] : table) {
        const std::string name(key.str());
        const std::string where = at(path, key.source());
        const auto setter = setters.find(name);
        if (setter == setters.end())
            refuse(where, "unknown key '" + prefix + name + "'", "known here: " + known_keys(setters));
        setter->second(node, where + ": " + prefix + name);
    }
}

Setter text_setter(std::string& target, std::function<void(const std::string&, const std::string&)> check) {
    return [&target, check = std::move(check)](const toml::node& node, const std::string& where) {
        const auto value = node.value_exact<std::string>();
        if (!value) refuse(where, "wrong type", "a text in quotes expected");
        check(*value, where);
        target = *value;
    };
}

Setter count_setter(std::uint64_t& target, std::int64_t smallest, std::int64_t largest) {
    return [&target, smallest, largest](const toml::node& node, const std::string& where) {
        const auto value = node.value_exact<std::int64_t>();
        if (!value) refuse(where, "wrong type", "an integer expected");
        if (*value < smallest || *value > largest)
            refuse(where, "out of range",
                   std::to_string(smallest) + " to " + std::to_string(largest) + " is possible");
        target = static_cast<std::uint64_t>(*value);
    };
}

Setter size_setter(std::uint64_t& target) {
    return [&target](const toml::node& node, const std::string& where) {
        const auto value = node.value_exact<std::string>();
        if (!value) refuse(where, "wrong type", "a text such as \"512 MiB\" expected");
        target = parse_size(*value, where);
    };
}

}  // namespace

std::uint64_t parse_size(const std::string& text, const std::string& where) {
    static const std::map<std::string, unsigned, std::less<>> shifts{
        {"", 0},   {"B", 0},    {"KiB", 10}, {"K", 10},   {"MiB", 20},
        {"M", 20}, {"GiB", 30}, {"G", 30},   {"TiB", 40}, {"T", 40}};
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    std::string unit(end, text.data() + text.size());
    unit.erase(0,
               unit.find_first_not_of(' ') == std::string::npos ? unit.size() : unit.find_first_not_of(' '));
    const auto shift = shifts.find(unit);
    if (error == std::errc::invalid_argument || shift == shifts.end())
        refuse(where, "'" + text + "' is no size", "write it as \"512 MiB\" or \"1 GiB\"");
    if (error != std::errc() || number > (largest_memory >> shift->second) ||
        (number << shift->second) < smallest_memory)
        refuse(where, "'" + text + "' is out of range", "4 MiB to 1 TiB is possible");
    return number << shift->second;
}

void check_log_level(const std::string& level, const std::string& where) {
    for (const char* known : {"debug", "info", "warning", "error"})
        if (level == known) return;
    refuse(where, "no log level '" + level + "'", "debug, info, warning or error is possible");
}

void read_config_text(Config& config, const std::string& text, const std::string& path) {
    toml::table table;
    try {
        table = toml::parse(text, path);
    } catch (const toml::parse_error& error) {
        refuse(at(path, error.source()), std::string(error.description()), "correct the file");
    }
    constexpr std::int64_t many = 1'000'000;
    const Setters limits{
        {"connections", count_setter(config.limits.connections, 1, many)},
        {"connections_per_uid", count_setter(config.limits.connections_per_uid, 1, many)},
        {"processes_per_uid", count_setter(config.limits.processes_per_uid, 1, many)},
        {"sessions_per_uid", count_setter(config.limits.sessions_per_uid, 1, 1024)},
        {"buffers", size_setter(config.limits.buffers)},
        {"buffers_per_uid", size_setter(config.limits.buffers_per_uid)},
        {"processes", count_setter(config.limits.processes, 1, many)},
        {"sessions", count_setter(config.limits.sessions, 1, many)},
    };
    const Setters setters{
        {"address", text_setter(config.address,
                                [](const std::string& value, const std::string& where) {
                                    if (!value.starts_with("unix:/"))
                                        refuse(where, "'" + value + "' is no address",
                                               "write \"unix:/PATH\"");
                                })},
        {"memory", size_setter(config.memory)},
        {"history", count_setter(config.history, 0, many)},
        {"grace",
         [&config](const toml::node& node, const std::string& where) {
             if (!node.is_number()) refuse(where, "wrong type", "a number of seconds expected");
             const double value = node.value<double>().value_or(-1);
             if (!(value >= 0 && value <= 86'400))
                 refuse(where, "out of range", "0 to 86400 seconds is possible");
             config.grace = value;
         }},
        {"log_level", text_setter(config.log_level, check_log_level)},
        {"deadlock", text_setter(config.deadlock,
                                 [](const std::string& value, const std::string& where) {
                                     if (value != "error" && value != "report")
                                         refuse(where, "no policy '" + value + "'", "error or report is possible");
                                 })},
        {"limits",
         [&limits, &path](const toml::node& node, const std::string& where) {
             if (!node.is_table()) refuse(where, "wrong type", "a table [limits] expected");
             apply(*node.as_table(), limits, path, "limits.");
         }},
    };
    apply(table, setters, path, "");
}

void read_config_file(Config& config, const std::string& path, bool required) {
    std::ifstream file(path);
    if (!file) {
        if (errno == ENOENT && !required) return;
        refuse("configuration " + path, std::generic_category().message(errno),
               "give another one with --config");
    }
    std::ostringstream text;
    text << file.rdbuf();
    if (file.bad() || text.fail())
        refuse("configuration " + path, "cannot be read", "give another one with --config");
    read_config_text(config, text.str(), path);
}

std::optional<std::string> default_config_path(Mode mode) {
    if (mode == Mode::system) return "/etc/muster/musterd.toml";
    if (mode == Mode::private_) return std::nullopt;
    if (const char* base = std::getenv("XDG_CONFIG_HOME"); base && *base == '/')
        return std::string(base) + "/muster/musterd.toml";
    if (const char* home = std::getenv("HOME"); home && *home == '/')
        return std::string(home) + "/.config/muster/musterd.toml";
    return std::nullopt;
}

std::string to_argument(const Config& config) {
    return nlohmann::json{{"mode", static_cast<int>(config.mode)},
                          {"address", config.address},
                          {"memory", config.memory},
                          {"history", config.history},
                          {"grace", config.grace},
                          {"log_level", config.log_level},
                          {"deadlock", config.deadlock},
                          {"connections", config.limits.connections},
                          {"connections_per_uid", config.limits.connections_per_uid},
                          {"processes", config.limits.processes},
                          {"sessions", config.limits.sessions},
                          {"processes_per_uid", config.limits.processes_per_uid},
                          {"sessions_per_uid", config.limits.sessions_per_uid},
                          {"buffers", config.limits.buffers},
                          {"buffers_per_uid", config.limits.buffers_per_uid}}
        .dump();
}

Config from_argument(const std::string& text) {
    const auto json = nlohmann::json::parse(text);
    Config result;
    result.mode = static_cast<Mode>(json.at("mode").get<int>());
    result.address = json.at("address");
    result.memory = json.at("memory");
    result.history = json.at("history");
    result.grace = json.at("grace");
    result.log_level = json.at("log_level");
    result.deadlock = json.at("deadlock");
    result.limits.connections = json.at("connections");
    result.limits.connections_per_uid = json.at("connections_per_uid");
    result.limits.processes = json.at("processes");
    result.limits.sessions = json.at("sessions");
    result.limits.processes_per_uid = json.at("processes_per_uid");
    result.limits.sessions_per_uid = json.at("sessions_per_uid");
    result.limits.buffers = json.at("buffers");
    result.limits.buffers_per_uid = json.at("buffers_per_uid");
    return result;
}

}  // namespace muster::service
