#include "service/server/connection.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cstring>
#include <new>
#include <utility>

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
constexpr std::size_t read_here = 8 * 1024;   // bytes of a message that is read without keeping others waiting
constexpr std::size_t small_piece = 4 * 1024;  // bytes of a read
constexpr unsigned pieces_for_free = 4;        // of a message; then small ones are waited for, ever longer
constexpr std::chrono::milliseconds first_pause{1};
constexpr unsigned most_doublings = 6;
constexpr std::chrono::milliseconds shortest_rest{1};  // of one who sends call after call
constexpr std::size_t at_once = 128 * 1024;  // what the socket of a client that reads takes without waiting

// Adds how long it lives.
class Timed {
  public:
    explicit Timed(Pace::Clock::duration& to) noexcept : to_(to) {}
    Timed(const Timed&) = delete;
    Timed& operator=(const Timed&) = delete;
    ~Timed() { to_ += Pace::Clock::now() - begun_; }

  private:
    Pace::Clock::duration& to_;
    const Pace::Clock::time_point begun_ = Pace::Clock::now();
};

auto token(error_code& error) { return asio::redirect_error(asio::use_awaitable, error); }

}  // namespace

Connection::Connection(Socket socket, std::shared_ptr<const Peer> peer, const Dispatcher& dispatcher,
                       const std::shared_ptr<Budget>& budget, Aside& aside, std::optional<CallError> refusal)
    : socket_(std::move(socket)),
      peer_(std::move(peer)),
      dispatcher_(dispatcher),
      refusal_(std::move(refusal)),
      budget_(budget),
      input_(budget, peer_->uid),
      unread_(budget, peer_->uid),
      aside_(aside),
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
    bool malformed = false;
    try {
        while (!closed_) {
            auto text = parser_.next_text();
            if (!input_.hold(parser_.held() + (text ? text->size() : 0)))
                throw no_room("bytes of messages that are not complete");
            if (text) {
                pieces_ = 0;
                if (refusal_) throw CallError(*refusal_);
                co_await handle(co_await parse(std::move(*text)));
                input_.hold(parser_.held());
                co_await flush(low_water);  // a client that asks and does not read is not served further
                if (parser_.pending() > 0)
                    co_await take_turns();
                else
                    taken_ = {};  // the next one waited for this one's answer
            } else if (!co_await read_some()) {
                if (parser_.pending() > 0) throw ProtocolError("the message was cut off before its NUL");
                break;
            }
        }
    } catch (const ProtocolError& error) {
        last_word = CallError("io.muster.service.ProtocolError", {{"reason", error.what()}});
        malformed = true;
    } catch (const CallError& error) {
        last_word = error;
    }
    // Its client connects again and sends the next one: a new connection costs more than any call.
    const auto now = asio::steady_timer::clock_type::now();
    if (const auto due = malformed ? budget_->next_malformed(peer_->uid, now) : now; due > now) co_await rest(due - now);
    if (last_word) Call({}, peer_, weak_from_this()).fail(last_word->name(), last_word->parameters());
    wake_.expires_after(farewell);
    co_await flush(0);
}

asio::awaitable<bool> Connection::read_some() {
    static std::array<char, 64 * 1024> chunk;  // one for all: a silent connection costs no buffer
    for (bool waited = false;; waited = true) {
        std::size_t room = std::min(chunk.size(), parser_.room());
        if (!input_.could_hold(4 * chunk.size()) && parser_.pending() < allowance / 2)
            room = std::min(room, allowance / 2 - parser_.pending());  // small messages need no share
        const auto size = base::retry_interrupted(
            [&] { return ::recv(socket_.native_handle(), chunk.data(), room, MSG_DONTWAIT); });
        if (size > 0) {
            parser_.feed({chunk.data(), static_cast<std::size_t>(size)});
            if (const auto pause = pause_after(static_cast<std::size_t>(size)); pause > pause.zero())
                co_await rest(pause);
            else if (!waited)
                co_await let_others();
            co_return !closed_;
        }
        if (size == 0 || (errno != EAGAIN && errno != EWOULDBLOCK)) co_return false;
        error_code error;
        co_await socket_.async_wait(Socket::wait_read, token(error));
        if (error || closed_) co_return false;
    }
}

// One who sends byte by byte is read every 64 ms in the end, and then all that he has sent: it costs him more than us.
asio::steady_timer::duration Connection::pause_after(std::size_t piece) {
    using Clock = asio::steady_timer::clock_type;
    asio::steady_timer::duration pause{};
    if (++pieces_ > pieces_for_free && piece < small_piece)
        pause = first_pause * (1 << std::min(pieces_ - pieces_for_free, most_doublings));
    if (parser_.pending() > allowance) {
        const auto now = Clock::now();
        pause = std::max(pause, budget_->next_large(peer_->uid, piece, now) - now);
    }
    return pause;
}

