// What the keeper and the service say to each other: one SOCK_SEQPACKET socket, one message a packet, descriptors
// as SCM_RIGHTS. Both sides are the same program, so the encoding is private and may change with every version.
//
// The service decides, the keeper does: the keeper interprets no client input. A spawn's argv and the rest of its
// record reach it already checked; `note` is the service's own text about a child (JSON), kept unread and given
// back to the next service, so that a service that dies loses nothing.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace muster::link {

// How a process ended, as waitid() tells.
struct Ending {
    int exit_code = -1;      // valid when signal == 0
    int signal = 0;          // the signal that ended it, or 0
    bool core_dumped = false;
    double ended = 0;        // seconds since the epoch
    double user_seconds = 0, system_seconds = 0;
    std::int64_t max_rss_kib = 0;
};

// Where a child's stdout or stderr goes.
struct Output {
    enum class Kind : std::uint8_t { null, inherit, log, file } kind = Kind::null;
    std::string path;  // kind == file: opened for append, created 0644, by the child's credentials
};

struct SpawnSpec {
    std::vector<std::string> argv;         // argv[0] is looked up in the child's PATH unless it has a slash
    std::vector<std::string> environment;  // the whole of it
    std::string directory = "/";
    Output out, err;
    std::optional<uid_t> uid;  // set credentials (initgroups, setgid, setuid) before exec; keeper must be root
    std::optional<gid_t> gid;
};

// --- service -> keeper ---
struct Spawn { std::uint64_t id; SpawnSpec spec; std::string note; };   // answered by Started or StartFailed
struct SetNote { std::uint64_t id; std::string note; };
struct Signal { std::uint64_t id; int signal; bool tree; };             // tree: process group, cgroup, descendants
struct Forget { std::uint64_t id; };                                    // drop an ended child's record
struct KeepMemory { std::string label; };                               // + 1 fd: hold this memfd under the label
struct DropMemory { std::string label; };
struct ServiceState { std::string text; };                              // sd_notify STATUS= text
struct Ready {};                                                        // the service accepts connections
struct Shutdown {};                                                     // please end: same as SIGTERM to the keeper

// --- keeper -> service ---
struct Hello {                                 // first message of a service's life, + fds: the listening socket
    pid_t keeper_pid = 0;
    double keeper_started = 0;                 // seconds since the epoch
    std::uint32_t service_starts = 0;          // 1 for the first one
    std::uint64_t next_id = 1;                 // ids below were used
};
struct Memory { std::string label; };          // + 1 fd; after Hello, one for each kept memfd
// After Hello, one for each child known; + log fds as in Started, but not of pipes that were read to their end after
// the child had ended.
struct Child {
    std::uint64_t id = 0;
    pid_t pid = 0;
    std::string note;
    double started = 0;
    std::optional<Ending> ending;
    bool has_out_log = false, has_err_log = false;
};
struct StateEnd {};                            // the hand-over is complete; serve
struct Started {                               // + read ends of the log pipes: stdout's, then stderr's, where asked
    std::uint64_t id = 0;
    pid_t pid = 0;
    double started = 0;
    bool has_out_log = false, has_err_log = false;
};
// The steps: "id" (used before), "stopping", "pipe", "user", "clone", "cgroup", "setsid", "setgroups", "setgid",
// "setuid", "chdir", "open stdin", "open stdout", "open stderr", "exec".
struct StartFailed { std::uint64_t id; std::string step, subject; int error; };
struct Exited { std::uint64_t id; Ending ending; };      // kept by the keeper until Forget
struct OrphanReaped { pid_t pid; Ending ending; };       // a re-parented descendant that was no child record
struct SignalDone { std::uint64_t id; int error; };      // answer to Signal; ESRCH when already gone
struct Stop {};                                          // the keeper was told to end: stop all workers, then exit 0

using ToKeeper = std::variant<Spawn, SetNote, Signal, Forget, KeepMemory, DropMemory, ServiceState, Ready, Shutdown>;
using ToService = std::variant<Hello, Memory, Child, StateEnd, Started, StartFailed, Exited, OrphanReaped, SignalDone, Stop>;

}  // namespace muster::link
