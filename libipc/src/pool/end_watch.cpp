#include "pool/end_watch.hpp"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>

#include <csignal>
#include <system_error>
#include <utility>

namespace muster::pool {

std::thread start_thread(std::function<void()> run) {
    try {
        return std::thread(std::move(run));
    } catch (const std::system_error& error) {
        base::throw_errno(error.code().value(), "make", "pool", "pthread_create");
    }
}

EndWatch::EndWatch(std::function<void()> tell) : tell_(std::move(tell)), changed_(::eventfd(0, EFD_CLOEXEC)) {
    if (!changed_) base::throw_errno(errno, "make", "pool", "eventfd");
    thread_ = start_thread([this] { run(); });
}

EndWatch::~EndWatch() {
    {
        const std::scoped_lock hold(mutex_);
        stop_ = true;
    }
    wake();
    thread_.join();
}

void EndWatch::watch(std::vector<int> sentinels) {
    {
        const std::scoped_lock hold(mutex_);
        sentinels_ = std::move(sentinels);
    }
    wake();
}

void EndWatch::wake() noexcept {
    base::retry_interrupted([&] { return ::eventfd_write(changed_.get(), 1); });
}

// Waits for a call of watch(); false: no more of them.
bool EndWatch::next(std::vector<int>& sentinels) {
    eventfd_t count = 0;
    base::retry_interrupted([&] { return ::eventfd_read(changed_.get(), &count); });
    const std::scoped_lock hold(mutex_);
    sentinels = sentinels_;
    return !stop_;
}

void EndWatch::run() noexcept {
    sigset_t all;  // they are for the program's own threads
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, nullptr);
    std::vector<int> sentinels;
    std::vector<pollfd> polled;
    while (next(sentinels)) {
        polled.clear();
        for (const int sentinel : sentinels) polled.push_back({sentinel, POLLIN, 0});
        polled.push_back({changed_.get(), POLLIN, 0});
        while (::poll(polled.data(), polled.size(), -1) < 0) {
        }
        if (polled.back().revents != 0) continue;  // other ones
        told_.store(true, std::memory_order_release);
        tell_();
    }
}

}  // namespace muster::pool
