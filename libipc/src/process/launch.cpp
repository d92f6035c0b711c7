// From start() to the end of the child.

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio_ext.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>

#include "process/pidfd.hpp"
#include "process/state.hpp"

namespace muster::process {
namespace {

using namespace std::chrono_literals;
using detail::Phase;

constexpr auto orphan_grace = std::chrono::nanoseconds(5s);  // as long as end_children gives a daemon child

void flush_standard_streams() noexcept {
    try {
        std::cout.flush();
        std::cerr.flush();
        std::clog.flush();
    } catch (...) {  // a stream whose user asked for exceptions: it is not our output that was lost
    }
    std::fflush(stdout);
    std::fflush(stderr);
}

// From before the fork until the child knows what it is: a handler of the parent's must not run in a
// half-made child.
class BlockedSignals {
  public:
    BlockedSignals() noexcept {
        sigset_t all;
        ::sigfillset(&all);
        ::pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    BlockedSignals(const BlockedSignals&) = delete;
    BlockedSignals& operator=(const BlockedSignals&) = delete;
    ~BlockedSignals() { unblock(); }
    void unblock() noexcept { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

  private:
    sigset_t before_;
};

// --- in the child
// ---------------------------------------------------------------------------------------------------

// The parent opens the gate when it holds our pidfd and has announced us. Its death closes it for ever.
void pass_gate(int gate, int parent) noexcept {
    for (;;) {
        pollfd watched[] = {{gate, POLLIN, 0}, {parent, POLLIN, 0}};
        if (::poll(watched, 2, -1) < 0) continue;
        if (watched[0].revents) return;
        if (watched[1].revents) ::_exit(EXIT_FAILURE);
    }
}

// Input belongs to the parent: what it has buffered, and what is still to come.
void give_up_stdin() noexcept {
    int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null < 0) {  // no descriptor is left: this one's will do
        ::close(STDIN_FILENO);
        null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    }
    ::__fpurge(stdin);
    if (null < 0) return;
    if (null == STDIN_FILENO) {
        ::fcntl(null, F_SETFD, 0);
        return;
    }
    ::dup2(null, STDIN_FILENO);
    ::close(null);
}

void* end_with_parent(void*) {
    SharedFd parent;
    {
        const std::scoped_lock hold(state().mutex);
        if (state().parent) parent = state().parent->pidfd;
    }
    if (!parent) return nullptr;
    wait_ended(parent->get(), base::Deadline::never());
    ::kill(::getpid(), SIGTERM);
    const timespec grace{std::chrono::duration_cast<std::chrono::seconds>(orphan_grace).count(), 0};
    ::nanosleep(&grace, nullptr);
    ::kill(::getpid(), SIGKILL);
    return nullptr;
}

// PR_SET_PDEATHSIG would do without a thread, but it fires when the *thread* ends that forked. Signals are
// blocked.
void start_parent_watch(int parent) noexcept {
    pthread_t thread;  // inherits the blocked signals: they are for the program's own threads
    const int error = ::pthread_create(&thread, nullptr, end_with_parent, nullptr);
    if (error == 0) {
        ::pthread_detach(thread);
        return;
    }
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);  // no thread to be had: better this than nothing
    if (wait_ended(parent, base::Deadline::now())) ::kill(::getpid(), SIGTERM);
}

void report_uncaught(const detail::Child& child, const char* what) noexcept {
    flush_standard_streams();
    std::fprintf(stderr, "Process %s: %s\n", child.name.c_str(), what);
}

// Not unwound beyond: the frames above belong to the parent.
[[noreturn]] void live(Process& process, const ChildPtr& child, base::UniqueFd gate,
                       std::shared_ptr<const detail::Parent> parent, BlockedSignals& signals) noexcept {
    pass_gate(gate.get(), parent->pidfd->get());
    gate.reset();
    State& s = state();
    bool daemon = false;
    {
        const std::scoped_lock hold(s.mutex);
        child->phase = Phase::self;
        child->pid = ::getpid();
        s.current = child;
        s.children_made = 0;
        s.parent = parent;
        daemon = child->daemon;
    }
    give_up_stdin();
    if (daemon) start_parent_watch(parent->pidfd->get());
    signals.unblock();
    int code = EXIT_FAILURE;
    try {
        code = process.run();
    } catch (const std::exception& error) {
        report_uncaught(*child, error.what());
    } catch (...) {
        report_uncaught(*child, "an exception that is not a std::exception");
    }
    end_children();
    flush_standard_streams();
    ::_exit(code);
}

// --- in the parent
// --------------------------------------------------------------------------------------------------

[[noreturn]] void fail(const detail::Child& child, const char* call) {
    const int error = errno;
    throw Error(Errc::start_failed, "start", "process '" + child.name + "'",
                std::string(call) + ": " + base::errno_text(error));
}

void claim(const detail::Child& child, Phase& phase) {
    const std::string subject = "process '" + child.name + "'";
    if (child.creator != ::getpid() && phase != Phase::self)
        throw Error(Errc::invalid_argument, "start", subject, "it was made by another process");
    if (phase == Phase::closed) throw Error(Errc::closed, "start", subject);
    if (phase != Phase::fresh) throw Error(Errc::already_running, "start", subject, "a process starts once");
    if (state().current->daemon)
        throw Error(Errc::invalid_argument, "start", subject, "a daemon process may not have children");
    phase = Phase::starting;
}

SharedFd own_pidfd(const detail::Child& child) {
    State& s = state();
    const std::scoped_lock hold(s.mutex);
    if (!s.self) {
        base::UniqueFd opened(::pidfd_open(::getpid(), 0));
        if (!opened) fail(child, "pidfd_open");
        s.self = std::make_shared<const base::UniqueFd>(std::move(opened));
    }
    return s.self;
}

// A child that waits at its gate: nobody else knows it, so nobody else reaps it. Unless it was let through, it is ended
// here: whatever fails between the fork and the gate leaves no child behind.
class AtGate {
  public:
    explicit AtGate(pid_t pid) noexcept : pid_(pid) {}
    AtGate(const AtGate&) = delete;
    AtGate& operator=(const AtGate&) = delete;
    ~AtGate() {
        if (pid_ == 0) return;
        const int error = errno;
        ::kill(pid_, SIGKILL);
        base::retry_interrupted([&] { return ::waitpid(pid_, nullptr, 0); });
        errno = error;
    }
    void let_through(int gate) noexcept {
        pid_ = 0;
        base::retry_interrupted([&] { return ::eventfd_write(gate, 1); });
    }

