// Starts a program, or says at which step that failed, why, and on what. Blocks until exec succeeded or failed.
//
// The child: a session of its own, default signal dispositions and an empty mask, stdin from /dev/null, no
// descriptor but the ones of the plan. Steps, in their order, by the names that a failure carries: "pipe" and
// "user" (before the child), "clone", "cgroup", "setsid", "setgroups", "setgid", "setuid", "prctl", "chdir",
// "open stdin", "open stdout", "open stderr", "pass", "exec".
//
// While the child is on its way from its user's credentials to exec we wait for it: who may signal that user's
// processes could hold us for as long as the child is kept stopped. That is a window of some ten microseconds.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/unique_fd.hpp"
#include "keeper/clone.hpp"

namespace muster::keeper {

struct LaunchPlan {
    std::vector<std::string> programs;  // paths, tried in this order as execvp does
    std::vector<std::string> argv, environment;
    std::string directory;  // empty: ours

    struct Stream {
        enum class Kind { null, descriptor, file } kind = Kind::null;
        int fd = -1;       // descriptor: a number that is the stream's own or above 2
        std::string path;  // file: appended to, made 0644; relative to `directory`, by the child's credentials
    } out, err;

    struct Credentials {
        uid_t uid;
        gid_t gid;
        std::vector<gid_t> groups;
    };
    std::optional<Credentials> credentials;

    int pass = -1;                 // becomes descriptor 3
    bool dies_with_parent = false;  // SIGKILL when the keeper ends
    std::optional<rlim_t> descriptors;  // the soft RLIMIT_NOFILE; ours where it may not be set
    int cgroup = -1;               // directory of the cgroup to be born in
    CloneMethod method = CloneMethod::clone3;  // without clone3, clone is tried by itself
};

struct Launched {
    pid_t pid;
    base::UniqueFd pidfd;
};
struct LaunchFailure {
    std::string step, subject;
    int error;
};

// A failed child is reaped before this returns. Descriptors 0 to 2 must be open.
std::variant<Launched, LaunchFailure> launch(const LaunchPlan& plan);

}  // namespace muster::keeper
