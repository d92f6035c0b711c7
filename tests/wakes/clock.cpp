#include "wakes/clock.hpp"

#include <dlfcn.h>

#include <atomic>
#include <ctime>
#include <new>

#include "support/child.hpp"

namespace muster::test {

struct ChildClock::Shared {
    std::atomic<std::int64_t> stands_at{0}, behind{0};  // nanoseconds; 0: it goes
};

namespace {

constexpr std::int64_t second = 1'000'000'000;

const ChildClock::Shared* worn = nullptr;  // by this process

int kernels(clockid_t clock, timespec* time) {
    using Function = int (*)(clockid_t, timespec*);
    static const auto next = reinterpret_cast<Function>(::dlsym(RTLD_NEXT, "clock_gettime"));
    return next(clock, time);
}
std::int64_t kernels_now() {
    timespec now{};
    kernels(CLOCK_MONOTONIC, &now);
    return now.tv_sec * second + now.tv_nsec;
}

}  // namespace

ChildClock::ChildClock() : shared_(new (map_shared(sizeof(Shared))) Shared) { (void)kernels_now(); }
ChildClock::~ChildClock() { unmap_shared(shared_, sizeof *shared_); }

void ChildClock::wear() { worn = shared_; }

void ChildClock::set() {
    shared_->behind.store(0);
    shared_->stands_at.store(0);
}

void ChildClock::stand_still() { shared_->stands_at.store(kernels_now() - shared_->behind.load()); }

void ChildClock::go_on() {
    const std::int64_t at = shared_->stands_at.load();
    shared_->behind.store(kernels_now() - at);
    shared_->stands_at.store(0);
}

std::chrono::nanoseconds ChildClock::behind() const { return std::chrono::nanoseconds(shared_->behind.load()); }

}  // namespace muster::test

extern "C" int clock_gettime(clockid_t clock, timespec* time) noexcept {
    using namespace muster::test;
    if (worn == nullptr || clock != CLOCK_MONOTONIC) return kernels(clock, time);
    const std::int64_t stands_at = worn->stands_at.load();
    const std::int64_t now = stands_at != 0 ? stands_at : kernels_now() - worn->behind.load();
    time->tv_sec = now / second;
    time->tv_nsec = now % second;
    return 0;
}
