// One client's connection. One coroutine owns it: reads, hands one call after the other to the dispatcher, waits for
// its last reply, goes on; so replies come in the order of the calls.
//
// Turns: between two reads or calls of one connection the others have theirs. What comes in small pieces is read the more
// seldom the longer its message takes, and large messages no faster than a pace of their user's; what is no message is
// answered, and its connection closed, at a pace, too: none of it keeps the service from those whose calls are small and
// whole.
//
// Limits: what is read and not yet handled is at most one message (varlink_parser.hpp); what the client does not read
// is at most `max_output` and one reply, then it is disconnected; and of both no more than its user's share is left
// (budget.hpp): a message or a reply for which there is no room is LimitExceeded.
//
// A client that is gone has no use for replies, but the oneway calls it had sent before are carried out, to the last
// one that arrived whole. Descriptors that a client sends unasked never get
// into this process: the socket is read without room for control messages, so the kernel closes them.
// Thread safety: the io_context's one thread.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>

#include "service/server/aside.hpp"
#include "service/server/budget.hpp"
#include "service/server/call.hpp"
#include "service/server/dispatcher.hpp"

namespace muster::service {

inline constexpr std::size_t max_output = 1 << 20;

class Connection final : public ReplySink, public std::enable_shared_from_this<Connection> {
  public:
    using Socket = boost::asio::local::stream_protocol::socket;

    // `refusal`: answer the first call with this error and close, for a peer that is not let in.
    Connection(Socket socket, std::shared_ptr<const Peer> peer, const Dispatcher& dispatcher,
               const std::shared_ptr<Budget>& budget, Aside& aside, std::optional<CallError> refusal);

    boost::asio::awaitable<void> run();
    void close() noexcept;
    const Peer& peer() const noexcept { return *peer_; }

    void send(std::string frame, base::UniqueFd fd, bool last) override;

  private:
    struct Frame {
        std::string bytes;
        std::size_t sent = 0;
        base::UniqueFd fd;
    };

    boost::asio::awaitable<void> serve();
    boost::asio::awaitable<bool> read_some();  // false at the end of the stream
    boost::asio::awaitable<Message> parse(std::string text);
    boost::asio::awaitable<void> handle(Message message);
    boost::asio::awaitable<void> take_turns();
    boost::asio::awaitable<void> let_others();
    boost::asio::awaitable<void> sleep();      // until wake_up()
    boost::asio::awaitable<void> rest(boost::asio::steady_timer::duration pause);  // or until wake_up()
    boost::asio::steady_timer::duration pause_after(std::size_t piece);  // of an unfinished message
    boost::asio::awaitable<void> flush(std::size_t down_to);
    void wake_up() noexcept;
    void watch_hang_up();
    void nobody_reads() noexcept;
    bool enqueue(std::string frame, base::UniqueFd fd);  // false: there is no room for it
    CallError no_room(const char* what) const;
    void write_out();
    bool write_one(Frame& frame);  // false: the socket is full or broken

    Socket socket_;
    std::shared_ptr<const Peer> peer_;
    const Dispatcher& dispatcher_;
    std::optional<CallError> refusal_;
    VarlinkParser parser_;
    const std::shared_ptr<Budget> budget_;
    Share input_, unread_;
    Aside& aside_;  // outlives every connection's run()
    std::weak_ptr<Call> current_;  // the one that the client waits for
    boost::asio::steady_timer wake_;
    std::deque<Frame> output_;
    std::size_t output_bytes_ = 0, output_memory_ = 0;  // to be sent; held for that
    Pace::Clock::duration taken_{};  // by calls that did not wait for the last one's answer
    unsigned pieces_ = 0;  // reads of the message that is not complete yet
    bool writing_ = false, watching_ = false, closed_ = false;
    bool gone_ = false;  // the client reads no more
};

}  // namespace muster::service
