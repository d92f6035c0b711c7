#include "tx/robust_mutex.hpp"

#include "base/spin.hpp"
#include "tx/patience.hpp"

#include <linux/futex.h>

namespace muster::tx {
namespace {

// How long a waiter trusts that it will be woken.
constexpr std::chrono::milliseconds lock_slice{100};

// Some 36 us, as long as a wake-up takes.
constexpr int spin_looks = 24;

int lock_for(pthread_mutex_t& mutex, std::chrono::nanoseconds wait) noexcept {
#if MUSTER_TSAN  // which knows this one, but not the one with a clock
    timespec until{};
    ::clock_gettime(CLOCK_REALTIME, &until);
    const std::int64_t ns = until.tv_nsec + wait.count();
    until.tv_sec += ns / 1'000'000'000;
    until.tv_nsec = ns % 1'000'000'000;
    return pthread_mutex_timedlock(&mutex, &until);
#else
    const timespec until = base::Deadline::after(wait).as_timespec();
    return pthread_mutex_clocklock(&mutex, CLOCK_MONOTONIC, &until);
#endif
}

}  // namespace

thread_local constinit const Patience* Patience::current_ = nullptr;

Acquired RobustMutex::translate(int result) noexcept {
    switch (result) {
        case 0: return Acquired::yes;
        case EOWNERDEAD: return Acquired::owner_died;
        case EBUSY:
        case ETIMEDOUT: return Acquired::timed_out;
        default: return Acquired::damaged;
    }
}

void RobustMutex::format() noexcept {
    pthread_mutexattr_t attributes;
    MUSTER_CHECK(pthread_mutexattr_init(&attributes) == 0);
    MUSTER_CHECK(pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) == 0);
    MUSTER_CHECK(pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST) == 0);
    MUSTER_CHECK(pthread_mutex_init(&mutex_, &attributes) == 0);
    pthread_mutexattr_destroy(&attributes);
    MUSTER_CHECK(sound());
}

// Changes are short: the owner has most often let go of it before a sleeper could have been woken, and to wake one costs the
// owner a system call. It takes 400 ns until the first look, and longer from one to the next, so that the owner does several
// changes in a row with all of the object in its own cache. Two processes that set keys of one dict get on three times as fast
// as when they go to sleep at once, and half again as fast as with looks that follow each other sooner.
Acquired RobustMutex::spin() noexcept {
    base::Backoff backoff(16, 64);
    for (int looks = 0; looks < spin_looks; ++looks) {
        backoff.pause();
        if (owner() != 0) continue;
        const Acquired acquired = translate(lock_if_free());
        if (acquired != Acquired::timed_out) return acquired;
    }
    return Acquired::timed_out;
}

// Why neither pthread_mutex_lock nor one long wait: a waiter that was woken and dies before it has the lock takes the
// wake with it, once somebody else was faster than it; the rest would sleep for ever on a lock that is free.
Acquired RobustMutex::lock_after(int result, base::Deadline deadline, Seen* seen, const std::uint64_t* turns) noexcept {
    using Clock = base::Deadline::Clock;
    Acquired acquired = translate(result);
    if (acquired != Acquired::timed_out) return acquired;
    deadline = Patience::limit(deadline);
    const auto turn = [turns] { return turns == nullptr ? 0 : __atomic_load_n(turns, __ATOMIC_RELAXED); };
    pid_t before = owner();
    std::uint64_t turn_before = turn();
    auto since = Clock::now(), now = since;
    if (!deadline.is_now() && base::several_cores()) acquired = spin();
    while (acquired == Acquired::timed_out && !deadline.passed()) {
        acquired = translate(lock_for(mutex_, deadline.left(lock_slice)));
        now = Clock::now();
        if (owner() == before && turn() == turn_before) continue;
        before = owner();
        turn_before = turn();
        since = now;
    }
    if (seen != nullptr) *seen = {before, now - since};
    return acquired;
}

bool RobustMutex::mark_consistent() noexcept { return pthread_mutex_consistent(&mutex_) == 0; }

pid_t RobustMutex::owner() const noexcept {
    return static_cast<pid_t>(__atomic_load_n(&mutex_.__data.__lock, __ATOMIC_RELAXED) & FUTEX_TID_MASK);
}

bool RobustMutex::owner_died() const noexcept {
    return (__atomic_load_n(&mutex_.__data.__lock, __ATOMIC_RELAXED) & FUTEX_OWNER_DIED) != 0;
}

}  // namespace muster::tx
