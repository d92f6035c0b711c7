// Spinning: looking again and again before going to sleep, which pays where another core is about to change what is waited
// for. A wake-up takes 20 to 50 us, and a system call of who wakes.
#pragma once

#include <thread>

namespace muster::base {

// Another core could be at work on what is waited for. Found out by the first who asks.
inline bool several_cores() noexcept {
    static const bool several = std::thread::hardware_concurrency() > 1;
    return several;
}

// The processor's pause: some 25 ns, by its make 3 to 50.
inline void relax() noexcept {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

// The pauses between two looks, each twice as long as the one before it, up to a bound. A look takes the cache line from
// whoever works on it: who looks seldom leaves the other to do more in a row, and both get on faster.
class Backoff {
  public:
    constexpr Backoff(int first, int longest) noexcept : next_(first), longest_(longest) {}
    void pause() noexcept {
#pragma GCC unroll 8  // little but the pauses themselves
        for (int i = 0; i < next_; ++i) relax();
        paused_ += next_;
        if (next_ < longest_) next_ *= 2;
    }
    int paused() const noexcept { return paused_; }  // in all, in relax()es

  private:
    int next_, longest_;
    int paused_ = 0;
};

// Until `ready()`, for about 10 us. Not at all where nobody else can be at work.
template <typename Ready>
void spin_until(Ready&& ready) noexcept(noexcept(ready())) {
    if (!several_cores()) return;
    for (Backoff backoff(1, 32); backoff.paused() < 400 && !ready();) backoff.pause();
}

}  // namespace muster::base
