#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/user.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <cstddef>
#include <new>

#include "support/trace.hpp"

namespace muster::test {
namespace {

using segment::page_size;

// Tracer and child take turns: on one processor that is several times faster.
class OnOneProcessor {
  public:
    OnOneProcessor() {
        ::sched_getaffinity(0, sizeof before_, &before_);
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(static_cast<std::size_t>(std::max(::sched_getcpu(), 0)), &one);
        ::sched_setaffinity(0, sizeof one, &one);
    }
    OnOneProcessor(const OnOneProcessor&) = delete;
    OnOneProcessor& operator=(const OnOneProcessor&) = delete;
    ~OnOneProcessor() { ::sched_setaffinity(0, sizeof before_, &before_); }

  private:
    cpu_set_t before_;
};

// Compares the segment with what it was after the last instruction.
class Comparison {
  public:
    Comparison(const segment::Segment& segment, const Trace& stores, Trace& trace)
        : segment_(segment), shadow_(segment), trace_(trace), present_(present_pages(segment)), blocks_(blocks()) {
        for (const Change& change : stores.changes) pages_.push_back(change.offset / page_size);
        std::sort(pages_.begin(), pages_.end());
        pages_.erase(std::unique(pages_.begin(), pages_.end()), pages_.end());
    }

    void after_instruction() {
        bool any = false;
        const blkcnt_t now = blocks();
        if (now != blocks_) {
            blocks_ = now;
            any = holes();
        }
        for (const std::uint64_t page : pages_) any = words(page) || any;
        if (any) trace_.images.push_back(trace_.changes.size());
    }

    void at_end() {
        if (const auto where = shadow_.first_difference(segment_); where && trace_.error.empty())
            trace_.error = "the trace missed a change at offset " + std::to_string(*where);
    }

  private:
    blkcnt_t blocks() const {
        struct stat status {};
        if (::fstat(segment_.memfd(), &status) != 0) base::throw_errno(errno, "trace", "segment", "fstat");
        return status.st_blocks;
    }
    void note(const Change& change) {
        trace_.changes.push_back(change);
        shadow_.apply(change);
    }
    bool holes() {
        std::vector<std::uint64_t> now = present_pages(segment_);
        bool any = false;
        for (const std::uint64_t page : present_) {
            if (std::binary_search(now.begin(), now.end(), page)) continue;
            note({page * page_size, 0, true});
            any = true;
        }
        present_ = std::move(now);
        return any;
    }
    bool words(std::uint64_t page) {
        static constexpr std::byte nothing[page_size]{};
        const std::byte* now = segment_.base() + page * page_size;
        const std::byte* before = shadow_.page(page);
        if (std::memcmp(now, before != nullptr ? before : nothing, page_size) == 0) return false;
        for (std::size_t i = 0; i < page_size; i += 8) {
            std::uint64_t word;
            std::memcpy(&word, now + i, 8);
            before = shadow_.page(page);
            if (std::memcmp(before != nullptr ? before + i : nothing, &word, 8) != 0)
                note({page * page_size + i, word, false});
        }
        return true;
    }

    const segment::Segment& segment_;
    Snapshot shadow_;
    Trace& trace_;
    std::vector<std::uint64_t> pages_, present_;
    blkcnt_t blocks_;
};

std::uint64_t instruction_pointer([[maybe_unused]] pid_t child) {
#if defined(__x86_64__)
    return static_cast<std::uint64_t>(::ptrace(PTRACE_PEEKUSER, child, offsetof(user, regs.rip), nullptr));
#else
    return 0;
#endif
}

}  // namespace

Trace trace_steps(const segment::Segment& segment, const Run& operation, const Trace& stores) {
    auto* verdict = static_cast<Verdict*>(
        ::mmap(nullptr, sizeof(Verdict), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    if (verdict == MAP_FAILED) throw std::bad_alloc();
    Trace trace;
    Comparison comparison(segment, stores, trace);
    const OnOneProcessor pinned;
    const pid_t child = ::fork();
    if (child == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) ::_exit(2);
        ::raise(SIGSTOP);
        run_and_exit(operation, *verdict);
    }
    trace.thread = child;
    int status = 0;
    if (child < 0 || ::waitpid(child, &status, 0) != child) base::throw_errno(errno, "trace", "a child", "fork");
    std::uint64_t before = 0, iterations = 0;
    while (WIFSTOPPED(status)) {
        const int signal = WSTOPSIG(status);
        const bool ours = signal == SIGTRAP || signal == SIGSTOP;
        if (::ptrace(PTRACE_SINGLESTEP, child, nullptr, ours ? 0 : signal) != 0 || ::waitpid(child, &status, 0) != child) break;
        if (!WIFSTOPPED(status)) break;
        ++trace.instructions;
        const std::uint64_t now = instruction_pointer(child);
        const bool repeats = now == before;  // a string instruction, which stops after every byte or word
        before = now;
        if (repeats && ++iterations % string_stride != 0) continue;
        if (!repeats) iterations = 0;
        comparison.after_instruction();
    }
    trace.error = error_of(status, *verdict);
    ::munmap(verdict, sizeof(Verdict));
    comparison.after_instruction();
    comparison.at_end();
    return trace;
}

}  // namespace muster::test
