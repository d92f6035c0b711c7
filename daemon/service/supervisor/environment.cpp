#include "service/supervisor/environment.hpp"

#include <pwd.h>

#include <cerrno>
#include <cstdlib>
#include <map>

#include "base/base.hpp"
#include "lookup.hpp"

namespace muster::service {

User User::of(uid_t uid, gid_t fallback_gid) {
    std::vector<char> buffer(1024);
    passwd entry{};
    passwd* found = nullptr;
    int error = 0;
    while ((error = ::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found)) == ERANGE && buffer.size() < (1 << 20))
        buffer.resize(buffer.size() * 2);
    if (!found && could_not_look(error)) base::throw_errno(error, "look up", "user " + std::to_string(uid), "getpwuid_r");
    if (!found) return {uid, fallback_gid, std::to_string(uid), "/", "/bin/sh"};
    const auto or_else = [](const char* text, const char* otherwise) {
        return std::string(text && *text ? text : otherwise);
    };
    return {uid, entry.pw_gid, entry.pw_name, or_else(entry.pw_dir, "/"), or_else(entry.pw_shell, "/bin/sh")};
}

std::vector<std::string> environment(const User& user, const std::string& address,
                                     const std::vector<std::string>& entries) {
    const char* language = std::getenv("LANG");
    std::map<std::string, std::string> variables{
        {"PATH", user.uid == 0 ? "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
                               : "/usr/local/bin:/usr/bin:/bin"},
        {"HOME", user.home},
        {"USER", user.name},
        {"LOGNAME", user.name},
        {"SHELL", user.shell},
        {"LANG", language && *language ? language : "C.UTF-8"},
        {"MUSTER_ADDRESS", address},
    };
    for (const std::string& entry : entries) {
        const auto equals = entry.find('=');
        variables.insert_or_assign(entry.substr(0, equals),
                                   equals == std::string::npos ? std::string() : entry.substr(equals + 1));
    }
    std::vector<std::string> result;
    result.reserve(variables.size());
    for (const auto& [name, value] : variables) result.push_back(name + "=" + value);
    return result;
}

}  // namespace muster::service
