#include "service/server/aside.hpp"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

namespace muster::service {

void Aside::run(std::function<void()> work, std::function<void()> done) {
    begin();
    {
        const std::lock_guard lock(mutex_);
        if (stopped_) return;
        tasks_.push_back({std::move(work), std::move(done)});
    }
    more_.notify_one();
}

void Aside::run_first(std::function<void()> work) {
    begin();
    {
        const std::lock_guard lock(mutex_);
        if (stopped_) return;
        tasks_.push_front({std::move(work), nullptr});
    }
    more_.notify_one();
}

void Aside::begin() {
    if (thread_.joinable()) return;
    sigset_t all, before;  // signals are for the service's own thread
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    try {
        thread_ = std::thread([this] { loop(); });
    } catch (...) {
        ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
        throw;
    }
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void Aside::loop() noexcept {
    // Where there is one processor for both, short calls go first. Linux gives each thread a niceness of its own.
    ::setpriority(PRIO_PROCESS, static_cast<id_t>(::syscall(SYS_gettid)), 10);
    std::unique_lock lock(mutex_);
    for (;;) {
        more_.wait(lock, [this] {
            return stopped_ || (!tasks_.empty() && (!undelivered_ || !tasks_.front().done));
        });
        if (stopped_) return;
        Task task = std::move(tasks_.front());
        tasks_.pop_front();
        undelivered_ = undelivered_ || task.done;
        lock.unlock();
        task.work();
        task.work = nullptr;  // with all that it held
        if (task.done)
            boost::asio::post(context_, [this, done = std::move(task.done)] {
                done();
                {
                    const std::lock_guard delivered(mutex_);
                    undelivered_ = false;
                }
                more_.notify_one();
            });
        lock.lock();
    }
}

void Aside::stop() noexcept {
    {
        const std::lock_guard lock(mutex_);
        stopped_ = true;
    }
    more_.notify_one();
    if (thread_.joinable()) thread_.join();
    tasks_.clear();
}

}  // namespace muster::service
