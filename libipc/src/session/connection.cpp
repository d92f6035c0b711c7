#include "session/connection.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>
#include <thread>

#include "session/control.hpp"

namespace muster::session {
namespace {

using namespace std::chrono_literals;

constexpr const char* what_to_do =
    "is musterd running? start it with `musterd --user`, or set MUSTER_ADDRESS";

[[noreturn]] void connect_failed(int error, const Address& address) {
    switch (error) {
        case ENOENT:
            throw Error(Errc::unreachable, "connect", address.text(),
                        std::string("no socket there: ") + what_to_do);
        case ECONNREFUSED:
            throw Error(Errc::unreachable, "connect", address.text(),
                        std::string("nobody listens: ") + what_to_do);
        case EACCES:
        case EPERM:
            throw Error(
                Errc::refused, "connect", address.text(),
                "user " + std::to_string(::geteuid()) +
                    " may not open it: use a daemon of your own (`musterd --user`), or set MUSTER_ADDRESS");
        case EAGAIN:
            throw Error(Errc::unreachable, "connect", address.text(),
                        "too many connections wait for the daemon: it does not accept them");
        case ENOTDIR:
            throw Error(Errc::unreachable, "connect", address.text(),
                        std::string("no such path: ") + what_to_do);
        case EPROTOTYPE:
            throw Error(Errc::protocol, "connect", address.text(), "not a stream socket, so not musterd's");
        default:
            base::throw_errno(error, "connect", address.text(), "connect");
    }
}

int poll_timeout(base::Deadline deadline) noexcept {
    if (deadline.is_never()) return -1;
    return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(deadline.left(1h)).count());
}

}  // namespace

Connection::Connection(const Address& address, base::Deadline deadline)
    : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    if (!fd_) base::throw_errno(errno, "connect", address.text(), "socket");
    const sockaddr_un to = address.socket_address();
    while (::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) {
        if (errno == EINTR) continue;
        // The backlog is full; there is nothing to poll for.
        if (errno != EAGAIN || deadline.passed()) connect_failed(errno, address);
        std::this_thread::sleep_for(deadline.left(2ms));
    }
}

std::uint64_t Connection::queue(const std::string& message) {
    const std::lock_guard hold(out_mutex_);
    out_.append(message.c_str(), message.size() + 1);
    return queued_ += message.size() + 1;
}

bool Connection::flush() noexcept {
    const std::lock_guard hold(out_mutex_);
    std::size_t done = 0;
    bool alive = true;
    while (done < out_.size()) {
        const auto sent =
            ::send(fd_.get(), out_.data() + done, out_.size() - done, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent > 0) {
            done += static_cast<std::size_t>(sent);
            continue;
        }
        if (errno == EINTR) continue;
        if (errno == ECONNRESET) reset_ = true;
        alive = errno == EAGAIN || errno == ENOBUFS;
        break;
    }
    out_.erase(0, done);
    flushed_ += done;
    return alive;
}

std::size_t Connection::unsent() const noexcept {
    const std::lock_guard hold(out_mutex_);
    return out_.size();
}

void Connection::abandon() noexcept { ::shutdown(fd_.get(), SHUT_RDWR); }

bool Connection::unread_by_peer(std::uint64_t end) const noexcept {
    const std::lock_guard hold(out_mutex_);
    // A Unix socket says ECONNRESET exactly when its peer closed with bytes unread; the last one sent is
    // among them.
    return flushed_ < end || (reset_ && queued_ == end);
}

Connection::Got Connection::receive(std::string& message, base::Deadline deadline) {
    for (;;) {
        if (const auto end = in_.find('\0', scanned_); end != in_.npos) {
            message.assign(in_, 0, end);
            in_.erase(0, end + 1);
            scanned_ = 0;
            return Got::message;
        }
        scanned_ = in_.size();
        if (in_.size() > Control::reply_limit)
            throw Error(Errc::protocol, "receive", "reply",
                        "over " + std::to_string(Control::reply_limit >> 20) + " MiB: is this musterd?");

        const bool writable = flush();  // even when broken, a reply may be there already
        pollfd wait{fd_.get(), static_cast<short>(POLLIN | (writable && unsent() > 0 ? POLLOUT : 0)), 0};
        const int ready = ::poll(&wait, 1, poll_timeout(deadline));
        if (ready < 0 && errno != EINTR) base::throw_errno(errno, "receive", "reply", "poll");
        if (ready > 0 && (wait.revents & (POLLIN | POLLHUP | POLLERR)) != 0 && read_some() == Got::broken)
            return Got::broken;
        if (ready == 0 && deadline.passed()) return Got::late;
    }
}

// Got::message stands for "go on" here.
Connection::Got Connection::read_some() {
    std::array<char, 16384> bytes;
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * Control::descriptor_limit)> control;
    iovec part{bytes.data(), bytes.size()};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    const auto count = ::recvmsg(fd_.get(), &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (count < 0) {
        if (errno == EAGAIN || errno == EINTR) return Got::message;
        const std::lock_guard hold(out_mutex_);
        if (errno == ECONNRESET) reset_ = true;
        return Got::broken;
    }
    if (count == 0) return Got::broken;
    std::array<base::UniqueFd, Control::descriptor_limit> came;  // somebody's, before memory is asked for
    std::size_t number = 0;
    for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
        const std::size_t fds = std::min((c->cmsg_len - CMSG_LEN(0)) / sizeof(int), came.size() - number);
        for (std::size_t i = 0; i < fds; ++i) {
            int fd;
            std::memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof fd);
            came[number++].reset(fd);
        }
    }
    std::move(came.begin(), came.begin() + static_cast<std::ptrdiff_t>(number), std::back_inserter(descriptors_));
    if ((header.msg_flags & MSG_CTRUNC) != 0 || descriptors_.size() > Control::descriptor_limit)
        throw Error(Errc::protocol, "receive", "reply", "more descriptors than expected: is this musterd?");
    in_.append(bytes.data(), static_cast<std::size_t>(count));
    return Got::message;
}

}  // namespace muster::session
