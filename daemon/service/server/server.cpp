#include "service/server/server.hpp"

#include <sys/socket.h>

#include <map>
#include <set>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include "service/server/connection.hpp"

namespace muster::service {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

// Refused ones are answered, and so counted, too; beyond this many over the limit they are closed unanswered.
constexpr std::size_t refused_margin = 64;

}  // namespace

std::optional<CallError> refusal(const Admission& admission, const Peer& peer, std::size_t open,
                                 std::size_t open_by_uid) {
    if (admission.only_uid && peer.uid != 0 && peer.uid != *admission.only_uid)
        return CallError("io.muster.service.NotPermitted",
                         {{"operation", "connect"},
                          {"reason", "this daemon serves uid " + std::to_string(*admission.only_uid) +
                                         " only, you are uid " + std::to_string(peer.uid)}});
    if (open >= admission.connections)
        return CallError("io.muster.service.LimitExceeded",
                         {{"what", "connections"}, {"limit", admission.connections}});
    if (open_by_uid >= admission.connections_per_uid)
        return CallError("io.muster.service.LimitExceeded",
                         {{"what", "connections of one user"}, {"limit", admission.connections_per_uid}});
    return std::nullopt;
}

struct Server::Impl : std::enable_shared_from_this<Server::Impl> {
    Impl(asio::io_context& io, base::UniqueFd fd, Admission who, const Dispatcher& methods)
        : context(io), listener(io, fd.get()), pause(io), admission(who), dispatcher(methods) {
        fd.release();
    }

    asio::awaitable<void> accept_all() {
        const auto self = shared_from_this();
        while (!stopped) {
            error_code error;
            co_await listener.async_wait(asio::posix::stream_descriptor::wait_read,
                                         asio::redirect_error(asio::use_awaitable, error));
            if (stopped || error) break;
            bool out_of_descriptors = false;
            try {
                out_of_descriptors = !accept_ready();
            } catch (const std::exception& failure) {
                spdlog::warn("a connection was dropped: {}", failure.what());
            }
            if (out_of_descriptors) {  // the queue stays; spinning on it would help nobody
                pause.expires_after(std::chrono::milliseconds(100));
                co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, error));
            }
        }
    }

    bool accept_ready() {
        for (int burst = 0; burst < 64; ++burst) {
            base::UniqueFd fd(
                ::accept4(listener.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
            if (!fd) return errno != EMFILE && errno != ENFILE && errno != ENOMEM && errno != ENOBUFS;
            admit(std::move(fd));
        }
        return true;
    }

    void admit(base::UniqueFd fd) {
        auto peer = std::make_shared<const Peer>(Peer::of(fd.get()));
        const auto known = uids.find(peer->uid);
        const std::size_t by_uid = known == uids.end() ? 0 : known->second;
        if (open.size() >= admission.connections + refused_margin ||
            by_uid >= admission.connections_per_uid + refused_margin)
            return;
        auto refused = refusal(admission, *peer, open.size(), by_uid);
        Connection::Socket socket(context, asio::local::stream_protocol(), fd.get());
        fd.release();
        auto connection = std::make_shared<Connection>(std::move(socket), peer, dispatcher, std::move(refused));
        open.insert(connection);
        ++uids[peer->uid];
        asio::co_spawn(
            context, [connection] { return connection->run(); },
            [self = shared_from_this(), connection](std::exception_ptr) {
                self->open.erase(connection);
                const auto count = self->uids.find(connection->peer().uid);
                if (--count->second == 0) self->uids.erase(count);
            });
    }

    asio::io_context& context;
    asio::posix::stream_descriptor listener;  // accepted by hand: accept4, to be close-on-exec from birth
    asio::steady_timer pause;
    Admission admission;
    const Dispatcher& dispatcher;
    std::set<std::shared_ptr<Connection>> open;
    std::map<uid_t, std::size_t> uids;
    bool stopped = false;
};

Server::Server(asio::io_context& context, base::UniqueFd listener, Admission admission, const Dispatcher& dispatcher)
    : impl_(std::make_shared<Impl>(context, std::move(listener), admission, dispatcher)) {}

Server::~Server() { stop(); }

void Server::start() {
    asio::co_spawn(impl_->context, impl_->accept_all(), asio::detached);
}

void Server::stop() noexcept {
    if (impl_->stopped) return;
    impl_->stopped = true;
    error_code ignored;
    impl_->listener.close(ignored);
    const auto all = impl_->open;
    for (const auto& connection : all) connection->close();
}

std::size_t Server::connections() const noexcept { return impl_->open.size(); }

}  // namespace muster::service
