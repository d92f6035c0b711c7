#include "varlink_socket.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <map>

#include "service/server/interface.hpp"
#include "service/server/interfaces.hpp"
#include "service/server/validator.hpp"
#include "support/daemon_fixture.hpp"

namespace muster::test {

using nlohmann::json;

VarlinkSocket::VarlinkSocket(const std::string& path) : socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    REQUIRE(eventually([&] {
        return ::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    }));
}

bool VarlinkSocket::try_send(const std::string& bytes) noexcept {
    std::size_t sent = 0;
    while (sent < bytes.size()) {
        const auto now = ::send(socket_.get(), bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
        if (now < 0) return false;
        sent += static_cast<std::size_t>(now);
    }
    return true;
}

void VarlinkSocket::send(const std::string& bytes) { REQUIRE(try_send(bytes)); }

void VarlinkSocket::send_call(const std::string& method, const json& parameters, const json& flags) {
    json message = {{"method", method}, {"parameters", parameters}};
    message.update(flags);
    send(message.dump() + '\0');
}

std::optional<json> VarlinkSocket::receive(std::chrono::milliseconds patience) {
    for (;;) {
        if (const auto end = buffer_.find('\0'); end != std::string::npos) {
            json result = json::parse(buffer_.substr(0, end));
            buffer_.erase(0, end + 1);
            return result;
        }
        pollfd ready{socket_.get(), POLLIN, 0};
        if (::poll(&ready, 1, static_cast<int>(patience.count())) != 1) FAIL("no reply in time");
        char bytes[65536];
        alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
        iovec part{bytes, sizeof bytes};
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        const auto size = ::recvmsg(socket_.get(), &message, MSG_CMSG_CLOEXEC);
        if (size <= 0) return std::nullopt;
        if (const cmsghdr* header = CMSG_FIRSTHDR(&message)) {
            int received = -1;
            std::memcpy(&received, CMSG_DATA(header), sizeof received);
            fd.reset(received);
        }
        buffer_.append(bytes, static_cast<std::size_t>(size));
    }
}

namespace {

// What the daemon says is held against its interface files as well.
void check_shape(const std::string& method, const json& reply) {
    using service::Interface;
    static const auto interfaces = [] {
        std::map<std::string, Interface> result;
        for (const auto text : service::embedded_interfaces()) {
            Interface interface = Interface::parse(text);
            result.emplace(interface.name, std::move(interface));
        }
        return result;
    }();
    const std::string name = reply.value("error", method);
    const auto dot = name.rfind('.');
    const auto interface = interfaces.find(name.substr(0, dot));
    INFO(name << ": " << reply.dump().substr(0, 2000));
    REQUIRE(interface != interfaces.end());
    const service::Type* type = nullptr;
    if (const auto error = interface->second.errors.find(name.substr(dot + 1)); error != interface->second.errors.end())
        type = &error->second;
    else if (const auto known = interface->second.methods.find(name.substr(dot + 1)); known != interface->second.methods.end())
        type = &known->second.output;
    REQUIRE(type);
    const auto wrong = service::mismatch(reply.at("parameters"), *type, interface->second);
    INFO((wrong ? wrong->path + ": " + wrong->reason : ""));
    CHECK_FALSE(wrong);
}

}  // namespace

json VarlinkSocket::call(const std::string& method, const json& parameters) {
    send_call(method, parameters);
    auto reply = receive();
    if (!reply) FAIL("the connection ended instead of a reply to " << method);
    check_shape(method, *reply);
    return *reply;
}

}  // namespace muster::test
