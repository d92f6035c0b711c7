// What an operation may not leave behind in the process that made it.
#pragma once

#include <sys/wait.h>

#include <cerrno>
#include <cstddef>
#include <filesystem>

namespace muster::test {

inline std::size_t descriptors() {
    const std::filesystem::directory_iterator all("/proc/self/fd");
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

inline bool has_children() {
    siginfo_t info{};
    return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 || errno != ECHILD;
}

}  // namespace muster::test
