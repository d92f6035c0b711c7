#include "ctl/text.hpp"

#include <csignal>
#include <cstring>
#include <ctime>

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <string>

#include <nlohmann/json.hpp>

namespace muster::ctl {
namespace {

using nlohmann::json;

struct Unit {
    std::string_view name;
    double seconds;
};
constexpr std::array units{Unit{"ms", 1e-3}, Unit{"us", 1e-6}, Unit{"ns", 1e-9},
                           Unit{"s", 1},     Unit{"min", 60},  Unit{"m", 60},
                           Unit{"h", 3600},  Unit{"d", 86400}, Unit{"", 1}};

template <typename... Parts>
std::string format(const char* pattern, Parts... parts) {
    std::array<char, 64> text{};
    std::snprintf(text.data(), text.size(), pattern, parts...);
    return text.data();
}

std::optional<int> parse_number(std::string_view text) {
    int number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return number;
}

}  // namespace

std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text) {
    if (text == "inf" || text == "infinity" || text == "never") return std::nullopt;
    const auto wrong = [&] {
        return std::invalid_argument("'" + std::string(text) +
                                     "' is no duration: write 500ms, 2s, 1.5m, 1h or inf");
    };
    double number = 0;
    const auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
    if (error != std::errc() || !std::isfinite(number) || number < 0) throw wrong();
    const std::string_view name(end, static_cast<std::size_t>(text.data() + text.size() - end));
    for (const auto& unit : units)
        if (unit.name == name) {
            constexpr double most = 9e18;  // nanoseconds that the type holds: 285 years
            return std::chrono::nanoseconds(
                static_cast<std::int64_t>(std::min(most, number * unit.seconds * 1e9)));
        }
    throw wrong();
}

std::optional<int> parse_signal(std::string_view text) {
    if (const auto number = parse_number(text))
        return *number >= 1 && *number <= SIGRTMAX ? number : std::nullopt;
    std::string name(text);
    for (char& c : name) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    if (name.starts_with("SIG")) name.erase(0, 3);
    if (name == "RTMIN") return SIGRTMIN;
    if (name == "RTMAX") return SIGRTMAX;
    if (name.starts_with("RTMIN+") || name.starts_with("RTMAX-")) {
        const auto offset = parse_number(std::string_view(name).substr(6));
        if (!offset || *offset < 0 || *offset > SIGRTMAX - SIGRTMIN) return std::nullopt;
        return name[5] == '+' ? SIGRTMIN + *offset : SIGRTMAX - *offset;
    }
    for (int signal = 1; signal < SIGRTMIN; ++signal)
        if (const char* known = ::sigabbrev_np(signal); known != nullptr && name == known) return signal;
    return std::nullopt;
}

std::string signal_name(int signal) {
    if (signal >= SIGRTMIN && signal <= SIGRTMAX)
        return signal == SIGRTMIN ? "SIGRTMIN" : "SIGRTMIN+" + std::to_string(signal - SIGRTMIN);
    const char* known = ::sigabbrev_np(signal);
    return known != nullptr ? "SIG" + std::string(known) : "signal " + std::to_string(signal);
}

json parse_value(const std::string& text, bool as_string) {
    if (!as_string)
        if (auto value = json::parse(text, nullptr, false); !value.is_discarded()) return value;
    return text;
}

std::string value_text(const json& value) {
    return value.is_string() ? value.get<std::string>()
                             : value.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string human_duration(double seconds) {
    if (seconds < 0) seconds = 0;
    if (seconds < 1) return format("%.0f ms", std::floor(seconds * 1000));
    const auto whole = static_cast<long long>(seconds);
    if (whole < 60) return format("%lld s", whole);
    if (whole < 3600) return format("%lld min %lld s", whole / 60, whole % 60);
    if (whole < 86400) return format("%lld h %lld min", whole / 3600, whole / 60 % 60);
    return format("%lld d %lld h", whole / 86400, whole / 3600 % 24);
}

std::string human_bytes(double bytes) {
    if (bytes < 1024) return format("%.0f B", bytes);
    constexpr std::array names{"KiB", "MiB", "GiB", "TiB", "PiB"};
    std::size_t i = 0;
    for (bytes /= 1024; bytes >= 1023.95 && i + 1 < names.size(); ++i) bytes /= 1024;
    std::string figures = bytes < 9.95 ? format("%.1f", bytes) : format("%.0f", bytes);
    if (figures.ends_with(".0")) figures.resize(figures.size() - 2);
    return figures + " " + names[i];
}

std::string human_time(double epoch) {
    const auto seconds = static_cast<std::time_t>(epoch);
    std::tm local{};
    if (::localtime_r(&seconds, &local) == nullptr) return "?";
    std::array<char, 32> text{};
    std::strftime(text.data(), text.size(), "%F %T", &local);
    return text.data();
}

}  // namespace muster::ctl
