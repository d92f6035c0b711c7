#include "service/supervisor/selection.hpp"

#include <algorithm>
#include <charconv>

#include <nlohmann/json.hpp>

#include "service/server/call.hpp"

namespace muster::service {
namespace {

bool all_digits(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// A number too large for the type matches nothing.
template <typename Number>
bool equals(std::string_view digits, Number value) {
    Number parsed{};
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), parsed);
    return error == std::errc() && end == digits.data() + digits.size() && parsed == value;
}

bool matches(const Process& process, std::string_view selection) {
    if (selection.starts_with('#')) return equals(selection.substr(1), process.id);
    if (all_digits(selection)) return process.pid != 0 && equals(selection, process.pid);
    return process.name == selection || (!process.group.empty() && process.group == selection);
}

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

}  // namespace

bool may_act(uid_t caller, const Process& process) noexcept { return caller == 0 || caller == process.uid; }

std::vector<ProcessPtr> select_quietly(const Table& table, std::string_view selection, uid_t caller, Choose choose) {
    std::vector<ProcessPtr> live, ended;
    if (selection.size() > max_name) return {};
    for (const auto& [id, process] : table)
        if (may_act(caller, *process) && matches(*process, selection))
            (process->ended() ? ended : live).push_back(process);
    if (choose == Choose::live || (choose == Choose::live_or_ended && !live.empty())) return live;
    if (choose == Choose::live_or_ended) return ended;
    std::vector<ProcessPtr> all(ended);
    all.insert(all.end(), live.begin(), live.end());
    std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a->id < b->id; });
    return all;
}

std::vector<ProcessPtr> select(const Table& table, std::string_view selection, uid_t caller, Choose choose,
                               const std::string& operation) {
    if (selection.empty()) throw invalid_parameter("select", "a name, '#ID' or a pid expected");
    auto result = select_quietly(table, selection, caller, choose);
    if (!result.empty()) return result;
    if (!select_quietly(table, selection, 0, choose).empty())
        throw CallError("io.muster.processes.NotPermitted",
                        {{"operation", operation},
                         {"reason", "process '" + std::string(selection) + "' belongs to another user"}});
    throw CallError("io.muster.processes.NoSuchProcess", {{"select", selection.substr(0, max_name)}});
}

void check_name(const std::string& name, const std::string& path) {
    if (name.empty()) throw invalid_parameter(path, "must not be empty");
    if (name.size() > max_name)
        throw invalid_parameter(path, "longer than " + std::to_string(max_name) + " bytes");
    if (std::any_of(name.begin(), name.end(), is_control)) throw invalid_parameter(path, "has a control character");
    if (name[0] == '#') throw invalid_parameter(path, "must not start with '#'");
    if (all_digits(name)) throw invalid_parameter(path, "must not be all digits: that would be a pid");
}

std::string default_name(const std::string& program) {
    std::string name = program.substr(program.rfind('/') + 1);
    name.resize(std::min(name.size(), max_name - 8));  // room for "-N"
    for (char& c : name)
        if (is_control(c) || static_cast<unsigned char>(c) >= 0x80) c = '_';
    if (name.empty() || name[0] == '#' || all_digits(name)) name.insert(0, "_");
    return name;
}

}  // namespace muster::service
