#include "process/state.hpp"

#include <pthread.h>

#include <algorithm>

namespace muster::process {
namespace {

State* the_state = nullptr;
Announcer* announcer_at_fork = nullptr;  // guarded by State::mutex, which the forking thread holds

void before_fork() {
    State& s = *the_state;
    s.mutex.lock();
    Announcer* const announcer = s.announcer;
    s.mutex.unlock();
    if (announcer) announcer->before_fork();  // its locks first: it may be in a call, which takes a moment
    s.mutex.lock();
    announcer_at_fork = announcer;
}

void after_fork_in_parent() {
    Announcer* const announcer = announcer_at_fork;
    the_state->mutex.unlock();
    if (announcer) announcer->after_fork_in_parent();
}

void after_fork_in_child() {
    State& s = *the_state;
    Announcer* const announcer = announcer_at_fork;
    s.running.clear();
    s.self.reset();
    s.parent.reset();  // a fork that is not ours tells us nothing of its parent; ours does so afterwards
    s.mutex.unlock();
    if (announcer) announcer->after_fork_in_child();
}

State* make_state() {
    the_state = new State;
    the_state->current = std::make_shared<detail::Child>(::getpid(), std::vector<unsigned>{});
    the_state->current->phase = detail::Phase::self;
    the_state->current->name = "MainProcess";
    MUSTER_CHECK(::pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child) == 0);
    return the_state;
}

std::string default_name(const std::vector<unsigned>& identity) {
    std::string name = "Process";
    char separator = '-';
    for (const unsigned number : identity) {
        name += separator + std::to_string(number);
        separator = ':';
    }
    return name;
}

}  // namespace

State& state() {
    static State* const made = make_state();
    return *made;
}

ChildPtr make_child(ProcessOptions options) {
    State& s = state();
    const std::scoped_lock hold(s.mutex);
    std::vector<unsigned> identity = s.current->identity;
    identity.push_back(++s.children_made);
    auto child = std::make_shared<detail::Child>(::getpid(), std::move(identity));
    child->name = options.name.empty() ? default_name(child->identity) : std::move(options.name);
    child->daemon = options.daemon.value_or(s.current->daemon);
    return child;
}

Announcer* set_announcer(Announcer* announcer) {
    State& s = state();
    Announcer* before = nullptr;
    std::vector<std::pair<pid_t, std::string>> alive;
    {
        const std::scoped_lock hold(s.mutex);
        before = std::exchange(s.announcer, announcer);
        for (const ChildPtr& child : s.running) alive.emplace_back(child->pid, child->name);
    }
    if (announcer)
        for (const auto& [pid, name] : alive) announcer->started(pid, name);
    return before;
}

}  // namespace muster::process
