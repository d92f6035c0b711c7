#include <muster/process.hpp>

#include <signal.h>

#include "process/pidfd.hpp"
#include "process/state.hpp"

namespace muster {
namespace {

using base::Deadline;
using detail::Child;
using detail::Phase;
using process::state;

[[noreturn]] void fail(Errc code, const char* operation, const std::string& name, const char* detail) {
    throw Error(code, operation, "process '" + name + "'", detail);
}

// The record behind a handle; a handle that was moved from has none.
Child& open_record(const std::shared_ptr<Child>& child, const char* operation) {
    if (!child) throw Error(Errc::invalid_argument, operation, "process", "the handle was moved from");
    return *child;
}

// With State::mutex held, as the next two.
void check_open(const Child& child, const char* operation) {
    if (child.phase == Phase::closed) fail(Errc::closed, operation, child.name, "close() was called");
}

void check_started(const Child& child, const char* operation) {
    check_open(child, operation);
    if (child.phase == Phase::fresh || child.phase == Phase::starting)
        fail(Errc::not_running, operation, child.name, "start() comes first");
}

void check_parent(const Child& child, const char* operation) {
    if (child.phase == Phase::self)
        fail(Errc::invalid_argument, operation, child.name, "a process cannot wait for itself");
    if (child.creator != ::getpid())
        fail(Errc::invalid_argument, operation, child.name, "only the process that started it may ask");
}

}  // namespace

Process::Process(Options options) : child_(process::make_child(std::move(options))) {}
Process::Process(std::shared_ptr<Child> child) noexcept : child_(std::move(child)) {}
Process::Process(Process&&) noexcept = default;
Process& Process::operator=(Process&&) noexcept = default;
Process::~Process() = default;

int Process::run() { return target_ ? target_->call() : 0; }

Process& Process::start() {
    open_record(child_, "start");
    process::launch(*this, child_);
    return *this;
}

void Process::join() { static_cast<void>(join_within(std::chrono::nanoseconds::max())); }

bool Process::join_within(std::chrono::nanoseconds timeout) {
    const Child& child = open_record(child_, "join");
    {
        const std::scoped_lock hold(state().mutex);
        check_started(child, "join");
        check_parent(child, "join");
    }
    return process::join(child_, Deadline::after(timeout));
}

bool Process::is_alive() const {
    const Child& child = open_record(child_, "is_alive");
    {
        const std::scoped_lock hold(state().mutex);
        check_open(child, "is_alive");
        if (child.phase == Phase::self) return true;
        check_parent(child, "is_alive");
        if (child.phase != Phase::running) return false;
    }
    return !process::reap(child_);
}

void Process::terminate() { signal(SIGTERM); }
void Process::kill() { signal(SIGKILL); }

void Process::signal(int number) {
    const Child& child = open_record(child_, "signal");
    const std::scoped_lock hold(state().mutex);
    check_started(child, "signal");
    if (child.phase == Phase::ended) return;
    const int result = child.phase == Phase::self
                           ? ::kill(::getpid(), number)
                           : ::pidfd_send_signal(child.pidfd->get(), number, nullptr, 0);
    if (result != 0 && errno != ESRCH)
        base::throw_errno(errno, "signal", "process '" + child.name + "'", "pidfd_send_signal");
}

std::optional<int> Process::exitcode() const {
    const Child& child = open_record(child_, "exitcode");
    {
        const std::scoped_lock hold(state().mutex);
        check_open(child, "exitcode");
        if (child.phase == Phase::self || child.phase == Phase::fresh || child.phase == Phase::starting)
            return std::nullopt;
        if (child.phase == Phase::running) check_parent(child, "exitcode");
    }
    if (!process::reap(child_)) return std::nullopt;
    if (child.ending.signal) return -*child.ending.signal;
    return child.ending.exit_code;
}

std::string Process::name() const {
    const Child& child = open_record(child_, "name");
    const std::scoped_lock hold(state().mutex);
    return child.name;
}

void Process::name(std::string name) {
    Child& child = open_record(child_, "name");
    const std::scoped_lock hold(state().mutex);
    child.name = std::move(name);
}

std::optional<pid_t> Process::pid() const {
    const Child& child = open_record(child_, "pid");
    const std::scoped_lock hold(state().mutex);
    check_open(child, "pid");
    if (child.phase == Phase::self) return ::getpid();
    return child.pid != 0 ? std::optional(child.pid) : std::nullopt;
}

bool Process::daemon() const {
    const Child& child = open_record(child_, "daemon");
    const std::scoped_lock hold(state().mutex);
    return child.daemon;
}

void Process::daemon(bool daemon) {
    Child& child = open_record(child_, "daemon");
    const std::scoped_lock hold(state().mutex);
    check_open(child, "daemon");
    if (child.phase != Phase::fresh)
        fail(Errc::already_running, "daemon", child.name, "it is fixed once the process has started");
    child.daemon = daemon;
}

int Process::sentinel() const {
    const Child& child = open_record(child_, "sentinel");
    const std::scoped_lock hold(state().mutex);
    check_started(child, "sentinel");
    if (child.phase == Phase::self)
        fail(Errc::invalid_argument, "sentinel", child.name, "it is this process");
    return child.pidfd->get();
}

void Process::close() {
    Child& child = open_record(child_, "close");
    if (child.creator == ::getpid()) process::reap(child_);
    const std::scoped_lock hold(state().mutex);
    if (child.phase == Phase::self || child.phase == Phase::starting ||
        (child.phase == Phase::running && child.creator == ::getpid()))
        fail(Errc::invalid_argument, "close", child.name, "it still runs: join() or terminate() it first");
    child.phase = Phase::closed;
    child.pidfd.reset();
    target_.reset();
}

}  // namespace muster
