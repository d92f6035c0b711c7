#include "keeper/cgroup.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <charconv>
#include <csignal>
#include <filesystem>
#include <system_error>

#include "keeper/proc.hpp"

namespace muster::keeper {
namespace {

namespace fs = std::filesystem;
using base::UniqueFd;

constexpr std::string_view name_start = "muster-";

// "0::/the/path" of /proc/self/cgroup below the mount of the v2 tree; empty when there is none.
std::string own_cgroup() {
    const auto text = read_small_file("/proc/self/cgroup");
    if (!text) return {};
    const auto line = text->starts_with("0::") ? 0 : text->find("\n0::");
    if (line == std::string::npos) return {};
    const auto start = text->find("::", line) + 2;
    const std::string path = text->substr(start, text->find('\n', start) - start);
    if (path.starts_with("/..")) return {};  // outside of our cgroup namespace
    for (const char* mount : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}) {
        struct statfs status {};
        if (::statfs(mount, &status) == 0 && status.f_type == CGROUP2_SUPER_MAGIC)
            return path == "/" ? mount : mount + path;
    }
    return {};
}

// rmdir from the leaves up: a member may have made cgroups of its own.
bool remove_tree(const std::string& path) {
    if (::rmdir(path.c_str()) == 0 || errno == ENOENT) return true;
    std::error_code error;
    for (fs::directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
        std::error_code ignored;
        if (it->is_directory(ignored)) remove_tree(it->path().string());
    }
    return ::rmdir(path.c_str()) == 0 || errno == ENOENT;
}

void remove_leftovers(const std::string& own) {
    std::vector<std::string> leftovers;
    std::error_code error;
    for (fs::directory_iterator it(own, error), end; !error && it != end; it.increment(error)) {
        const std::string name = it->path().filename().string();
        if (!name.starts_with(name_start)) continue;
        pid_t keeper = 0;
        const char* const digits = name.data() + name_start.size();
        const auto [rest, bad] = std::from_chars(digits, name.data() + name.size(), keeper);
        if (bad != std::errc{} || *rest != '-' || keeper <= 0) continue;
        if (keeper != ::getpid() && (::kill(keeper, 0) == 0 || errno == EPERM)) continue;
        leftovers.push_back(it->path().string());
    }
    for (const std::string& path : leftovers) remove_tree(path);  // one with members stays
}

void append_members(const std::string& path, std::vector<pid_t>& pids) {
    const auto text = read_small_file(path + "/cgroup.procs");
    if (!text) return;
    const char* at = text->data();
    const char* const end = at + text->size();
    while (at < end) {
        pid_t pid = 0;
        const auto result = std::from_chars(at, end, pid);
        if (result.ec == std::errc{} && pid > 0) pids.push_back(pid);
        at = result.ptr + 1;
    }
    std::error_code error;
    for (fs::directory_iterator it(path, error), last; !error && it != last; it.increment(error)) {
        std::error_code ignored;
        if (it->is_directory(ignored)) append_members(it->path().string(), pids);
    }
}

}  // namespace

Cgroups Cgroups::find() {
    Cgroups found;
    const std::string own = own_cgroup();
    if (own.empty() || ::access((own + "/cgroup.procs").c_str(), W_OK) != 0) return found;
    remove_leftovers(own);
    found.prefix_ = own + '/' + std::string(name_start) + std::to_string(::getpid()) + '-';
    const bool works = found.create(0) && ::access((found.path(0) + "/cgroup.procs").c_str(), W_OK) == 0;
    if (!found.remove(0) || !works) found.prefix_.clear();
    return found;
}

UniqueFd Cgroups::create(std::uint64_t id) const {
    if (!usable()) return {};
    const std::string folder = path(id);
    if (::mkdir(folder.c_str(), 0755) < 0 && errno != EEXIST) return {};
    UniqueFd opened(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!opened) ::rmdir(folder.c_str());  // nobody else would
    return opened;
}

std::vector<pid_t> Cgroups::members(std::uint64_t id) const {
    std::vector<pid_t> pids;
    append_members(path(id), pids);
    return pids;
}

bool Cgroups::kill(std::uint64_t id) const {
    const UniqueFd file(::open((path(id) + "/cgroup.kill").c_str(), O_WRONLY | O_CLOEXEC));
    return file && ::write(file.get(), "1", 1) == 1;
}

bool Cgroups::remove(std::uint64_t id) const { return remove_tree(path(id)); }

}  // namespace muster::keeper
