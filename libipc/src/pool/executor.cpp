#include <muster/executor.hpp>

#include "pool/process_core.hpp"

namespace muster {

Executor::~Executor() {
    try {
        if (core_) shutdown();
    } catch (const std::exception&) {  // in a forked child it is nobody's; in a callback nothing can be waited for
    }
}

void Executor::shutdown(bool wait, bool cancel_futures) {
    core_->close();
    if (cancel_futures) core_->cancel_queued();
    if (wait) core_->join();
}

ProcessExecutor::ProcessExecutor(const Manager& manager, PoolOptions options)
    : Executor(pool::make_process_core(manager, std::move(options))) {}
std::vector<pid_t> ProcessExecutor::pids() const { return static_cast<const pool::ProcessCore&>(*core_).pids(); }

ThreadExecutor::ThreadExecutor(ThreadPoolOptions options) : Executor(pool::make_thread_core(std::move(options))) {}

}  // namespace muster
