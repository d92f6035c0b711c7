#include "tx/robust_mutex.hpp"

#include <linux/futex.h>

namespace muster::tx {

Acquired RobustMutex::translate(int result) noexcept {
    switch (result) {
        case 0: return Acquired::yes;
        case EOWNERDEAD: return Acquired::owner_died;
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

Acquired RobustMutex::lock_until(base::Deadline deadline) noexcept {
    if (deadline.is_never()) return lock();
    // Also for `now`: glibc's trylock keeps a mutex that it finds not recoverable, and whoever comes next hangs.
    const timespec until = deadline.as_timespec();
    return translate(pthread_mutex_clocklock(&mutex_, CLOCK_MONOTONIC, &until));
}

void RobustMutex::mark_consistent() noexcept { MUSTER_CHECK(pthread_mutex_consistent(&mutex_) == 0); }

pid_t RobustMutex::owner() const noexcept {
    return static_cast<pid_t>(__atomic_load_n(&mutex_.__data.__lock, __ATOMIC_RELAXED) & FUTEX_TID_MASK);
}

bool RobustMutex::owner_died() const noexcept {
    return (__atomic_load_n(&mutex_.__data.__lock, __ATOMIC_RELAXED) & FUTEX_OWNER_DIED) != 0;
}

}  // namespace muster::tx
