#include "link/channel.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/check.hpp"
#include "base/system_error.hpp"
#include "link/codec.hpp"

namespace muster::link {
namespace {

using base::UniqueFd;

// In front of each packet.
struct PacketHead {
    std::uint32_t large;  // 1: the bytes are in the last descriptor
    std::uint32_t size;   // of the message
};

constexpr int message_seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

UniqueFd to_memfd(std::string_view bytes) {
    UniqueFd memory(::memfd_create("muster-link", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!memory) base::throw_errno(errno, "send", "link", "memfd_create");
    while (!bytes.empty()) {
        const auto written = base::retry_interrupted([&] { return ::write(memory.get(), bytes.data(), bytes.size()); });
        if (written < 0) base::throw_errno(errno, "send", "link", "write");
        bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    if (::fcntl(memory.get(), F_ADD_SEALS, message_seals) < 0) base::throw_errno(errno, "send", "link", "seal");
    return memory;
}

std::string from_memfd(int memory, std::size_t size) {
    struct stat status {};
    if (size > max_message_bytes || ::fcntl(memory, F_GET_SEALS) != message_seals || ::fstat(memory, &status) < 0 ||
        status.st_size != static_cast<off_t>(size))
        throw Error(Errc::protocol, "receive", "link", "large message of a wrong size");
    std::string bytes(size, '\0');
    std::size_t done = 0;
    while (done < size) {
        const auto count = base::retry_interrupted(
            [&] { return ::pread(memory, bytes.data() + done, size - done, static_cast<off_t>(done)); });
        if (count < 0) base::throw_errno(errno, "receive", "link", "pread");
        if (count == 0) throw Error(Errc::protocol, "receive", "link", "large message cut short");
        done += static_cast<std::size_t>(count);
    }
    return bytes;
}

constexpr std::size_t control_bytes = CMSG_SPACE(sizeof(int) * (max_descriptors + 1));

}  // namespace

std::pair<UniqueFd, UniqueFd> make_link() {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
        base::throw_errno(errno, "create", "link", "socketpair");
    return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

namespace detail {

// True when the message is off our hands: sent, or nobody is there to take it.
bool PacketSocket::try_send(std::string_view bytes, bool large, std::span<const int> fds) {
    if (send_shut_) return true;
    PacketHead head{large ? 1u : 0u, 0};
    if (large) {
        struct stat status {};
        MUSTER_CHECK(!fds.empty() && ::fstat(fds.back(), &status) == 0);
        head.size = static_cast<std::uint32_t>(status.st_size);
    } else {
        head.size = static_cast<std::uint32_t>(bytes.size());
    }
    iovec parts[2] = {{&head, sizeof head}, {const_cast<char*>(bytes.data()), bytes.size()}};
    alignas(cmsghdr) std::array<char, control_bytes> control{};
    msghdr packet{};
    packet.msg_iov = parts;
    packet.msg_iovlen = large ? 1 : 2;
    if (!fds.empty()) {
        packet.msg_control = control.data();
        packet.msg_controllen = CMSG_SPACE(fds.size_bytes());
        cmsghdr* const rights = CMSG_FIRSTHDR(&packet);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(fds.size_bytes());
        std::memcpy(CMSG_DATA(rights), fds.data(), fds.size_bytes());
    }
    const auto sent = base::retry_interrupted(
        [&] { return ::sendmsg(socket_.get(), &packet, MSG_DONTWAIT | MSG_NOSIGNAL); });
    if (sent >= 0) return true;
    switch (errno) {
        case EAGAIN:
        case ENOBUFS:
        case ETOOMANYREFS: return false;
        case EPIPE:
        case ECONNRESET:
        case ENOTCONN: send_shut_ = true; return true;
        default: base::throw_errno(errno, "send", "link", "sendmsg");
    }
}

void PacketSocket::send(std::string bytes, std::span<const int> fds) {
    if (fds.size() > max_descriptors) throw Error(Errc::limit_exceeded, "send", "link", "too many descriptors");
    if (send_shut_) return;
    const std::size_t size = bytes.size();
    const bool large = size > large_message;
    std::vector<int> all(fds.begin(), fds.end());
    UniqueFd memory;
    if (large) {
        memory = to_memfd(bytes);
        all.push_back(memory.get());
        bytes.clear();
    }
    flush();
    if (queue_.empty() && try_send(bytes, large, all)) return;

    Queued waiting{std::move(bytes), large, size, {}};
    for (const int fd : all) {
        UniqueFd copy(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
        if (!copy) base::throw_errno(errno, "send", "link", "duplicate descriptor");
        waiting.fds.push_back(std::move(copy));
    }
    queue_.push_back(std::move(waiting));
    queued_bytes_ += size;
}

void PacketSocket::flush() {
    while (!queue_.empty()) {
        const Queued& next = queue_.front();
        std::vector<int> fds;
        for (const UniqueFd& fd : next.fds) fds.push_back(fd.get());
        if (!try_send(next.bytes, next.large, fds)) return;
        queued_bytes_ -= next.size;
        queue_.pop_front();
    }
}

// Whatever may find no memory comes before a packet is taken, or leaves it with us.
std::optional<PacketSocket::Packet> PacketSocket::receive() {
    if (closed_) return std::nullopt;
    Packet result;
    result.fds.reserve(max_descriptors + 1);
    if (taken_) return unpack(std::move(result));
    if (body_.empty()) body_.resize(sizeof(PacketHead) + large_message);
    iovec parts[1] = {{body_.data(), body_.size()}};
    alignas(cmsghdr) std::array<char, control_bytes> control;
    msghdr packet{};
    packet.msg_iov = parts;
    packet.msg_iovlen = 1;
    packet.msg_control = control.data();
    packet.msg_controllen = control.size();
    const auto take = [&] {
        return base::retry_interrupted(
            [&] { return ::recvmsg(socket_.get(), &packet, MSG_DONTWAIT | MSG_CMSG_CLOEXEC); });
    };
    auto count = take();
    // Said once when the other end was closed with packets of ours unread. Its own packets are still to be had.
    if (count < 0 && errno == ECONNRESET) count = take();
    if (count < 0) {
        if (errno == EAGAIN) return std::nullopt;
        base::throw_errno(errno, "receive", "link", "recvmsg");
    }
    for (cmsghdr* item = CMSG_FIRSTHDR(&packet); item != nullptr; item = CMSG_NXTHDR(&packet, item)) {
        if (item->cmsg_level != SOL_SOCKET || item->cmsg_type != SCM_RIGHTS) continue;
        const std::size_t fds = (item->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < fds; ++i) {
            int fd = -1;
            std::memcpy(&fd, CMSG_DATA(item) + i * sizeof fd, sizeof fd);
            result.fds.emplace_back(fd);
        }
    }
    if (count == 0) {
        closed_ = true;
        return std::nullopt;
    }
    if (packet.msg_flags & MSG_CTRUNC)
        throw Error(Errc::limit_exceeded, "receive", "link", "no room for the message's descriptors (RLIMIT_NOFILE)");
    const auto size = static_cast<std::size_t>(count);
    if ((packet.msg_flags & MSG_TRUNC) || size < sizeof(PacketHead)) throw Error(Errc::protocol, "receive", "link", "bad packet");
    taken_ = size;
    taken_fds_ = std::move(result.fds);
    result.fds.clear();
    return unpack(std::move(result));
}

// Makes `result` of the packet that is taken. That one stays when memory runs out, and goes when it is a bad one.
std::optional<PacketSocket::Packet> PacketSocket::unpack(Packet result) {
    PacketHead head{};
    std::memcpy(&head, body_.data(), sizeof head);
    const std::size_t inline_bytes = *taken_ - sizeof head;
    try {
        if (head.large == 1 && inline_bytes == 0 && !taken_fds_.empty())
            result.bytes = from_memfd(taken_fds_.back().get(), head.size);
        else if (head.large == 0 && inline_bytes == head.size)
            result.bytes.assign(body_.data() + sizeof head, inline_bytes);
        else
            throw Error(Errc::protocol, "receive", "link", "bad packet");
    } catch (const Error&) {
        taken_.reset();
        taken_fds_.clear();
        throw;
    }
    if (head.large == 1) taken_fds_.pop_back();
    result.fds = std::move(taken_fds_);
    taken_fds_.clear();
    taken_.reset();
    return result;
}

template <>
ToKeeper decode<ToKeeper>(std::string_view bytes) {
    return decode_to_keeper(std::as_bytes(std::span(bytes)));
}
template <>
ToService decode<ToService>(std::string_view bytes) {
    return decode_to_service(std::as_bytes(std::span(bytes)));
}

}  // namespace detail

template <typename Out, typename In>
void Channel<Out, In>::send(const Out& message, std::span<const int> fds) {
    packets_.send(encode(message), fds);
}

template <typename Out, typename In>
auto Channel<Out, In>::receive() -> std::optional<Received> {
    if (!undecoded_) undecoded_ = packets_.receive();
    if (!undecoded_) return std::nullopt;
    try {
        Received received{detail::decode<In>(undecoded_->bytes), std::move(undecoded_->fds)};
        undecoded_.reset();
        return received;
    } catch (const Error&) {
        undecoded_.reset();
        throw;
    }
}

template class Channel<ToKeeper, ToService>;
template class Channel<ToService, ToKeeper>;

}  // namespace muster::link
