// A real musterd on a socket in a directory of its own, for integration tests.
//
// The constructor returns when the daemon serves; the destructor ends it and CHECKs that nothing is left behind: no
// process of its session, no socket. Needs $MUSTER_BIN (ctest sets it; ./bin/test-* find it beside themselves).
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "support/eventually.hpp"

namespace muster::test {

// $MUSTER_BIN/NAME.
std::string program(const std::string& name);

struct Ran {
    int status = -1;  // exit code, or 128 + signal
    std::string out, err;
};
// Runs to its end, with stdin from /dev/null; environment entries are NAME=VALUE on top of ours. Killed after 60 s.
Ran run(const std::vector<std::string>& argv, const std::vector<std::string>& environment = {});

// A directory below /tmp that is removed with everything in it.
class TempDirectory {
  public:
    TempDirectory();
    ~TempDirectory();
    TempDirectory(const TempDirectory&) = delete;
    TempDirectory& operator=(const TempDirectory&) = delete;
    const std::string& path() const noexcept { return path_; }
    std::string operator/(const std::string& name) const { return path_ + "/" + name; }

  private:
    std::string path_;
};

class Daemon {
  public:
    // `arguments` come after --address; without a mode among them it is --private.
    explicit Daemon(std::vector<std::string> arguments = {});
    ~Daemon();
    Daemon(const Daemon&) = delete;
    Daemon& operator=(const Daemon&) = delete;

    std::string address() const { return "unix:" + socket_path(); }
    std::string socket_path() const { return directory_ / "muster.sock"; }
    const TempDirectory& directory() const noexcept { return directory_; }
    pid_t keeper() const noexcept { return keeper_; }
    pid_t service() const;        // its present service; waits while there is none, throws when none comes
    std::string log() const;      // what it wrote to stderr so far

    void kill_service() const;    // SIGKILL; returns when another one is there
    int stop();                   // SIGTERM; returns its exit code. At most once; the destructor does it otherwise
    void kill();                  // SIGKILL to the keeper

    // `musterctl --address ... ARGUMENTS`
    Ran ctl(std::vector<std::string> arguments) const;

  private:
    pid_t find_service() const;  // 0 while there is none

    TempDirectory directory_;
    pid_t keeper_ = -1;
};

// That a daemon's resident memory is within a bound. Under AddressSanitizer, whose allocator keeps what was freed, it
// says that it was not looked at.
void check_resident(long kib, long bound);

// Children of a process, from /proc.
std::vector<pid_t> children_of(pid_t parent);
// 'R', 'S', 'Z' ..., or '\0' when there is no such process.
char process_state(pid_t pid);

}  // namespace muster::test
