// The three orderings of a mutation, in one place. Each is right for two observers at once: a reader on another core
// (memory order), and whoever looks at the segment after this thread was killed between any two instructions
// (program order, which only the compiler could disturb: hence the signal fences).
#pragma once

#include <atomic>
#include <cstdint>

namespace muster::tx {

// Deliberately wrong variants: the crash tests prove that they see each of these. Built only into the test library.
// missing_fence does the stores in the order that the fences of begin_writing and publish_entry forbid: the changed
// words first, then the odd number, then the count. Leaving fences out would let a compiler do that, or not: what it
// makes of them is then a matter of its version.
enum class Mutant {
    none,
    unlogged_word,
    count_before_entry,
    early_commit,
    consistent_before_rollback,
    missing_wake,   // nobody is woken, neither after a change nor after a death
    leaked_extent,  // an extent with a tag and in no list is left to itself (I6)
    missing_fence,
    early_decision,  // a joint transaction is decided before its changes are made
    mark_late,       // its domains are marked after it was decided
    early_unmark,    // a domain's mark goes before its log is emptied
};
#ifdef MUSTER_MUTANTS
extern Mutant active_mutant;
inline bool mutant(Mutant which) noexcept { return active_mutant == which; }
#else
constexpr bool mutant(Mutant) noexcept { return false; }
#endif

// The sequence number becomes odd before any word changes (idempotent). Readers that see a changed word see the
// odd number or a later one.
inline void begin_writing(std::uint64_t& sequence) noexcept {
    const std::uint64_t now = __atomic_load_n(&sequence, __ATOMIC_RELAXED);
    __atomic_store_n(&sequence, now | 1, __ATOMIC_RELAXED);
    std::atomic_thread_fence(std::memory_order_release);
}

// I2: the entry is whole before the count covers it, and covered before the word changes.
inline void publish_entry(std::uint64_t& log_count, std::uint64_t count) noexcept {
    __atomic_store_n(&log_count, count, __ATOMIC_RELEASE);
    std::atomic_signal_fence(std::memory_order_seq_cst);
}

// A joint transaction's marks and its decision: what comes before is in place when the word is, and nothing of what
// follows is done before it.
inline void publish_word(std::uint64_t& word, std::uint64_t value) noexcept {
    std::atomic_signal_fence(std::memory_order_seq_cst);
    __atomic_store_n(&word, value, __ATOMIC_RELEASE);
    std::atomic_signal_fence(std::memory_order_seq_cst);
}

// Commit, and the end of a roll-back: every word is in place before the log is emptied, the log is empty before the
// number is even again.
inline void finish_writing(std::uint64_t& log_count, std::uint64_t& sequence) noexcept {
    std::atomic_signal_fence(std::memory_order_seq_cst);
    __atomic_store_n(&log_count, std::uint64_t{0}, __ATOMIC_RELEASE);
    const std::uint64_t now = __atomic_load_n(&sequence, __ATOMIC_RELAXED);
    __atomic_store_n(&sequence, now + (now & 1), __ATOMIC_RELEASE);
    std::atomic_signal_fence(std::memory_order_seq_cst);
}

// Between the release of a domain's lock and a look at a word by which others say that they wait for the change. Where the
// release is a locked instruction it is the fence itself.
inline void fence_after_unlock() noexcept {
#if defined(__x86_64__) || defined(__i386__)
    std::atomic_signal_fence(std::memory_order_seq_cst);
#else
    std::atomic_thread_fence(std::memory_order_seq_cst);
#endif
}

}  // namespace muster::tx
