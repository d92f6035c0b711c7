// One end of the link between keeper and service: typed messages with descriptors over a SOCK_SEQPACKET socket.
//
// Thread safety: none; one end belongs to one thread. Nothing here blocks. What the socket does not take at once is
// queued in order: watch fd() for writability while wants_write(), and call flush(). A message that reached the
// socket is delivered even if its sender dies at the next instruction; a queued one is lost with its sender.
//
// Messages above large_message bytes travel in a sealed memfd, as a descriptor more in their packet.
#pragma once

#include <cstddef>
#include <deque>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/unique_fd.hpp"
#include "link/messages.hpp"

namespace muster::link {

inline constexpr std::size_t large_message = 64u << 10;
inline constexpr std::size_t max_descriptors = 16;  // of one message

// Two connected, non-blocking, close-on-exec sockets. Throws muster::Error.
std::pair<base::UniqueFd, base::UniqueFd> make_link();

namespace detail {

// Packets of bytes and descriptors; what Channel is without the types.
class PacketSocket {
  public:
    explicit PacketSocket(base::UniqueFd socket) noexcept : socket_(std::move(socket)) {}

    struct Packet {
        std::string bytes;
        std::vector<base::UniqueFd> fds;
    };
    void send(std::string bytes, std::span<const int> fds);
    std::optional<Packet> receive();
    void flush();

    int fd() const noexcept { return socket_.get(); }
    bool closed() const noexcept { return closed_; }
    std::size_t queued() const noexcept { return queue_.size(); }
    std::size_t queued_bytes() const noexcept { return queued_bytes_; }

  private:
    bool try_send(std::string_view bytes, bool large, std::span<const int> fds);
    std::optional<Packet> unpack(Packet result);

    base::UniqueFd socket_;
    struct Queued {
        std::string bytes;
        bool large;
        std::size_t size;  // also when it is in a memfd
        std::vector<base::UniqueFd> fds;
    };
    std::deque<Queued> queue_;
    std::size_t queued_bytes_ = 0;
    std::string body_;                  // of the packet that was received last, its head first
    std::optional<std::size_t> taken_;  // its size while it is still to be handed on, with these descriptors
    std::vector<base::UniqueFd> taken_fds_;
    bool closed_ = false;     // the other end was closed and everything it sent has been received
    bool send_shut_ = false;  // the other end does not receive any more
};

template <typename In>
In decode(std::string_view bytes);

}  // namespace detail

template <typename Out, typename In>
class Channel {
  public:
    struct Received {
        In message;
        std::vector<base::UniqueFd> fds;
    };

    explicit Channel(base::UniqueFd socket) noexcept : packets_(std::move(socket)) {}

    // Sends, or queues. The descriptors stay the caller's. When the other end is gone the message is dropped
    // silently: receive() and closed() tell of that. Throws muster::Error: a message or descriptors over the limits,
    // or the system's refusal.
    void send(const Out& message, std::span<const int> fds = {});
    void send(const Out& message, std::initializer_list<int> fds) { send(message, std::span(fds.begin(), fds.size())); }

    // The next message; nothing when there is none now or will be none any more: then closed() is true.
    // Throws Errc::protocol on a message that is none, Errc::limit_exceeded when its descriptors could not be had:
    // that one is lost. After std::bad_alloc it is not: the next call returns it, whether or not fd() is readable.
    std::optional<Received> receive();

    // The other end was closed, and everything it had sent was received.
    bool closed() const noexcept { return packets_.closed(); }

    bool wants_write() const noexcept { return packets_.queued() > 0; }
    std::size_t queued() const noexcept { return packets_.queued(); }
    std::size_t queued_bytes() const noexcept { return packets_.queued_bytes(); }
    void flush() { packets_.flush(); }

    int fd() const noexcept { return packets_.fd(); }  // non-blocking; readable and writable as any socket

  private:
    detail::PacketSocket packets_;
    std::optional<detail::PacketSocket::Packet> undecoded_;
};

using ServiceEnd = Channel<ToKeeper, ToService>;
using KeeperEnd = Channel<ToService, ToKeeper>;

extern template class Channel<ToKeeper, ToService>;
extern template class Channel<ToService, ToKeeper>;

}  // namespace muster::link
