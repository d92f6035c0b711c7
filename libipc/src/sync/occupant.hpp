// Who holds a domain or a lock, for people: from the thread id in a mutex's word to a process with a name and a state.
//
// A mutex names its owner by the thread id that the kernel knows in the owner's PID namespace. Here it is looked up in
// ours; what is found there is believed only when it maps shared memory of Muster's (I10).
// Thread safety: reads /proc; any thread.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>

#include "tx/tx.hpp"

namespace muster::sync {

struct Occupant {
    pid_t pid = 0, tid = 0;  // pid 0: not known here (another PID namespace, or gone)
    std::string program;     // as /proc/PID/comm has it
    char state = '?';        // as /proc/PID/stat has it: 'T' stopped, 't' stopped by a debugger

    bool stopped() const noexcept { return state == 'T' || state == 't'; }
    // "PID 4711 (worker), stopped"; "thread 4712 of PID 4711 (worker)"; "thread 4711 (ended since, or of another PID
    // namespace)".
    std::string text() const;
};

Occupant occupant(pid_t tid);

// What a domain is called: "the realm's directory", "the realm's page table", "the table of sessions", "object #7".
std::string domain_text(const segment::Segment& segment, const tx::DomainRep& domain);

// "PID 4711 (worker), stopped, has been inside object #7 for at least 2.3 s; ..." with what helps.
std::string describe(const segment::Segment& segment, const tx::Busy& busy);

// "2.3 s"
std::string seconds_text(std::chrono::nanoseconds time);

}  // namespace muster::sync
