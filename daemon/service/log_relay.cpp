#include "service/log_relay.hpp"

#include <fcntl.h>

#include <array>

#include <spdlog/spdlog.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include "printable.hpp"
#include "service/supervisor/log_lines.hpp"

namespace muster::service {

struct LogRelay::Source {
    Source(boost::asio::io_context& context, int fd, const std::string& label)
        : pipe(context, fd), lines([label](std::string_view line) { spdlog::info("{}: {}", label, line); }) {}
    boost::asio::posix::stream_descriptor pipe;
    LogLines lines;
};

LogRelay::LogRelay(boost::asio::io_context& context) : context_(context) {}
LogRelay::~LogRelay() = default;

void LogRelay::add(base::UniqueFd pipe, std::string label) {
    const int flags = ::fcntl(pipe.get(), F_GETFL);
    if (flags < 0 ||
        ::fcntl(pipe.get(), F_SETFL, flags | O_NONBLOCK) < 0)  // our end only; the writer's is another
        base::throw_errno(errno, "relay", "log of " + label, "fcntl(O_NONBLOCK)");
    auto source = std::make_shared<Source>(context_, pipe.get(), printable(label));
    pipe.release();
    sources_.insert(source);
    wait(source);
}

void LogRelay::wait(const std::shared_ptr<Source>& source) {
    source->pipe.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                            [this, weak = std::weak_ptr(source)](const auto& error) {
                                if (const auto held = weak.lock(); held && !error) read(held);
                            });
}

// One piece a turn: a process that floods its log does not keep others waiting.
void LogRelay::read(const std::shared_ptr<Source>& source) {
    std::array<char, 16 * 1024> piece;
    const auto size = base::retry_interrupted(
        [&] { return ::read(source->pipe.native_handle(), piece.data(), piece.size()); });
    if (size > 0) {
        source->lines.feed({piece.data(), static_cast<std::size_t>(size)});
    } else if (size == 0 || errno != EAGAIN) {
        source->lines.end();
        sources_.erase(source);
        return;
    }
    wait(source);
}

}  // namespace muster::service
