// One connection to the daemon: NUL-terminated messages out, NUL-terminated messages and descriptors in.
//
// Thread safety: send side (queue, flush) from any thread; the receiving side (receive) from one at a time.
// No call here blocks, but receive() until its deadline.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "base/base.hpp"
#include "session/address.hpp"

namespace muster::session {

class Connection {
  public:
    // Throws unreachable, refused, system. A full backlog is waited for until the deadline.
    explicit Connection(const Address& address, base::Deadline deadline);

    // Takes the message and its final NUL for sending. The result is its place in the stream, for
    // unread_by_peer().
    std::uint64_t queue(const std::string& message);
    // Hands over what the socket takes now. False when the connection is broken.
    bool flush() noexcept;
    std::size_t unsent() const noexcept;
    // Makes it break for everybody who uses it.
    void abandon() noexcept;

    enum class Got { message, broken, late };
    // The next message, without its NUL; flushes meanwhile. Throws `protocol` over Control's limits.
    Got receive(std::string& message, base::Deadline deadline);
    // After `broken`: did the peer surely not read the end of the message queued there?
    bool unread_by_peer(std::uint64_t end) const noexcept;

    // For poll(), by who waits for it and for other things; nothing else is to be done with it.
    int descriptor() const noexcept { return fd_.get(); }

    // The descriptors that came since the last take.
    std::vector<base::UniqueFd> take_descriptors() noexcept { return std::move(descriptors_); }

  private:
    Got read_some();

    base::UniqueFd fd_;
    mutable std::mutex out_mutex_;
    std::string out_;                         // not yet taken by the kernel
    std::uint64_t queued_ = 0, flushed_ = 0;  // bytes of the stream so far
    bool reset_ = false;                      // ECONNRESET: the peer closed with bytes of ours unread
    std::string in_;
    std::size_t scanned_ = 0;
    std::vector<base::UniqueFd> descriptors_;
};

}  // namespace muster::session
