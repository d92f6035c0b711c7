// Connection<T>: one end of a pipe, as multiprocessing.Pipe makes them: messages to the other end, one by one, of any
// size, also empty ones. No descriptors: an end may be used by threads and by forked children alike.
//
//   auto [ours, theirs] = manager.pipe<std::string>();
//   muster::Process child([end = theirs] { end.send("hello"); });
//
// The other end is gone when every process that had it has closed it, dropped its handles, or died. Then recv gives what
// was sent before and after that fails with end_of_file, and send fails with broken_pipe. A process has an end that it
// made or got a handle to by fork, until it closes it. Its own copy of the other end, never used, does not count for the
// process that waits: unlike Python's, the parent need not close what it gave away. Siblings, which inherit copies of
// everything, should close what they do not need.
//
// Thread safety: as Handle. Blocking calls sleep; a death is seen within a fraction of a second.
// Throws Error: closed (this end was closed in this process), end_of_file, broken_pipe, invalid_argument (an end that
// only sends was asked to receive, or the other way; a negative timeout), limit_exceeded (a message over 1 GiB, or over
// recv_bytes's limit: it stays), out_of_memory (nothing changed), type_mismatch (a message that cannot be decoded, for want of
// memory, too, stays the next one).
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include <muster/codec.hpp>
#include <muster/detail/object.hpp>
#include <muster/detail/take.hpp>
#include <muster/detail/timeout.hpp>
#include <muster/value.hpp>

namespace muster {

namespace detail {

struct PipeEnd;    // libipc/src/handles/pipe.cpp
class WaitSource;  // wait_any.hpp

class ConnectionBase {
  public:
    static constexpr std::size_t max_message = std::size_t{1} << 30;

    explicit ConnectionBase(std::shared_ptr<PipeEnd> end) noexcept : end_(std::move(end)) {}
    // The two ends of a new pipe, which is made by this process.
    static std::shared_ptr<PipeEnd> end_of(std::shared_ptr<ObjectState> pipe, unsigned end);

    bool readable() const;  // may receive
    bool writable() const;  // may send
    // Is there a message, or the end of all messages?
    [[nodiscard]] bool poll() const { return poll_within(std::chrono::nanoseconds(0)); }
    template <typename Rep, typename Period>
    [[nodiscard]] bool poll(std::chrono::duration<Rep, Period> timeout) const {
        return poll_within(detail::saturated(timeout));
    }
    // For this process; the handle's copies are closed, too. Idempotent.
    void close();
    bool closed() const noexcept;

    // A message as it is, for the other end's recv_bytes.
    void send_bytes(Bytes message) const { (void)send(message, {}); }
    void send_bytes(std::string_view message) const { send_bytes(std::as_bytes(std::span(message))); }
    // Throws limit_exceeded when it is longer than `most`; it stays.
    std::string recv_bytes(std::size_t most = max_message) const;

  protected:
    bool send(Bytes message, Timeout timeout) const;
    bool recv(const Taker& taker, std::size_t most, Timeout timeout) const;

  private:
    friend class muster::Waitable;
    bool poll_within(Timeout timeout) const;
    std::shared_ptr<WaitSource> wait_source() const;
    std::shared_ptr<PipeEnd> end_;
};

}  // namespace detail

template <Storable T = Value>
class Connection : public detail::ConnectionBase {
  public:
    using value_type = T;
    using ConnectionBase::ConnectionBase;

    // Blocks while a bounded pipe is full.
    void send(const T& message) const { (void)send_within(message, {}); }
    // False: still full.
    [[nodiscard]] bool try_send(const T& message) const { return send_within(message, std::chrono::nanoseconds(0)); }
    template <typename Rep, typename Period>
    [[nodiscard]] bool send_for(const T& message, std::chrono::duration<Rep, Period> timeout) const {
        return send_within(message, detail::saturated(timeout));
    }

    // Blocks until there is a message.
    T recv() const {
        return detail::take_value<T>([&](const detail::Taker& taker) { return ConnectionBase::recv(taker, max_message, {}); });
    }
    // None: still nothing.
    [[nodiscard]] std::optional<T> try_recv() const { return recv_within(std::chrono::nanoseconds(0)); }
    template <typename Rep, typename Period>
    [[nodiscard]] std::optional<T> recv_for(std::chrono::duration<Rep, Period> timeout) const {
        return recv_within(detail::saturated(timeout));
    }

  private:
    bool send_within(const T& message, detail::Timeout timeout) const {
        Writer v;
        encode(v, message);
        return ConnectionBase::send(v.bytes(), timeout);
    }
    std::optional<T> recv_within(detail::Timeout timeout) const {
        return detail::take_one<T>(
            [&](const detail::Taker& taker) { return ConnectionBase::recv(taker, max_message, timeout); });
    }
};

}  // namespace muster
