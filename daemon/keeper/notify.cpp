#include "keeper/notify.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>

namespace muster::keeper {
namespace {

std::optional<long long> number_from(const char* variable) {
    const char* const text = std::getenv(variable);
    if (text == nullptr) return std::nullopt;
    long long number = 0;
    const auto [end, error] = std::from_chars(text, text + std::strlen(text), number);
    if (error != std::errc{} || *end != '\0') return std::nullopt;
    return number;
}

}  // namespace

Notifier Notifier::from_environment() {
    Notifier notifier;
    const char* const path = std::getenv("NOTIFY_SOCKET");
    if (path == nullptr || (path[0] != '/' && path[0] != '@') || std::strlen(path) >= sizeof(sockaddr_un::sun_path))
        return notifier;
    notifier.path_ = path;
    notifier.socket_.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const auto interval = number_from("WATCHDOG_USEC");
    const auto pid = number_from("WATCHDOG_PID");
    if (interval && *interval > 1 && (!pid || *pid == ::getpid()))
        notifier.watchdog_ = std::chrono::microseconds(*interval / 2);
    return notifier;
}

void Notifier::send(std::string_view state) const noexcept {
    if (!socket_) return;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path_.data(), path_.size());
    if (path_.front() == '@') address.sun_path[0] = '\0';
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path_.size());
    ::sendto(socket_.get(), state.data(), state.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address), length);
}

}  // namespace muster::keeper
