#include "support/failing/failures.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdlib>
#include <cstring>
#include <new>

namespace muster::test {
namespace {

struct Plan {
    std::atomic<int> left{0};  // steps until one fails; 0: no plan
    std::atomic<int> times{0};
    std::atomic<unsigned> steps{0};
    std::atomic<pid_t> pid{0}, thread{0};  // thread 0: any
    std::atomic<bool> fired{false};
    char step[32] = {};
};
std::atomic<Plan*> plan{nullptr};

Plan& shared_plan() {
    if (Plan* known = plan) return *known;
    void* const page = reinterpret_cast<void*>(
        ::syscall(SYS_mmap, nullptr, sizeof(Plan), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    if (page == MAP_FAILED) std::abort();
    plan = new (page) Plan;
    return *plan;
}

bool fails(Step which, const char* name) noexcept {
    Plan* const now = plan.load(std::memory_order_relaxed);
    if (now == nullptr || now->left <= 0 || (now->steps & which) == 0 || now->pid != ::getpid()) return false;
    if (const pid_t thread = now->thread; thread != 0 && thread != static_cast<pid_t>(::syscall(SYS_gettid))) return false;
    if (now->left > 1) {
        --now->left;
        return false;
    }
    if (!now->fired) std::strncpy(now->step, name, sizeof now->step - 1);
    now->fired = true;
    if (--now->times <= 0) now->left = 0;
    return true;
}

// From the start, so that a process that is forked before the first plan shares it, too.
[[maybe_unused]] const Plan& made = shared_plan();

template <typename Fn>
[[maybe_unused]] Fn* next(const char* name) noexcept {
    return reinterpret_cast<Fn*>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

FailNth::FailNth(int nth, Failing what) {
    Plan& fresh = shared_plan();
    fresh.left = 0;
    fresh.fired = false;
    std::memset(fresh.step, 0, sizeof fresh.step);
    fresh.steps = what.steps;
    fresh.times = what.times;
    fresh.pid = what.pid != 0 ? what.pid : ::getpid();
    fresh.thread = what.pid != 0 || what.any_thread ? 0 : static_cast<pid_t>(::syscall(SYS_gettid));
    fresh.left = nth;
}

void FailNth::end() noexcept { shared_plan().left = 0; }
bool FailNth::fired() const noexcept { return shared_plan().fired; }
std::string FailNth::step() const { return shared_plan().step; }

}  // namespace muster::test

using muster::test::fails;

// --- memory ---

void* operator new(std::size_t size) {
    if (fails(muster::test::allocation, "operator new")) throw std::bad_alloc();
    if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
    throw std::bad_alloc();
}
// As the default one: a sanitizer's own would not know of the delete below.
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    try {
        return ::operator new(size);
    } catch (const std::bad_alloc&) {
        return nullptr;
    }
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

// --- the C library; ThreadSanitizer has to see these itself ---

#ifndef __SANITIZE_THREAD__
extern "C" {

int fallocate(int fd, int mode, off_t offset, off_t length) {
    if ((mode & FALLOC_FL_PUNCH_HOLE) == 0 && fails(muster::test::reservation, "fallocate")) {
        errno = ENOSPC;
        return -1;
    }
    return static_cast<int>(::syscall(SYS_fallocate, fd, mode, offset, length));
}
int ftruncate(int fd, off_t length) noexcept {
    if (fails(muster::test::reservation, "ftruncate")) {
        errno = ENOSPC;
        return -1;
    }
    return static_cast<int>(::syscall(SYS_ftruncate, fd, length));
}
void* mmap(void* at, std::size_t length, int protection, int flags, int fd, off_t offset) noexcept {
    if (fails(muster::test::mapping, "mmap")) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    return reinterpret_cast<void*>(::syscall(SYS_mmap, at, length, protection, flags, fd, offset));
}

int memfd_create(const char* name, unsigned flags) noexcept {
    if (fails(muster::test::descriptor, "memfd_create")) {
        errno = EMFILE;
        return -1;
    }
    return static_cast<int>(::syscall(SYS_memfd_create, name, flags));
}
int socket(int domain, int type, int protocol) noexcept {
    if (fails(muster::test::descriptor, "socket")) {
        errno = EMFILE;
        return -1;
    }
    return static_cast<int>(::syscall(SYS_socket, domain, type, protocol));
}
int eventfd(unsigned value, int flags) noexcept {
    if (fails(muster::test::descriptor, "eventfd")) {
        errno = EMFILE;
        return -1;
    }
    return static_cast<int>(::syscall(SYS_eventfd2, value, flags));
}
int pipe2(int* ends, int flags) noexcept {
    if (fails(muster::test::descriptor, "pipe2")) {
        errno = EMFILE;
        return -1;
    }
    return static_cast<int>(::syscall(SYS_pipe2, ends, flags));
}
int open(const char* path, int flags, ...) {
    mode_t mode = 0;
    if ((flags & (O_CREAT | __O_TMPFILE)) != 0) {
        va_list arguments;
        va_start(arguments, flags);
        mode = va_arg(arguments, mode_t);
        va_end(arguments);
    }
    if (fails(muster::test::descriptor, "open")) {
        errno = EMFILE;
        return -1;
    }
    return static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path, flags, mode));
}

int connect(int fd, const sockaddr* address, socklen_t size) {
    if (fails(muster::test::sending, "connect")) {
        errno = ENOBUFS;
        return -1;
    }
    return static_cast<int>(::syscall(SYS_connect, fd, address, size));
}
ssize_t send(int fd, const void* bytes, std::size_t size, int flags) {
    if (fails(muster::test::sending, "send")) {
        errno = ENOBUFS;
        return -1;
    }
    return ::syscall(SYS_sendto, fd, bytes, size, flags, nullptr, 0);
}
ssize_t sendmsg(int fd, const msghdr* message, int flags) {
    if (fails(muster::test::sending, "sendmsg")) {
        errno = ENOBUFS;
        return -1;
    }
    return ::syscall(SYS_sendmsg, fd, message, flags);
}
ssize_t recv(int fd, void* bytes, std::size_t size, int flags) {
    if (fails(muster::test::receiving, "recv")) {
        errno = ENOMEM;
        return -1;
    }
    return ::syscall(SYS_recvfrom, fd, bytes, size, flags, nullptr, nullptr);
}
ssize_t recvmsg(int fd, msghdr* message, int flags) {
    if (fails(muster::test::receiving, "recvmsg")) {
        errno = ENOMEM;
        return -1;
    }
    return ::syscall(SYS_recvmsg, fd, message, flags);
}

pid_t fork() noexcept {
    static auto* const real = muster::test::next<pid_t()>("fork");
    if (fails(muster::test::process, "fork")) {
        errno = EAGAIN;
        return -1;
    }
    return real();
}
#ifndef __SANITIZE_ADDRESS__
int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*run)(void*), void* argument) noexcept {
    static auto* const real =
        muster::test::next<int(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*)>("pthread_create");
    if (fails(muster::test::process, "pthread_create")) return EAGAIN;
    return real(thread, attributes, run, argument);
}
#endif

}  // extern "C"
#endif
