// This process, its parent, and its children.

#include "process/state.hpp"

namespace muster {

using process::state;

std::vector<Process> active_children() {
    process::reap_ended();
    std::vector<Process> found;
    const std::scoped_lock hold(state().mutex);
    for (const auto& child : state().running) found.push_back(Process(child));
    return found;
}

Process& current_process() {
    static Process* handle = nullptr;  // guarded by State::mutex; lives for ever
    const std::scoped_lock hold(state().mutex);
    if (!handle) handle = new Process(state().current);
    if (handle->child_ != state().current) handle->child_ = state().current;  // after a fork
    return *handle;
}

ParentProcess::ParentProcess(std::shared_ptr<const detail::Parent> parent) noexcept
    : parent_(std::move(parent)) {}
std::string ParentProcess::name() const { return parent_->name; }
pid_t ParentProcess::pid() const noexcept { return parent_->pid; }
bool ParentProcess::is_alive() const {
    return !process::wait_ended(parent_->pidfd->get(), base::Deadline::now());
}
void ParentProcess::join() const { process::wait_ended(parent_->pidfd->get(), base::Deadline::never()); }
int ParentProcess::sentinel() const noexcept { return parent_->pidfd->get(); }

bool ParentProcess::join_within(std::chrono::nanoseconds timeout) const {
    return process::wait_ended(parent_->pidfd->get(), base::Deadline::after(timeout));
}

std::optional<ParentProcess> parent_process() {
    const std::scoped_lock hold(state().mutex);
    if (!state().parent) return std::nullopt;
    return ParentProcess(state().parent);
}

}  // namespace muster
