// The robust process-shared mutex of a domain. When its owner dies the kernel marks it, and the next to lock it is
// told. Everybody else only ever uses it through Domain.
#pragma once

#include <pthread.h>

#include "base/base.hpp"
#include "segment/bytes.hpp"

namespace muster::tx {

enum class Acquired { yes, owner_died, timed_out, damaged };

// What a waiter that gave up has seen: whose turn it was, and for how long at least without a break.
struct Seen {
    pid_t owner;  // as RobustMutex::owner()
    std::chrono::nanoseconds for_at_least;
};

class RobustMutex {
  public:
    void format() noexcept;  // on memory that nobody uses
    // Gets it however many of those before it died waiting for it: no wake-up is lost for longer than a moment (I9).
    // `seen` is filled when it times out; `turns` is a word that changes with the owners' work.
    [[nodiscard]] Acquired lock_until(base::Deadline deadline, Seen* seen = nullptr,
                                      const std::uint64_t* turns = nullptr) noexcept {
        const int result = lock_if_free();
        return __builtin_expect(result == 0, true) ? Acquired::yes : lock_after(result, deadline, seen, turns);
    }
    [[nodiscard]] Acquired lock() noexcept { return lock_until(base::Deadline::never()); }
    // After owner_died, when the data is whole again. False: the mutex was overwritten meanwhile; once unlocked nobody
    // gets it any more.
    [[nodiscard]] bool mark_consistent() noexcept;
    void unlock() noexcept { pthread_mutex_unlock(&mutex_); }
    // The thread id of the present owner as the kernel sees it in its own PID namespace, 0 when free. A hint.
    pid_t owner() const noexcept;
    bool owner_died() const noexcept;  // nobody has taken over yet
    // Does the memory look like a mutex that we formatted? Asked before a stranger's memory is locked.
    bool sound() const noexcept { return mutex_.__data.__kind == robust_shared_kind; }

  private:
    // glibc's kind word for a robust (16), process-shared (128), normal (0) mutex: part of its ABI, as static
    // initialisers are. format() checks that it still is.
    static constexpr int robust_shared_kind = 16 | 128;
    static Acquired translate(int result) noexcept;

    // Not pthread_mutex_trylock: finding the mutex not recoverable, glibc's keeps it locked, and the next one hangs.
    int lock_if_free() noexcept {
#if MUSTER_TSAN
        return pthread_mutex_trylock(&mutex_);  // the sanitizer knows what EOWNERDEAD means for this one
#else
        static constexpr timespec past{-1, 0};  // looks at the lock, and gives up without a system call
        return pthread_mutex_clocklock(&mutex_, CLOCK_MONOTONIC, &past);
#endif
    }
    // For a little while, where another core can be at work.
    Acquired spin() noexcept;
    Acquired lock_after(int result, base::Deadline deadline, Seen* seen, const std::uint64_t* turns) noexcept;

    pthread_mutex_t mutex_;
    static_assert(sizeof(pthread_mutex_t) <= 48);
    [[maybe_unused]] char reserved_[48 - sizeof(pthread_mutex_t)];
};
static_assert(sizeof(RobustMutex) == 48);

}  // namespace muster::tx
