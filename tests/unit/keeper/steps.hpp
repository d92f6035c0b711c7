// Which step of a start a system call belongs to.
#pragma once

#include <fcntl.h>

#include <cerrno>
#include <string>

#include "keeper/clone.hpp"
#include "support/failing/system_calls.hpp"

namespace muster::keeper::test {

// The step that is to be named when this call fails; empty: the program runs all the same.
inline std::string step_of(const muster::test::FailedCall& call, CloneMethod method) {
    static constexpr const char* streams[] = {"open stdin", "open stdout", "open stderr", "pass"};
    const auto name = [&](const char* text) { return call.name == text; };
    if (!call.in_child) {
        if (name("pipe2") || name("fcntl")) return "pipe";
        if (name("fchown") || name("prlimit64")) return "";
        const bool again = method == CloneMethod::clone3 && (call.error == EPERM || call.error == ENOSYS);
        if (name("clone3") || name("clone") || name("mmap") || name("mprotect")) return again ? "" : "clone";
        return "user";
    }
    if (name("prlimit64") || name("close_range")) return "";
    if (name("setresgid")) return "setgid";
    if (name("setresuid")) return "setuid";
    if (name("execve")) return "exec";
    if (name("write")) return "cgroup";
    if (name("fcntl")) return call.arguments[1] == F_SETFD ? streams[call.arguments[0]] : "open stdout";
    if (name("dup3")) return streams[call.arguments[1]];
    if (name("openat")) return call.path == "/dev/null" ? "open stdin" : call.path == "cgroup.procs" ? "cgroup" : "open stdout";
    return call.name;
}

}  // namespace muster::keeper::test
