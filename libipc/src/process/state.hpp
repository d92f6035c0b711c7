// What this process knows about itself and its children: shared by the handles, inside the layer only.
//
// Thread safety: State::mutex guards every field of State, Child and Parent that is not const. It is held for
// moments: never over a wait, a fork or a call of the announcer. pthread_atfork handlers take it around every
// fork, also one that is not ours, so that it is free and the state whole in the child, where the parent's
// children are forgotten.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <muster/process.hpp>

#include "base/base.hpp"
#include "process/announcer.hpp"

namespace muster::detail {

enum class Phase {
    fresh,     // no start() yet
    starting,  // in start()
    running,   // forked, and not known to have ended
    ended,     // its end is known
    closed,    // close() was called
    self,      // it is this very process
};

struct Child {
    Child(pid_t creator_pid, std::vector<unsigned> id) : creator(creator_pid), identity(std::move(id)) {}

    const pid_t creator;                   // only there it can be started, joined and reaped
    const std::vector<unsigned> identity;  // {1, 2} is the second child of the first child
    Phase phase = Phase::fresh;
    std::string name;
    bool daemon = false;
    pid_t pid = 0;
    std::shared_ptr<const base::UniqueFd> pidfd;
    process::Ending ending;
};

struct Parent {
    pid_t pid = 0;
    std::string name;
    std::shared_ptr<const base::UniqueFd> pidfd;
};

}  // namespace muster::detail

namespace muster::process {

using ChildPtr = std::shared_ptr<detail::Child>;
using SharedFd = std::shared_ptr<const base::UniqueFd>;

struct State {
    std::mutex mutex;
    std::vector<ChildPtr> running;  // phase running, in order of their start
    ChildPtr current;               // this process
    unsigned children_made = 0;
    SharedFd self;  // a pidfd of this process, opened when first needed
    std::shared_ptr<const detail::Parent> parent;
    Announcer* announcer = nullptr;
    bool ends_children_at_exit = false;
};

// Made at the first use and never destroyed: static destructors may still use processes.
State& state();

// Makes the record of a process that is not yet started.
ChildPtr make_child(ProcessOptions options);

// Forks and lets `process.run()` run in the child.
void launch(Process& process, const ChildPtr& child);

// Polls a pidfd; whether the process has ended.
bool wait_ended(int pidfd, base::Deadline deadline);
// Learns from the kernel whether a child of this process has ended; if so notes how, tells the announcer, and
// reaps.
bool reap(const ChildPtr& child);
// Reaps all that have ended.
void reap_ended();
// Blocks until the child has ended and reaps it; false when the deadline passed first.
bool join(const ChildPtr& child, base::Deadline deadline);
// The end of this process: daemon children are terminated, then all are joined.
void end_children() noexcept;

}  // namespace muster::process
