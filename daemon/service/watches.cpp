#include "service/watches.hpp"

#include <poll.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

namespace muster::service {

struct Watches::Watch : std::enable_shared_from_this<Watch> {
    Watch(boost::asio::io_context& context, int fd, std::function<void()> readable)
        : descriptor(context, fd), action(std::move(readable)) {}
    ~Watch() { descriptor.release(); }

    void wait() {
        descriptor.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                              [weak = weak_from_this()](const auto& error) {
                                  if (const auto held = weak.lock(); held && !error) held->look();
                              });
    }

    boost::asio::posix::stream_descriptor descriptor;
    std::function<void()> action;

  private:
    // The reactor may hand us the readiness of a descriptor that was removed in the same round, whose place
    // ours has taken. Only the kernel's word counts: a process must not be taken for dead by mistake.
    void look() {
        pollfd ready{descriptor.native_handle(), POLLIN, 0};
        if (::poll(&ready, 1, 0) > 0)
            action();
        else
            wait();
    }
};

Watches::Watches(boost::asio::io_context& context) : context_(context) {}
Watches::~Watches() = default;

void Watches::add(std::uint64_t token, int fd, std::function<void()> readable) {
    auto watch = std::make_shared<Watch>(context_, fd, std::move(readable));
    watch->wait();
    watches_.insert_or_assign(token, std::move(watch));
}

void Watches::remove(std::uint64_t token) noexcept { watches_.erase(token); }

}  // namespace muster::service
