#include "service/supervisor/view.hpp"

#include <nlohmann/json.hpp>

namespace muster::service {
namespace {

using nlohmann::json;

template <typename Value>
json optional(const std::optional<Value>& value) {
    return value ? json(*value) : json(nullptr);
}

}  // namespace

json view(const Process& process) {
    const Outcome outcome = process.outcome.value_or(Outcome{});
    return {{"id", process.id},
            {"name", process.name},
            {"pid", process.pid},
            {"ppid", process.ppid},
            {"uid", process.uid},
            {"kind", process.kind == Kind::spawned ? "spawned" : "forked"},
            {"state", to_string(process.state)},
            {"exit_code", optional(outcome.exit_code)},
            {"signal", optional(outcome.signal)},
            {"core_dumped", optional(outcome.core_dumped)},
            {"started", process.started},
            {"ended", process.outcome ? json(outcome.ended) : json(nullptr)},
            {"argv", process.argv},
            {"user_seconds", optional(outcome.user_seconds)},
            {"system_seconds", optional(outcome.system_seconds)},
            {"max_rss_kib", optional(outcome.max_rss_kib)},
            {"failure", process.failure.empty() ? json(nullptr) : json(process.failure)}};
}

json view(const Processes& processes) {
    auto result = json::array();
    for (const auto& process : processes) result.push_back(view(*process));
    return result;
}

}  // namespace muster::service
