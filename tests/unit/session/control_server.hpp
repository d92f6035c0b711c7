// A daemon of a few lines for the tests of Control: a thread that accepts on a Unix socket and asks the
// test's function what to do with each message.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <functional>
#include <list>
#include <string>
#include <thread>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/base.hpp"
#include "session/address.hpp"
#include "support/daemon_fixture.hpp"

namespace muster::test {

using nlohmann::json;

// A listening socket, as the keeper holds it: bound, never accepted from by itself.
class Listener {
  public:
    explicit Listener(const std::string& path, int backlog = 16)
        : address(session::Address::parse(path)), fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        const auto to = address.socket_address();
        if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0 ||
            ::listen(fd.get(), backlog) != 0)
            base::throw_errno(errno, "listen", path, "bind");
    }
    session::Address address;
    base::UniqueFd fd;
};

class ControlServer {
  public:
    struct Client {
        int number;  // 1 for the first connection
        base::UniqueFd fd;
        std::string in;
        bool closing = false;

        void send(const json& reply, int descriptor = -1) {
            const std::string text = reply.dump();
            send_text(text, descriptor);
        }
        void send_text(const std::string& text, int descriptor = -1) {
            iovec part{const_cast<char*>(text.c_str()), text.size() + 1};
            alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
            msghdr header{};
            header.msg_iov = &part;
            header.msg_iovlen = 1;
            if (descriptor >= 0) {
                header.msg_control = control;
                header.msg_controllen = sizeof control;
                cmsghdr* c = CMSG_FIRSTHDR(&header);
                c->cmsg_level = SOL_SOCKET;
                c->cmsg_type = SCM_RIGHTS;
                c->cmsg_len = CMSG_LEN(sizeof(int));
                std::memcpy(CMSG_DATA(c), &descriptor, sizeof descriptor);
            }
            [[maybe_unused]] const auto sent = ::sendmsg(fd.get(), &header, MSG_NOSIGNAL);
        }
        void reply(const json& parameters) { send({{"parameters", parameters}}); }
    };
    using OnMessage = std::function<void(Client&, const json&)>;
    using OnAccept = std::function<void(Client&)>;  // may set `closing`: closed without reading

    ControlServer(Listener& listener, OnMessage on_message, OnAccept on_accept = {})
        : listener_(listener), on_message_(std::move(on_message)), on_accept_(std::move(on_accept)) {
        int ends[2];
        if (::pipe2(ends, O_CLOEXEC) != 0) base::throw_errno(errno, "start", "server", "pipe2");
        wake_read_.reset(ends[0]);
        wake_write_.reset(ends[1]);
        thread_ = std::thread([this] { run(); });
    }
    ~ControlServer() {
        wake_write_.reset();
        thread_.join();
    }
    int accepted() const { return accepted_; }

  private:
    void run() {
        for (;;) {
            std::vector<pollfd> set{{wake_read_.get(), POLLIN, 0}, {listener_.fd.get(), POLLIN, 0}};
            for (const auto& client : clients_) set.push_back({client.fd.get(), POLLIN, 0});
            if (::poll(set.data(), set.size(), -1) < 0) continue;
            if (set[0].revents != 0) return;
            std::size_t at = 2;
            for (auto client = clients_.begin(); client != clients_.end(); ++at) {
                const bool gone = set[at].revents != 0 && !serve(*client);
                client = gone ? clients_.erase(client) : std::next(client);
            }
            if (set[1].revents != 0) {
                clients_.push_back(
                    {++accepted_,
                     base::UniqueFd(::accept4(listener_.fd.get(), nullptr, nullptr, SOCK_CLOEXEC)),
                     {}});
                if (on_accept_) on_accept_(clients_.back());
                if (clients_.back().closing) clients_.pop_back();
            }
        }
    }
    bool serve(Client& client) {
        char bytes[4096];
        const auto count = ::recv(client.fd.get(), bytes, sizeof bytes, 0);
        if (count <= 0) return false;
        client.in.append(bytes, static_cast<std::size_t>(count));
        for (auto end = client.in.find('\0'); end != client.in.npos; end = client.in.find('\0')) {
            const json message = json::parse(client.in.substr(0, end));
            client.in.erase(0, end + 1);
            on_message_(client, message);
            if (client.closing) return false;
        }
        return true;
    }

    Listener& listener_;
    OnMessage on_message_;
    OnAccept on_accept_;
    base::UniqueFd wake_read_, wake_write_;
    std::list<Client> clients_;
    std::atomic<int> accepted_{0};
    std::thread thread_;
};

}  // namespace muster::test