asio::awaitable<Message> Connection::parse(std::string text) {
    if (text.size() <= read_here) {
        const Timed timed(taken_);
        co_return Message::parse(text);
    }
    struct Reading {
        std::optional<Message> message;
        std::exception_ptr error;
        bool done = false;
    };
    const auto reading = std::make_shared<Reading>();
    aside_.run(
        [reading, text = std::move(text)] {
            try {
                reading->message = Message::parse(text);
            } catch (...) {
                reading->error = std::current_exception();
            }
        },
        [reading, self = shared_from_this()] {
            reading->done = true;
            self->wake_up();
        });
    while (!reading->done) co_await sleep();  // also when closed: its result belongs to it
    if (reading->error) std::rethrow_exception(reading->error);
    co_return std::move(*reading->message);
}

asio::awaitable<void> Connection::handle(Message message) {
    const bool oneway = message.oneway;
    if (gone_ && !oneway) co_return;  // nobody is left to whom an answer would mean something
    std::shared_ptr<const nlohmann::json> large;
    if (message.size > read_here) large = message.parameters;
    auto call = std::make_shared<Call>(std::move(message), peer_, weak_from_this());
    const std::weak_ptr<Call> pending = call;
    if (!oneway) current_ = pending;
    {
        const Timed timed(taken_);
        dispatcher_.dispatch(call);
    }
    call->forget_parameters();
    if (large) aside_.run_first([large = std::move(large)]() mutable { large.reset(); });
    call.reset();  // whoever answers it later holds it; if nobody does, it fails now
    if (oneway) co_return;
    const auto unfinished = [&] {
        const auto held = pending.lock();
        return held && !held->finished();
    };
    if (unfinished()) watch_hang_up();
    while (!closed_ && !gone_ && unfinished()) co_await sleep();
    if (const auto held = pending.lock(); held && gone_) held->abandon();
    current_.reset();
}

// A client that sends without a pause gets one turn like everybody else, and its user a share of the time.
asio::awaitable<void> Connection::take_turns() {
    const auto now = asio::steady_timer::clock_type::now();
    const auto pause = budget_->next_of_flood(peer_->uid, std::exchange(taken_, {}), now) - now;
    if (pause >= shortest_rest)
        co_await rest(pause);
    else
        co_await let_others();
}

asio::awaitable<void> Connection::let_others() {
    co_await asio::post(socket_.get_executor(), asio::use_awaitable);
}

asio::awaitable<void> Connection::sleep() {
    error_code ignored;
    co_await wake_.async_wait(token(ignored));
}

asio::awaitable<void> Connection::rest(asio::steady_timer::duration pause) {
    wake_.expires_after(pause);
    co_await sleep();
    wake_.expires_at(asio::steady_timer::time_point::max());
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
            self->nobody_reads();
        else
            self->watch_hang_up();
    });
}

// The connection lives until what its client had sent is done.
void Connection::nobody_reads() noexcept {
    if (gone_ || closed_) return;
    gone_ = true;
    output_.clear();
    output_bytes_ = output_memory_ = 0;
    unread_.hold(0);
    if (const auto call = current_.lock()) call->abandon();
    wake_up();
}

void Connection::close() noexcept {
    if (closed_) return;
    nobody_reads();
    closed_ = true;
    error_code ignored;
    socket_.close(ignored);
    wake_up();
}

CallError Connection::no_room(const char* what) const {
    return limit_exceeded("io.muster.service", std::string(what) + ", of one user or of all", budget_->per_uid(),
                          "limits.buffers_per_uid, limits.buffers");
}

void Connection::send(std::string frame, base::UniqueFd fd, bool last) {
    if (closed_) return;
    try {
        if (!frame.empty() && !gone_) {
            if (output_bytes_ > max_output) return close();  // it never reads
            if (!enqueue(std::move(frame), std::move(fd))) {
                if (!last) return close();  // one change less would be a lie
                const CallError error = no_room("bytes of replies that are not read");
                enqueue(nlohmann::json{{"error", error.name()}, {"parameters", error.parameters()}}.dump(), {});
            }
        }
    } catch (const std::bad_alloc&) {
        return close();  // who waits for a reply is not to wait for ever
    }
    if (last) wake_up();
}

bool Connection::enqueue(std::string frame, base::UniqueFd fd) {
    frame += '\0';
    const bool goes_at_once = output_.empty() && frame.size() <= at_once;
    if (!goes_at_once && frame.size() > allowance / 2 && !unread_.could_hold(output_memory_ + frame.size())) return false;
    frame.shrink_to_fit();
    output_bytes_ += frame.size();
    output_memory_ += frame.size();
    output_.push_back(Frame{std::move(frame), 0, std::move(fd)});
    if (!writing_) write_out();
    if (!unread_.hold(output_memory_)) close();  // it was to go at once and did not: half a reply is none
    return true;
}

void Connection::write_out() {
    while (!output_.empty()) {
        if (!write_one(output_.front())) break;
        output_memory_ -= output_.front().bytes.size();
        output_.pop_front();
        unread_.hold(output_memory_);
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
            if (errno != EAGAIN && errno != EWOULDBLOCK) nobody_reads();  // after which `frame` is no more
            return false;
        }
        frame.fd.reset();
        frame.sent += static_cast<std::size_t>(written);
        output_bytes_ -= static_cast<std::size_t>(written);
    }
    return true;
}

}  // namespace muster::service
