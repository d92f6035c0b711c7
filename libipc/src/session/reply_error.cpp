#include "session/reply_error.hpp"

#include <array>
#include <cctype>
#include <string>

#include <nlohmann/json.hpp>

namespace muster::session {
namespace {

using nlohmann::json;

struct Meaning {
    std::string_view name;
    Errc code;
};
constexpr std::array ours{
    Meaning{"NotPermitted", Errc::refused},          Meaning{"OutOfMemory", Errc::out_of_memory},
    Meaning{"LimitExceeded", Errc::limit_exceeded},  Meaning{"Damaged", Errc::damaged},
    Meaning{"NoSuchProcess", Errc::no_such_process}, Meaning{"NoSuchSession", Errc::refused},
    Meaning{"NoSuchObject", Errc::no_such_object},   Meaning{"StartFailed", Errc::start_failed},
    Meaning{"WaitTimeout", Errc::timeout},           Meaning{"Busy", Errc::timeout},
};

std::string text_of(const json& parameters, const char* field) {
    if (!parameters.is_object()) return {};
    const auto found = parameters.find(field);
    if (found == parameters.end() || found->is_null()) return {};
    if (found->is_string()) return one_line(found->get_ref<const std::string&>());
    return one_line(found->dump(-1, ' ', false, json::error_handler_t::replace));
}

std::string quoted(std::string_view what, const std::string& name) {
    return name.empty() ? std::string(what) : std::string(what) + " '" + name + "'";
}

Error from_ours(Errc code, const json& p, std::string operation) {
    switch (code) {
        case Errc::limit_exceeded: {
            const auto limit = text_of(p, "limit"), key = text_of(p, "key");
            return Error(code, std::move(operation), text_of(p, "what"),
                         limit.empty() ? limit : "at most " + limit + (key.empty() ? key : "; raised by " + key));
        }
        case Errc::no_such_process:
            return Error(code, std::move(operation), quoted("process", text_of(p, "select")));
        case Errc::no_such_object:
            return Error(code, std::move(operation), quoted("object", text_of(p, "name")));
        case Errc::start_failed: {
            const auto subject = text_of(p, "subject"), reason = text_of(p, "reason");
            std::string detail = text_of(p, "step");
            if (!subject.empty()) detail += " " + subject;
            if (!reason.empty()) detail += ": " + reason;
            return Error(code, std::move(operation), "process", std::move(detail));
        }
        case Errc::timeout: {
            if (const std::string reason = text_of(p, "reason"); !reason.empty())
                return Error(code, std::move(operation), {}, reason);
            const auto waiting = p.is_object() && p.contains("processes") && p["processes"].is_array()
                                     ? std::to_string(p["processes"].size()) + " still running"
                                     : std::string();
            return Error(code, std::move(operation), "processes", waiting);
        }
        default:
            break;
    }
    const auto told = text_of(p, "operation");
    return Error(code, told.empty() ? std::move(operation) : told, {}, text_of(p, "reason"));
}

Error meaning(std::string_view error, const json& parameters, std::string_view method) {
    std::string operation = operation_of(method);
    const auto dot = error.rfind('.');
    const auto interface = dot == error.npos ? std::string_view() : error.substr(0, dot);
    const auto name = dot == error.npos ? error : error.substr(dot + 1);

    if (interface.starts_with("io.muster."))
        for (const auto& [known, code] : ours)
            if (known == name) return from_ours(code, parameters, std::move(operation));
    if (error == "org.varlink.service.InvalidParameter") {
        const auto reason = text_of(parameters, "reason");
        return Error(Errc::invalid_argument, std::move(operation),
                     quoted("parameter", text_of(parameters, "parameter")),
                     reason.empty() ? "the daemon does not take it" : reason);
    }
    if (interface == "org.varlink.service")
        return Error(Errc::protocol, std::move(operation), one_line(method),
                     one_line(name) + ": is this musterd of another version?");
    return Error(Errc::protocol, std::move(operation), one_line(method), "unknown error " + one_line(error));
}

}  // namespace

std::string operation_of(std::string_view qualified) {
    const auto dot = qualified.rfind('.');
    std::string part(dot == qualified.npos ? qualified : qualified.substr(dot + 1));
    for (char& c : part) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return part;
}

std::string one_line(std::string_view text) {
    constexpr std::size_t most = 512;
    std::string line(text.substr(0, most));
    for (char& c : line)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
    if (text.size() > most) line += "...";
    return line;
}

ReplyError::ReplyError(Error error, std::string_view name, const json& parameters)
    : Error(std::move(error)), name_(name), parameters_(std::make_shared<const json>(parameters)) {}

ReplyError reply_error(std::string_view error, const json& parameters, std::string_view method) {
    return ReplyError(meaning(error, parameters, method), error, parameters);
}

}  // namespace muster::session
