#include "service/supervisor/proc.hpp"

#include <dirent.h>
#include <fcntl.h>

#include <array>
#include <charconv>
#include <cstring>
#include <map>
#include <memory>
#include <sstream>
#include <string>

#include "base/base.hpp"

namespace muster::service {
namespace {

// Files of /proc that we read are small; a longer one is cut.
std::optional<std::string> read_small(const std::string& path) {
    const base::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) return std::nullopt;
    std::array<char, 4096> buffer;
    const auto size = base::retry_interrupted([&] { return ::read(fd.get(), buffer.data(), buffer.size()); });
    if (size <= 0) return std::nullopt;
    return std::string(buffer.data(), static_cast<std::size_t>(size));
}

std::string path_of(pid_t pid, const char* file) { return "/proc/" + std::to_string(pid) + "/" + file; }

}  // namespace

std::optional<ProcStat> read_stat(pid_t pid) {
    if (pid <= 0) return std::nullopt;
    const auto text = read_small(path_of(pid, "stat"));
    if (!text) return std::nullopt;
    const auto name_end = text->rfind(')');  // the name may hold anything, also ')'
    if (name_end == std::string::npos) return std::nullopt;
    std::istringstream fields(text->substr(name_end + 1));
    ProcStat result;
    fields >> result.state >> result.ppid;  // fields 3 and 4
    std::string skipped;
    for (int field = 5; field < 22; ++field) fields >> skipped;
    fields >> result.start_time;
    for (int field = 23; field < 52; ++field) fields >> skipped;
    if (!fields) return std::nullopt;
    fields >> result.wait_status;
    return result;
}

std::vector<pid_t> descendants(pid_t ancestor) {
    std::multimap<pid_t, pid_t> children;
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(::opendir("/proc"), ::closedir);
    if (!directory) return {};
    while (const dirent* entry = ::readdir(directory.get())) {
        pid_t pid = 0;
        const char* end = entry->d_name + std::strlen(entry->d_name);
        if (std::from_chars(entry->d_name, end, pid).ptr != end) continue;
        if (const auto stat = read_stat(pid)) children.emplace(stat->ppid, pid);
    }
    std::vector<pid_t> result;
    std::vector<pid_t> open{ancestor};
    for (std::size_t next = 0; next < open.size(); ++next) {
        const auto [first, last] = children.equal_range(open[next]);
        for (auto child = first; child != last; ++child) {
            result.push_back(child->second);
            open.push_back(child->second);
        }
        children.erase(first, last);  // a pid reused during the scan must not make a cycle
    }
    return result;
}

bool uid_may_signal(uid_t uid, pid_t pid) {
    if (uid == 0) return true;
    const auto text = read_small(path_of(pid, "status"));
    if (!text) return false;
    const auto line = text->find("\nUid:");
    if (line == std::string::npos) return false;
    std::istringstream fields(text->substr(line + 5));
    uid_t real = 0, effective = 0, saved = 0;
    fields >> real >> effective >> saved;
    return fields && (real == uid || saved == uid);
}

}  // namespace muster::service
