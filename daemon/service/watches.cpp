#include "service/watches.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

namespace muster::service {

struct Watches::Watch {
    Watch(boost::asio::io_context& context, int fd) : descriptor(context, fd) {}
    ~Watch() { descriptor.release(); }
    boost::asio::posix::stream_descriptor descriptor;
};

Watches::Watches(boost::asio::io_context& context) : context_(context) {}
Watches::~Watches() = default;

void Watches::add(std::uint64_t token, int fd, std::function<void()> readable) {
    auto watch = std::make_shared<Watch>(context_, fd);
    watch->descriptor.async_wait(
        boost::asio::posix::stream_descriptor::wait_read,
        [weak = std::weak_ptr(watch), action = std::move(readable)](const auto& error) {
            if (!error && !weak.expired()) action();
        });
    watches_.insert_or_assign(token, std::move(watch));
}

void Watches::remove(std::uint64_t token) noexcept { watches_.erase(token); }

}  // namespace muster::service
