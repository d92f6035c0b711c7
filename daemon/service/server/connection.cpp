#include "service/server/connection.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cstring>

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <nlohmann/json.hpp>

namespace muster::service {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr std::size_t low_water = max_output / 4;
constexpr std::chrono::seconds farewell{2};  // for a client to read its last reply

auto token(error_code& error) { return asio::redirect_error(asio::use_awaitable, error); }

}  // namespace

Connection::Connection(Socket socket, std::shared_ptr<const Peer> peer, const Dispatcher& dispatcher,
                       std::optional<CallError> refusal)
    : socket_(std::move(socket)),
      peer_(std::move(peer)),
      dispatcher_(dispatcher),
      refusal_(std::move(refusal)),
      wake_(socket_.get_executor(), asio::steady_timer::time_point::max()) {}

asio::awaitable<void> Connection::run() {
    const auto self = shared_from_this();
    try {
        co_await serve();
    } catch (const std::exception&) {  // no memory for this client's message: its connection ends, nothing else
    }
    close();
}

asio::awaitable<void> Connection::serve() {
    std::optional<CallError> last_word;
    try {
        while (!closed_) {
            if (auto message = parser_.next()) {
                if (refusal_) throw CallError(*refusal_);
                co_await handle(std::move(*message));
                co_await flush(low_water);  // a client that asks and does not read is not served further
                if (parser_.pending() > 0) co_await let_others();
            } else if (!co_await read_some()) {
                if (parser_.pending() > 0) throw ProtocolError("the message was cut off before its NUL");
                break;
            }
        }
    } catch (const ProtocolError& error) {
        last_word = CallError("io.muster.service.ProtocolError", {{"reason", error.what()}});
    } catch (const CallError& error) {
        last_word = error;
    }
    if (last_word) Call({}, peer_, weak_from_this()).fail(last_word->name(), last_word->parameters());
    wake_.expires_after(farewell);
    co_await flush(0);
}

asio::awaitable<bool> Connection::read_some() {
    static std::array<char, 64 * 1024> chunk;  // one for all: a silent connection costs no buffer
    for (bool waited = false;; waited = true) {
        const std::size_t room = std::min(chunk.size(), parser_.room());
        const auto size = base::retry_interrupted(
            [&] { return ::recv(socket_.native_handle(), chunk.data(), room, MSG_DONTWAIT); });
        if (size > 0) {
            parser_.feed({chunk.data(), static_cast<std::size_t>(size)});
            if (!waited) co_await let_others();
            co_return true;
        }
        if (size == 0 || (errno != EAGAIN && errno != EWOULDBLOCK)) co_return false;
        error_code error;
        co_await socket_.async_wait(Socket::wait_read, token(error));
        if (error || closed_) co_return false;
    }
}

asio::awaitable<void> Connection::handle(Message message) {
    const bool oneway = message.oneway;
    auto call = std::make_shared<Call>(std::move(message), peer_, weak_from_this());
    const std::weak_ptr<Call> pending = call;
    if (!oneway) current_ = pending;
    dispatcher_.dispatch(call);
    call.reset();  // whoever answers it later holds it; if nobody does, it fails now
    if (oneway) co_return;
    const auto unfinished = [&] {
        const auto held = pending.lock();
        return held && !held->finished();
    };
    if (unfinished()) watch_hang_up();
    while (!closed_ && unfinished()) co_await sleep();
    current_.reset();
}

// A client that sends without a pause gets one turn like everybody else.
asio::awaitable<void> Connection::let_others() {
    co_await asio::post(socket_.get_executor(), asio::use_awaitable);
}

asio::awaitable<void> Connection::sleep() {
    error_code ignored;
    co_await wake_.async_wait(token(ignored));
}

asio::awaitable<void> Connection::flush(std::size_t down_to) {
    while (!closed_ && output_bytes_ > down_to) {
        if (wake_.expiry() <= asio::steady_timer::clock_type::now()) co_return;
        co_await sleep();
    }
}

void Connection::wake_up() noexcept {
    try {
        wake_.cancel();
    } catch (...) {  // cancel() of a timer does not fail on Linux
    }
}

// While a call is being worked on nothing is read; a client that goes away is noticed by the hang-up.
void Connection::watch_hang_up() {
    if (watching_) return;
    watching_ = true;
    socket_.async_wait(Socket::wait_error, [self = shared_from_this()](error_code error) {
        self->watching_ = false;
        if (error || self->closed_ || self->current_.expired()) return;
        // A wake-up may have been meant for a descriptor closed in the same round (see Watches).
        pollfd state{self->socket_.native_handle(), 0, 0};
        if (::poll(&state, 1, 0) > 0)
            self->close();
        else
            self->watch_hang_up();
    });
}

void Connection::close() noexcept {
    if (closed_) return;
    closed_ = true;
    error_code ignored;
    socket_.close(ignored);
    output_.clear();
    output_bytes_ = 0;
    if (const auto call = current_.lock()) call->abandon();
    wake_up();
}

void Connection::send(std::string frame, base::UniqueFd fd, bool last) {
    if (closed_) return;
    if (!frame.empty()) {
        if (output_bytes_ > max_output) return close();  // it never reads
        frame += '\0';
        output_bytes_ += frame.size();
        output_.push_back(Frame{std::move(frame), 0, std::move(fd)});
        if (!writing_) write_out();
    }
    if (last) wake_up();
}

void Connection::write_out() {
    while (!output_.empty()) {
        if (!write_one(output_.front())) break;
        output_.pop_front();
    }
    if (closed_ || output_.empty()) return;
    writing_ = true;
    socket_.async_wait(Socket::wait_write, [self = shared_from_this()](error_code error) {
        self->writing_ = false;
        if (error || self->closed_) return;
        self->write_out();
        self->wake_up();
    });
}

bool Connection::write_one(Frame& frame) {
    while (frame.sent < frame.bytes.size()) {
        iovec part{frame.bytes.data() + frame.sent, frame.bytes.size() - frame.sent};
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
        if (frame.fd) {  // rides with the first byte
            message.msg_control = control.data();
            message.msg_controllen = control.size();
            cmsghdr* header = CMSG_FIRSTHDR(&message);
            header->cmsg_level = SOL_SOCKET;
            header->cmsg_type = SCM_RIGHTS;
            header->cmsg_len = CMSG_LEN(sizeof(int));
            const int fd = frame.fd.get();
            std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
        }
        const auto written = base::retry_interrupted(
            [&] { return ::sendmsg(socket_.native_handle(), &message, MSG_DONTWAIT | MSG_NOSIGNAL); });
        if (written < 0) {
            if (errno != EAGAIN && errno != EWOULDBLOCK) close();
            return false;
        }
        frame.fd.reset();
        frame.sent += static_cast<std::size_t>(written);
        output_bytes_ -= static_cast<std::size_t>(written);
    }
    return true;
}

}  // namespace muster::service
