#include "handles/descriptor_watch.hpp"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>

#include <csignal>
#include <system_error>

namespace muster::detail {
namespace {

constexpr auto longest_poll = std::chrono::nanoseconds(std::chrono::hours(1));  // of an endless poll

std::vector<pollfd> polled(const std::vector<int>& descriptors) {
    std::vector<pollfd> all;
    all.reserve(descriptors.size() + 1);
    for (const int descriptor : descriptors) all.push_back({descriptor, POLLIN, 0});
    return all;
}

}  // namespace

std::vector<bool> poll_readable(const std::vector<int>& descriptors, base::Deadline deadline) {
    std::vector<pollfd> all = polled(descriptors);
    std::vector<bool> readable(descriptors.size());
    for (;;) {
        const auto left = deadline.left(longest_poll).count();
        const timespec time{static_cast<time_t>(left / 1'000'000'000), static_cast<long>(left % 1'000'000'000)};
        const int ready = ::ppoll(all.data(), all.size(), &time, nullptr);
        if (ready < 0 && errno != EINTR) base::throw_errno(errno, "wait_any", "descriptors", "ppoll");
        if (ready <= 0 && !deadline.passed()) continue;
        for (std::size_t i = 0; ready > 0 && i < all.size(); ++i) readable[i] = all[i].revents != 0;
        return readable;
    }
}

DescriptorWatch::DescriptorWatch(std::vector<int> descriptors) noexcept : descriptors_(std::move(descriptors)) {
    stop_.reset(::eventfd(0, EFD_CLOEXEC));
    if (!stop_) return;
    sigset_t all, before;  // signals are for the program's own threads
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    try {
        thread_ = std::thread([this] { run(); });
    } catch (const std::exception&) {  // no thread to be had: the sleeper looks every few milliseconds
    }
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

DescriptorWatch::~DescriptorWatch() {
    if (!works()) return;
    base::retry_interrupted([&] { return ::eventfd_write(stop_.get(), 1); });
    thread_.join();
}

void DescriptorWatch::run() noexcept {
    try {
        std::vector<pollfd> all = polled(descriptors_);
        all.push_back({stop_.get(), POLLIN, 0});
        for (;;) {
            if (::ppoll(all.data(), all.size(), nullptr, nullptr) < 0) continue;
            if (all.back().revents != 0) return;
            __atomic_fetch_add(&word_, 1, __ATOMIC_RELEASE);
            base::futex_wake(&word_);
            // The sleeper looks, finds it readable and is done, or somebody else has read it. Not at full speed until then.
            pollfd stop{stop_.get(), POLLIN, 0};
            if (::poll(&stop, 1, 1) > 0) return;
        }
    } catch (const std::bad_alloc&) {  // as without a thread
        __atomic_fetch_add(&word_, 1, __ATOMIC_RELEASE);
        base::futex_wake(&word_);
    }
}

}  // namespace muster::detail
