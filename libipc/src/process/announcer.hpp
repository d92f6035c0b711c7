// Who is told about the children that this program forks: the seam between muster::Process and the daemon.
//
// Order, for each child: started() before its function runs (it waits at a gate, so it is in /proc with the
// right parent), then, once, ended() while it is still a zombie: the kernel can be asked about it in both.
// Without an announcer nothing is told. Both are called by any thread, without a lock of ours held; they may
// take a moment (a round trip to a daemon that answers) but must be bounded, and never throw.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

namespace muster::process {

// How a child ended. Neither code nor signal: somebody else reaped it and the kernel has forgotten.
struct Ending {
    std::optional<int> exit_code, signal;
    bool core_dumped = false;
};

class Announcer {
  public:
    virtual ~Announcer() = default;
    virtual void started(pid_t pid, const std::string& name) noexcept = 0;
    virtual void ended(pid_t pid, const Ending& ending) noexcept = 0;

    // This process ends normally, and its children have: the last chance to have been heard.
    virtual void settle() noexcept {}

    // Around every fork of this program, in the forking thread: take the locks; let them go; in the child let
    // them go and forget the parent's children and connections.
    virtual void before_fork() noexcept {}
    virtual void after_fork_in_parent() noexcept {}
    virtual void after_fork_in_child() noexcept {}
};

// Makes it the one that is told, beginning with the children that run already; nullptr: nobody. Gives the one
// before. It must live until another is set and calls that began before have returned; the library's own
// lives for ever.
Announcer* set_announcer(Announcer* announcer);

}  // namespace muster::process
