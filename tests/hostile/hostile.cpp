#include "hostile/hostile.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

namespace muster::test {

Target::Target(const std::string& settings, const std::vector<std::string>& arguments) {
    auto all = arguments;
    if (!settings.empty()) {
        std::ofstream(directory_ / "musterd.toml") << settings;
        all.insert(all.end(), {"--config", directory_ / "musterd.toml"});
    }
    daemon_ = std::make_unique<Daemon>(all);
    service_ = daemon_->service();
    witness_ = std::make_unique<VarlinkSocket>(path());
    witness_->call("org.varlink.service.GetInfo");
}

Target::~Target() {
    if (daemon_->keeper() <= 0) return;
    INFO(daemon_->log());
    CHECK(daemon_->service() == service_);
}

void Target::check_served() {
    CHECK(witness_->call("org.varlink.service.GetInfo").contains("parameters"));
    CHECK(VarlinkSocket(path()).call("io.muster.service.Status").contains("parameters"));
}

std::size_t Target::descriptors() const {
    const std::filesystem::directory_iterator all("/proc/" + std::to_string(service_) + "/fd");
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

long Target::private_kib() const {
    std::ifstream status("/proc/" + std::to_string(service_) + "/status");
    for (std::string line; std::getline(status, line);)
        if (line.starts_with("RssAnon:")) return std::stol(line.substr(8));
    return 0;
}

std::string message(const std::string& method, const json& parameters, const json& flags) {
    json call = {{"method", method}, {"parameters", parameters}};
    call.update(flags);
    return call.dump() + '\0';
}

int connect_to(const std::string& path, bool blocking) noexcept {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | (blocking ? 0 : SOCK_NONBLOCK), 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    if (fd >= 0 && ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
    const int error = errno;
    if (fd >= 0) ::close(fd);
    errno = error;
    return -1;
}

bool send_all(int fd, const std::string& bytes) noexcept { return send_with_descriptors(fd, bytes, -1, 0); }

bool send_with_descriptors(int fd, const std::string& bytes, int sent, int count) noexcept {
    for (std::size_t done = 0; done < bytes.size();) {
        iovec part{const_cast<char*>(bytes.data()) + done, bytes.size() - done};
        msghdr packet{};
        packet.msg_iov = &part;
        packet.msg_iovlen = 1;
        constexpr int most = 250;
        alignas(cmsghdr) char control[CMSG_SPACE(most * sizeof(int))]{};
        if (done == 0 && count > 0 && count <= most) {
            packet.msg_control = control;
            packet.msg_controllen = CMSG_SPACE(static_cast<std::size_t>(count) * sizeof(int));
            cmsghdr* header = CMSG_FIRSTHDR(&packet);
            header->cmsg_level = SOL_SOCKET;
            header->cmsg_type = SCM_RIGHTS;
            header->cmsg_len = CMSG_LEN(static_cast<std::size_t>(count) * sizeof(int));
            for (int i = 0; i < count; ++i)
                std::memcpy(CMSG_DATA(header) + static_cast<std::size_t>(i) * sizeof(int), &sent, sizeof sent);
        }
        const auto now = ::sendmsg(fd, &packet, MSG_NOSIGNAL);
        if (now < 0) return false;
        done += static_cast<std::size_t>(now);
    }
    return true;
}

std::string read_to_end(int fd, int patience_ms) noexcept {
    std::string result;
    char bytes[16384];
    for (pollfd ready{fd, POLLIN, 0}; ::poll(&ready, 1, patience_ms) == 1;) {
        const auto size = ::read(fd, bytes, sizeof bytes);
        if (size <= 0) break;
        result.append(bytes, static_cast<std::size_t>(size));
    }
    return result;
}

bool as_another_user(const std::function<bool()>& work) {
    Child child([&] {
        if (::setgid(65534) != 0 || ::setuid(65534) != 0) return 2;
        return work() ? 0 : 1;
    });
    return child.join() == 0;
}

}  // namespace muster::test
