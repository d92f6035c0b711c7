#include "support/trace.hpp"

#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstring>

namespace muster::test {

std::string no_trace_here() {
#if !defined(__x86_64__)
    return "crash images are taken on x86-64 only";
#elif MUSTER_TSAN
    return "crash images are not taken under ThreadSanitizer, whose runtime does the stores";
#else
    const pid_t child = ::fork();
    if (child == 0) {
        if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) ::_exit(errno);
        ::raise(SIGSTOP);
        ::_exit(0);
    }
    int status = 0;
    if (child < 0 || ::waitpid(child, &status, 0) != child) return "fork: " + base::errno_text(errno);
    if (WIFEXITED(status)) return "ptrace: " + base::errno_text(WEXITSTATUS(status));
    const bool steps = ::ptrace(PTRACE_SINGLESTEP, child, nullptr, nullptr) == 0;
    const int error = errno;
    if (steps) ::waitpid(child, &status, 0);
    ::kill(child, SIGKILL);
    ::waitpid(child, &status, 0);
    return steps ? std::string() : "ptrace(SINGLESTEP): " + base::errno_text(error);
#endif
}

void run_and_exit(const Run& operation, Verdict& verdict, const Run& after) noexcept {
    int status = 1;
    try {
        operation();
        status = 0;
    } catch (const std::exception& error) {
        std::snprintf(verdict.error, sizeof verdict.error, "%s", error.what());
    } catch (const segment::Damage& damage) {
        std::snprintf(verdict.error, sizeof verdict.error, "damage: %s", damage.what);
    } catch (...) {
        std::snprintf(verdict.error, sizeof verdict.error, "an exception of another type");
    }
    if (after) after();
    ::_exit(status);
}

std::string error_of(int wait_status, const Verdict& verdict) {
    if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0) return {};
    if (WIFEXITED(wait_status)) return std::string("the operation threw: ") + verdict.error;
    return std::string("the operation died: ") + ::strsignal(WTERMSIG(wait_status));
}

}  // namespace muster::test
