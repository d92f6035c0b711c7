#include "session/address.hpp"

#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <vector>

#include "base/base.hpp"

namespace muster::session {
namespace {

constexpr std::string_view scheme = "unix:";
constexpr std::string_view system_socket = "/run/muster/muster.sock";

std::string_view environment(const char* name) noexcept {
    const char* value = std::getenv(name);
    return value ? std::string_view(value) : std::string_view();
}

// "unix" of "unix:/x"; none where a slash comes before any colon.
std::string_view scheme_of(std::string_view text) noexcept {
    const auto colon = text.find(':');
    if (colon == text.npos || text.find('/') < colon) return {};
    return text.substr(0, colon);
}

}  // namespace

Address Address::parse(std::string_view text) {
    const auto subject = "address '" + std::string(text) + "'";
    std::string_view path = text;
    if (path.starts_with(scheme)) {
        path.remove_prefix(scheme.size());
    } else if (const auto other = scheme_of(text); !other.empty()) {
        throw Error(Errc::invalid_argument, "parse", subject,
                    "unknown scheme '" + std::string(other) + "': write unix:/PATH or /PATH");
    }
    if (path.empty())
        throw Error(Errc::invalid_argument, "parse", subject, "no path in it: write unix:/PATH or /PATH");
    if (path.find('\0') != path.npos)
        throw Error(Errc::invalid_argument, "parse", subject, "a path has no NUL in it");
    if (path.size() > path_limit)
        throw Error(Errc::limit_exceeded, "parse", subject,
                    "a socket's path has at most " + std::to_string(path_limit) + " bytes, this one " +
                        std::to_string(path.size()) + ": choose a shorter one");
    return Address(std::string(path));
}

sockaddr_un Address::socket_address() const noexcept {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path_.data(), path_.size());  // parse() kept it under the limit
    return address;
}

Address resolve(std::string_view given) {
    if (!given.empty()) return Address::parse(given);
    if (const auto set = environment("MUSTER_ADDRESS"); !set.empty()) return Address::parse(set);

    std::vector<std::string> places;
    if (const auto runtime = environment("XDG_RUNTIME_DIR"); !runtime.empty())
        places.push_back(std::string(runtime) + "/muster/muster.sock");
    places.emplace_back(system_socket);
    std::string tried;
    for (const auto& place : places) {
        if (::access(place.c_str(), F_OK) == 0) return Address::parse(place);
        tried += (tried.empty() ? "" : " nor ") + place;
    }
    throw Error(Errc::unreachable, "connect", "musterd",
                (places.size() > 1 ? "neither " : "no ") + tried + (places.size() > 1 ? " is there" : "") +
                    ": start it with `musterd --user`, or say where it is with MUSTER_ADDRESS");
}

}  // namespace muster::session
