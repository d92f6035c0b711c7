// What an operation does to a segment, from instruction to instruction: found by running it in a child that is
// watched, by one of two means that know nothing of each other.
//
//   trace_steps   single-steps the child (ptrace) and compares the segment after each instruction. The plain
//                 truth, but every instruction costs tens of microseconds.
//   trace_stores  write-protects the segment in the child, which then stops itself at each store and just after
//                 it. Costs by the store, not by the instruction: cheap enough for every crash of every recovery.
//
// Both leave the segment as the operation left it, and its lists of robust mutexes to the kernel: a child that ends
// holds no lock. The operation runs on the caller's mapping, in a forked child, with one thread.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "support/snapshot.hpp"

namespace muster::test {

struct Trace {
    std::uint64_t instructions = 0;   // 0: not counted
    pid_t thread = 0;                 // who ran the operation, as its mutexes name it
    std::vector<Change> changes;      // in order
    std::vector<std::size_t> images;  // the i-th image: so many of the changes are in force. Rising
    std::string error;                // empty: the operation returned
};

using Run = std::function<void()>;

// A string instruction stops after every byte or word of its own: so many of these are one step.
inline constexpr std::uint64_t string_stride = 64;

// Why this machine cannot do it, empty when it can.
std::string no_trace_here();

Trace trace_stores(const segment::Segment& segment, const Run& operation);

// `stores` tells which pages to look at; the end is compared with the whole segment, so that a page missing there
// is an error of the trace.
Trace trace_steps(const segment::Segment& segment, const Run& operation, const Trace& stores);

// Runs the operation in a child that is killed, by SIGKILL, where its `image`-th image (from 0) has just come to be.
// False when it ended before.
bool die_at_image(const segment::Segment& segment, const Run& operation, std::size_t image);

// Shared by both tracers: runs the operation in this (child) process, which ends.
struct Verdict {
    char error[240];
};
[[noreturn]] void run_and_exit(const Run& operation, Verdict& verdict, const Run& after = {}) noexcept;
// ... and what its end means for the parent.
std::string error_of(int wait_status, const Verdict& verdict);

}  // namespace muster::test
