// Words of the command line to values, and values to words. Thread safety: functions of their arguments.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

namespace muster::ctl {

// "500ms", "2s", "1.5m", "1h", "3d"; a bare number is seconds; "inf" (nullopt) has no end. Throws
// std::invalid_argument with one line for anything else, negative ones included.
std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text);

// "TERM", "SIGTERM", "term", "15", "RTMIN+2"; nullopt when it is none of the kernel's signals.
std::optional<int> parse_signal(std::string_view text);
// "SIGTERM"; "SIGRTMIN+2".
std::string signal_name(int signal);

// JSON when it is valid JSON, else the text itself as a string; always the text when `as_string`.
nlohmann::json parse_value(const std::string& text, bool as_string);
// A string as it is, anything else as JSON.
std::string value_text(const nlohmann::json& value);

// For people. "350 ms", "12 s", "3 min 12 s", "2 h 5 min", "4 d 1 h"
std::string human_duration(double seconds);
// "512 B", "1.2 KiB", "64 MiB"
std::string human_bytes(double bytes);
// Local time, "2024-05-01 13:02:11"
std::string human_time(double epoch);

}  // namespace muster::ctl