  private:
    pid_t pid_;
};

void fork_child(Process& process, const ChildPtr& child) {
    State& s = state();
    auto parent = std::make_shared<detail::Parent>();
    parent->pid = ::getpid();
    parent->pidfd = own_pidfd(*child);
    {
        const std::scoped_lock hold(s.mutex);
        parent->name = s.current->name;
        if (!std::exchange(s.ends_children_at_exit, true)) std::atexit(end_children);
    }
    const auto pidfd = std::make_shared<base::UniqueFd>();
    const std::string name = child->name;
    base::UniqueFd gate(::eventfd(0, EFD_CLOEXEC));
    if (!gate) fail(*child, "eventfd");

    flush_standard_streams();
    BlockedSignals signals;
    const pid_t pid = ::fork();
    if (pid < 0) fail(*child, "fork");
    if (pid == 0) live(process, child, std::move(gate), std::move(parent), signals);
    signals.unblock();

    AtGate waiting(pid);
    pidfd->reset(::pidfd_open(pid, 0));
    if (!*pidfd) fail(*child, "pidfd_open");
    Announcer* announcer = nullptr;
    {
        const std::scoped_lock hold(s.mutex);
        s.running.push_back(child);
        child->pid = pid;
        child->pidfd = pidfd;
        child->phase = Phase::running;
        announcer = s.announcer;
    }
    if (announcer) announcer->started(pid, name);
    waiting.let_through(gate.get());
}

}  // namespace

void launch(Process& process, const ChildPtr& child) {
    State& s = state();
    {
        const std::scoped_lock hold(s.mutex);
        claim(*child, child->phase);
    }
    try {
        reap_ended();
        fork_child(process, child);
    } catch (...) {
        const std::scoped_lock hold(s.mutex);
        if (child->phase == Phase::starting) child->phase = Phase::fresh;  // it may be tried again
        throw;
    }
}

}  // namespace muster::process
