#include "keeper/proc.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <ctime>
#include <memory>

#include "base/system_error.hpp"
#include "base/unique_fd.hpp"

namespace muster::keeper {
namespace {

struct CloseDirectory {
    void operator()(DIR* directory) const noexcept { ::closedir(directory); }
};

// The numbers among the names in a directory: processes, or threads.
std::vector<pid_t> numbers_in(const char* path) {
    std::vector<pid_t> numbers;
    const std::unique_ptr<DIR, CloseDirectory> directory(::opendir(path));
    if (!directory) return numbers;
    while (const dirent* entry = ::readdir(directory.get())) {
        const std::string_view name = entry->d_name;
        pid_t number = 0;
        const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
        if (error == std::errc{} && end == name.data() + name.size()) numbers.push_back(number);
    }
    return numbers;
}

// CONFIG_PROC_CHILDREN: nearly everywhere.
bool has_children_files() {
    static const bool has = ::access("/proc/thread-self/children", R_OK) == 0;
    return has;
}

void append_numbers(std::string_view text, std::vector<pid_t>& numbers) {
    const char* at = text.data();
    const char* const end = at + text.size();
    while (at < end) {
        pid_t number = 0;
        const auto result = std::from_chars(at, end, number);
        if (result.ec == std::errc{}) numbers.push_back(number);
        at = result.ptr + 1;
    }
}

}  // namespace

std::optional<std::string> read_small_file(const std::string& path) {
    const base::UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) return std::nullopt;
    std::string text;
    char buffer[4096];
    for (;;) {
        const auto count = base::retry_interrupted([&] { return ::read(file.get(), buffer, sizeof buffer); });
        if (count < 0) return std::nullopt;
        if (count == 0) return text;
        text.append(buffer, static_cast<std::size_t>(count));
        if (text.size() > (8u << 20)) return std::nullopt;
    }
}

std::optional<ProcessStat> read_stat(pid_t pid) {
    const auto text = read_small_file("/proc/" + std::to_string(pid) + "/stat");
    if (!text) return std::nullopt;
    const auto name_end = text->rfind(')');  // the name may have spaces and brackets in it
    if (name_end == std::string::npos) return std::nullopt;
    ProcessStat stat;
    unsigned long long start = 0;
    if (std::sscanf(text->c_str() + name_end + 1,
                    " %c %d %*d %d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu", &stat.state,
                    &stat.parent, &stat.session, &start) != 4)
        return std::nullopt;
    stat.start = start;
    return stat;
}

std::vector<pid_t> children_of(pid_t pid) {
    std::vector<pid_t> children;
    if (!has_children_files()) {
        for (const pid_t other : numbers_in("/proc")) {
            const auto stat = read_stat(other);
            if (stat && stat->parent == pid) children.push_back(other);
        }
        return children;
    }
    const std::string threads = "/proc/" + std::to_string(pid) + "/task";
    for (const pid_t thread : numbers_in(threads.c_str()))
        if (const auto text = read_small_file(threads + '/' + std::to_string(thread) + "/children"))
            append_numbers(*text, children);
    return children;
}

bool started_with(pid_t pid, std::string_view entry) {
    const auto text = read_small_file("/proc/" + std::to_string(pid) + "/environ");
    if (!text) return false;
    std::string_view rest = *text;
    while (!rest.empty()) {
        const auto end = rest.find('\0');
        if (rest.substr(0, end) == entry) return true;
        if (end == std::string_view::npos) break;
        rest.remove_prefix(end + 1);
    }
    return false;
}

std::uint64_t boot_ticks() {
    timespec now{};
    ::clock_gettime(CLOCK_BOOTTIME, &now);
    const auto per_second = static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
    return static_cast<std::uint64_t>(now.tv_sec) * per_second +
           static_cast<std::uint64_t>(now.tv_nsec) * per_second / 1'000'000'000;
}

}  // namespace muster::keeper
