// ASan with forks beside threads: part of each test program of preset asan.
//
// GCC 12's ASan takes none of its own locks before a fork, as malloc does: what another thread was in the middle of,
// an allocation or the start of a thread, stays locked in the child, which hangs at its first one. Here a fork waits
// until no thread is in there, and who comes later waits until it is over.
//
// Itself compiled without any sanitizer: it runs before these are ready. Its own test is identity's, "a child that is
// forked beside threads that allocate ...".
#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>

#include <atomic>
#include <cstddef>
#include <new>

namespace muster::test {
namespace {

std::atomic<int> inside{0};
std::atomic<bool> forking{false};
thread_local int depth = 0;       // of this thread: allocations within allocations
thread_local bool begun = false;  // until then its creator's start of it counts for what it allocates

void enter() noexcept {
    if (depth++ > 0 || !begun) return;
    for (;;) {
        ++inside;
        if (!forking) return;
        --inside;
        while (forking) ::sched_yield();
    }
}
void leave() noexcept {
    if (--depth == 0 && begun) --inside;
}

struct Inside {
    Inside() noexcept { enter(); }
    ~Inside() { leave(); }
};

void before_fork() {
    while (forking.exchange(true)) ::sched_yield();
    ++depth;  // what the fork itself allocates may pass
    while (inside > 0) ::sched_yield();
}
void in_parent() {
    --depth;
    forking = false;
}
void in_child() {
    inside = 0;
    in_parent();
}

// First of all: its handler then is the last before a fork, and the first after it.
[[gnu::constructor(101)]] void watch_forks() {
    begun = true;
    ::pthread_atfork(before_fork, in_parent, in_child);
}

// What would be called without this file: ASan's.
template <typename Fn>
Fn* asans(const char* name) noexcept {
    return reinterpret_cast<Fn*>(::dlsym(RTLD_NEXT, name));
}

struct Start {
    void* (*function)(void*);
    void* argument;
};

// The thread that is started is inside in its creator's place until it is on its way.
void* begin(void* start) {
    const Start what = *static_cast<Start*>(start);
    begun = true;
    --inside;
    delete static_cast<Start*>(start);
    return what.function(what.argument);
}

}  // namespace
}  // namespace muster::test

using muster::test::asans;
using muster::test::Inside;

extern "C" {

void* __interceptor_malloc(std::size_t);
void __interceptor_free(void*);
void* __interceptor_calloc(std::size_t, std::size_t);
void* __interceptor_realloc(void*, std::size_t);
int __interceptor_posix_memalign(void**, std::size_t, std::size_t);
void* __interceptor_aligned_alloc(std::size_t, std::size_t);
int __interceptor_pthread_create(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);

void* malloc(std::size_t size) noexcept {
    const Inside guard;
    return __interceptor_malloc(size);
}
void free(void* memory) noexcept {
    const Inside guard;
    __interceptor_free(memory);
}
void* calloc(std::size_t count, std::size_t size) noexcept {
    const Inside guard;
    return __interceptor_calloc(count, size);
}
void* realloc(void* memory, std::size_t size) noexcept {
    const Inside guard;
    return __interceptor_realloc(memory, size);
}
int posix_memalign(void** memory, std::size_t alignment, std::size_t size) noexcept {
    const Inside guard;
    return __interceptor_posix_memalign(memory, alignment, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
    const Inside guard;
    return __interceptor_aligned_alloc(alignment, size);
}

int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*function)(void*),
                   void* argument) noexcept {
    using muster::test::Start;
    auto* const start = new Start{function, argument};
    const Inside guard;
    ++muster::test::inside;
    const int failed = __interceptor_pthread_create(thread, attributes, muster::test::begin, start);
    if (failed != 0) {
        --muster::test::inside;
        delete start;
    }
    return failed;
}

}  // extern "C"

namespace muster::test {
namespace {

// ASan's operator of that name, which tells apart what new, new[] and malloc have allocated.
template <typename Fn>
class Operator {
  public:
    explicit Operator(const char* name) : call_(asans<Fn>(name)) {}
    template <typename... Args>
    auto operator()(Args... args) const {
        const Inside guard;
        return call_(args...);
    }

  private:
    Fn* call_;
};
using New = Operator<void*(std::size_t)>;
using NewOrNull = Operator<void*(std::size_t, const std::nothrow_t*)>;
using NewAligned = Operator<void*(std::size_t, std::align_val_t)>;
using Delete = Operator<void(void*)>;
using DeleteSized = Operator<void(void*, std::size_t)>;
using DeleteAligned = Operator<void(void*, std::align_val_t)>;
using DeleteSizedAligned = Operator<void(void*, std::size_t, std::align_val_t)>;

}  // namespace
}  // namespace muster::test

using muster::test::Delete;
using muster::test::DeleteAligned;
using muster::test::DeleteSized;
using muster::test::DeleteSizedAligned;
using muster::test::New;
using muster::test::NewAligned;
using muster::test::NewOrNull;

// Weak: a program may have its own (support/failing/failures.cpp), which call malloc and free.
__attribute__((weak)) void* operator new(std::size_t size) {
    static const New asan("_Znwm");
    return asan(size);
}
__attribute__((weak)) void* operator new[](std::size_t size) {
    static const New asan("_Znam");
    return asan(size);
}
__attribute__((weak)) void* operator new(std::size_t size, const std::nothrow_t& tag) noexcept {
    static const NewOrNull asan("_ZnwmRKSt9nothrow_t");
    return asan(size, &tag);
}
__attribute__((weak)) void* operator new[](std::size_t size, const std::nothrow_t& tag) noexcept {
    static const NewOrNull asan("_ZnamRKSt9nothrow_t");
    return asan(size, &tag);
}
__attribute__((weak)) void* operator new(std::size_t size, std::align_val_t alignment) {
    static const NewAligned asan("_ZnwmSt11align_val_t");
    return asan(size, alignment);
}
__attribute__((weak)) void* operator new[](std::size_t size, std::align_val_t alignment) {
    static const NewAligned asan("_ZnamSt11align_val_t");
    return asan(size, alignment);
}
__attribute__((weak)) void operator delete(void* memory) noexcept {
    static const Delete asan("_ZdlPv");
    asan(memory);
}
__attribute__((weak)) void operator delete[](void* memory) noexcept {
    static const Delete asan("_ZdaPv");
    asan(memory);
}
__attribute__((weak)) void operator delete(void* memory, std::size_t size) noexcept {
    static const DeleteSized asan("_ZdlPvm");
    asan(memory, size);
}
__attribute__((weak)) void operator delete[](void* memory, std::size_t size) noexcept {
    static const DeleteSized asan("_ZdaPvm");
    asan(memory, size);
}
__attribute__((weak)) void operator delete(void* memory, std::align_val_t alignment) noexcept {
    static const DeleteAligned asan("_ZdlPvSt11align_val_t");
    asan(memory, alignment);
}
__attribute__((weak)) void operator delete[](void* memory, std::align_val_t alignment) noexcept {
    static const DeleteAligned asan("_ZdaPvSt11align_val_t");
    asan(memory, alignment);
}
__attribute__((weak)) void operator delete(void* memory, std::size_t size, std::align_val_t alignment) noexcept {
    static const DeleteSizedAligned asan("_ZdlPvmSt11align_val_t");
    asan(memory, size, alignment);
}
__attribute__((weak)) void operator delete[](void* memory, std::size_t size, std::align_val_t alignment) noexcept {
    static const DeleteSizedAligned asan("_ZdaPvmSt11align_val_t");
    asan(memory, size, alignment);
}
