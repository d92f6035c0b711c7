#include "keeper/clone.hpp"

#include <linux/sched.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>

namespace muster::keeper {
namespace {

constexpr std::size_t stack_bytes = 64 * 1024;
constexpr std::size_t guard_bytes = 64 * 1024;

// The child's stack, with a hole below it. Mapped once and never unmapped; null, with errno, while there is no memory.
std::byte* child_stack() {
    static std::byte* stack = nullptr;
    if (stack != nullptr) return stack;
    void* const map = ::mmap(nullptr, guard_bytes + stack_bytes, PROT_NONE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED) return nullptr;
    std::byte* const base = static_cast<std::byte*>(map) + guard_bytes;
    if (::mprotect(base, stack_bytes, PROT_READ | PROT_WRITE) == 0) return stack = base;
    const int error = errno;
    ::munmap(map, guard_bytes + stack_bytes);
    errno = error;
    return nullptr;
}

// clone3 with a function to call in the child: libc has no such wrapper, and a C++ function cannot return from the
// system call on another stack than it was called on. Returns the pid, or a negative errno value.
long clone3_call([[maybe_unused]] clone_args* args, [[maybe_unused]] int (*function)(void*),
                 [[maybe_unused]] void* argument) {
#if defined(__x86_64__)
    register int (*function_register)(void*) asm("r8") = function;
    register void* argument_register asm("r9") = argument;
    long result;
    asm volatile(
        "syscall\n\t"
        "testq %%rax, %%rax\n\t"
        "jnz 1f\n\t"
        "xorl %%ebp, %%ebp\n\t"
        "movq %%r9, %%rdi\n\t"
        "callq *%%r8\n\t"
        "movl %%eax, %%edi\n\t"
        "movl %[exit], %%eax\n\t"
        "syscall\n\t"
        "hlt\n"
        "1:"
        : "=a"(result)
        : "0"(static_cast<long>(SYS_clone3)), "D"(args), "S"(sizeof *args), "r"(function_register),
          "r"(argument_register), [exit] "i"(SYS_exit)
        : "rcx", "r11", "memory", "cc");
    return result;
#elif defined(__aarch64__)
    register long x0 asm("x0") = reinterpret_cast<long>(args);
    register long x1 asm("x1") = sizeof *args;
    register long x8 asm("x8") = SYS_clone3;
    register int (*x9)(void*) asm("x9") = function;
    register void* x10 asm("x10") = argument;
    asm volatile(
        "svc #0\n\t"
        "cbnz x0, 1f\n\t"
        "mov x29, #0\n\t"
        "mov x0, x10\n\t"
        "blr x9\n\t"
        "mov x8, %[exit]\n\t"
        "svc #0\n\t"
        "brk #0\n"
        "1:"
        : "+r"(x0)
        : "r"(x1), "r"(x8), "r"(x9), "r"(x10), [exit] "i"(SYS_exit)
        : "memory", "cc");
    return x0;
#else
    return -ENOSYS;
#endif
}

}  // namespace

Cloned clone_vfork(CloneMethod method, int (*function)(void*), void* argument, int cgroup) {
    Cloned result;
    std::byte* const stack = child_stack();
    if (stack == nullptr) {
        result.error = errno;
        return result;
    }
    // Not one signal may be delivered to the child while it shares our memory, and none to us in between.
    sigset_t all, before;
    ::sigfillset(&all);
    ::sigprocmask(SIG_SETMASK, &all, &before);
    int pidfd = -1;
    long pid = -1;
    if (method == CloneMethod::clone3) {
        clone_args args{};
        args.flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD;
        args.pidfd = reinterpret_cast<std::uintptr_t>(&pidfd);
        args.exit_signal = SIGCHLD;
        args.stack = reinterpret_cast<std::uintptr_t>(stack);
        args.stack_size = stack_bytes;
        if (cgroup >= 0) {
            args.flags |= CLONE_INTO_CGROUP;
            args.cgroup = static_cast<std::uint64_t>(cgroup);
        }
        pid = clone3_call(&args, function, argument);
        if (pid < 0) result.error = static_cast<int>(-pid);
    } else {
        pid = ::clone(function, stack + stack_bytes, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, argument, &pidfd);
        if (pid < 0) result.error = errno;
    }
    ::sigprocmask(SIG_SETMASK, &before, nullptr);
    if (pid < 0) return result;
    result.pid = static_cast<pid_t>(pid);
    result.pidfd.reset(pidfd);
    // Kernels before 5.2 know no CLONE_PIDFD. The child cannot have been reaped: that is our job.
    if (!result.pidfd) result.pidfd.reset(static_cast<int>(::syscall(SYS_pidfd_open, result.pid, 0)));
    return result;
}

}  // namespace muster::keeper
