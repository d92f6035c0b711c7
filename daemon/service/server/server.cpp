#include "service/server/server.hpp"

#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <thread>
#include <utility>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/system/system_error.hpp>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include "service/server/connection.hpp"

namespace muster::service {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

// Refused ones that wait for their first call cost what others cost; so many of them may, over the limit.
constexpr std::size_t refused_margin = 64;
constexpr int accepted_at_once = 8;  // then it is others' turn
// New connections: so many a second, and so many at once; the others stay in the socket's backlog for a moment.
constexpr double accepted_a_second = 8000, accepted_burst = 1100;
constexpr double cost_of_gone = 0.25;  // of one that is gone before we look at it
constexpr std::chrono::milliseconds longest_accept_pause{5};
constexpr std::chrono::milliseconds failure_pause{100}, failure_sleep{10};

// For everything but clients: pidfds, log pipes, memfds, the link.
int reserved_descriptors() noexcept {
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur > (1 << 20)) return 256;
    return static_cast<int>(std::min<rlim_t>(256, files.rlim_cur / 4));
}

// The kernel gives the smallest number that is free: all below this one are taken.
int first_of_last_descriptors() noexcept {
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur > (1 << 20)) return std::numeric_limits<int>::max();
    return static_cast<int>(files.rlim_cur) - reserved_descriptors();
}

// It has closed its end already and said nothing: most of a storm, which must cost little.
bool gone_without_a_word(int socket) noexcept {
    char first;
    return ::recv(socket, &first, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

CallError out_of_descriptors(int newest) {
    return limit_exceeded("io.muster.service", "descriptors of the service", static_cast<std::size_t>(newest),
                          "LimitNOFILE= of the unit, or ulimit -n");
}

// One that is not waited for.
void refuse_at_once(int socket, const CallError& error) noexcept {
    try {
        std::string text = nlohmann::json{{"error", error.name()}, {"parameters", error.parameters()}}.dump() + '\0';
        [[maybe_unused]] const auto sent = ::send(socket, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    } catch (const std::exception&) {  // no memory: the end of the connection has to say it
    }
}

}  // namespace

std::optional<CallError> refusal(const Admission& admission, const Peer& peer, std::size_t open,
                                 std::size_t open_by_uid) {
    if (admission.only_uid && peer.uid != 0 && peer.uid != *admission.only_uid)
        return CallError("io.muster.service.NotPermitted",
                         {{"operation", "connect"},
                          {"reason", "this daemon serves uid " + std::to_string(*admission.only_uid) +
                                         " only, you are uid " + std::to_string(peer.uid)}});
    if (open >= admission.connections)
        return limit_exceeded("io.muster.service", "connections", admission.connections, "limits.connections");
    if (open_by_uid >= admission.connections_per_uid)
        return limit_exceeded("io.muster.service", "connections of one user", admission.connections_per_uid,
                              "limits.connections_per_uid");
    return std::nullopt;
}

struct Server::Impl : std::enable_shared_from_this<Server::Impl> {
    Impl(asio::io_context& io, base::UniqueFd fd, Admission who, const Dispatcher& methods)
        : context(io),
          listener(io, fd.get()),
          pause(io),
          admission(who),
          dispatcher(methods),
          aside(io),
          budget(std::make_shared<Budget>(who.buffers, who.buffers_per_uid)) {
        fd.release();
    }

    // No coroutine: a wait that cannot begin for want of memory would destroy the one that asks for it.
    void wait_for_more() noexcept {
        while (!stopped) {
            try {
                if (next > Pace::Clock::now()) {
                    pause.expires_at(next);
                    pause.async_wait([self = shared_from_this()](error_code) { self->wait_for_more(); });
                } else {
                    listener.async_wait(asio::posix::stream_descriptor::wait_read,
                                        [self = shared_from_this()](error_code error) { self->accept_some(error); });
                }
                return;
            } catch (const std::exception& failure) {
                tell(failure);
                std::this_thread::sleep_for(failure_sleep);  // not even a timer can be had
            }
        }
    }

    void accept_some(error_code error) noexcept {
        if (stopped) return;
        try {
            if (error) throw boost::system::system_error(error, "wait for connections");
            next = accept_ready(Pace::Clock::now());
            told = false;
        } catch (const std::exception& failure) {
            tell(failure);
            next = Pace::Clock::now() + failure_pause;
        }
        wait_for_more();
    }

    // Once, until connections are accepted again.
    void tell(const std::exception& failure) noexcept {
        if (std::exchange(told, true)) return;
        try {
            spdlog::warn("accepting connections fails, and is tried again: {}", failure.what());
        } catch (const std::exception&) {  // the log may have no memory, either
        }
    }

    // When to go on.
    Pace::Clock::time_point accept_ready(Pace::Clock::time_point now) {
        double cost = 0;
        reserved_from = first_of_last_descriptors();
        for (int burst = 0; burst < accepted_at_once; ++burst) {
            base::UniqueFd fd(
                ::accept4(listener.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
            if (!fd) {
                if (errno != EMFILE && errno != ENFILE && errno != ENOMEM && errno != ENOBUFS) break;
                return now + std::chrono::milliseconds(100);  // the queue stays; spinning on it would help nobody
            }
            if (gone_without_a_word(fd.get())) {
                cost += cost_of_gone;
            } else {
                cost += 1;
                admit(std::move(fd));
            }
        }
        return accepting.after(cost, now);
    }

    void admit(base::UniqueFd fd) {
        auto peer = std::make_shared<const Peer>(Peer::of(fd.get()));
        const auto known = uids.find(peer->uid);
        const std::size_t by_uid = known == uids.end() ? 0 : known->second;
        auto refused = refusal(admission, *peer, open.size(), by_uid);
        if (!refused && fd.get() >= reserved_from) refused = out_of_descriptors(fd.get());
        if (refused && refusing >= refused_margin) return refuse_at_once(fd.get(), *refused);
        const bool is_refused = refused.has_value();
        Connection::Socket socket(context, asio::local::stream_protocol(), fd.get());
        fd.release();
        auto connection = std::make_shared<Connection>(std::move(socket), peer, dispatcher, budget, aside, std::move(refused));
        const auto gone = [self = shared_from_this(), connection, is_refused](std::exception_ptr) {
            if (is_refused) --self->refusing;
            self->open.erase(connection);
            const auto count = self->uids.find(connection->peer().uid);
            if (--count->second == 0) self->uids.erase(count);
        };
        std::size_t& count = uids[peer->uid];
        open.insert(connection);
        ++count;
        if (is_refused) ++refusing;
        try {
            asio::co_spawn(context, [connection] { return connection->run(); }, gone);
        } catch (...) {  // it does not run: nobody would close it
            gone(nullptr);
            throw;
        }
    }

    asio::io_context& context;
    asio::posix::stream_descriptor listener;  // accepted by hand: accept4, to be close-on-exec from birth
    asio::steady_timer pause;
    Admission admission;
    const Dispatcher& dispatcher;
    std::set<std::shared_ptr<Connection>> open;
    std::map<uid_t, std::size_t> uids;
    std::size_t refusing = 0;  // of `open`
    Aside aside;
    const std::shared_ptr<Budget> budget;
    int reserved_from = 0;  // the first number of a descriptor that no client gets
    Pace accepting{accepted_a_second, accepted_burst, longest_accept_pause};
    Pace::Clock::time_point next{};  // when to accept more
    bool told = false;
    bool stopped = false;
};

Server::Server(asio::io_context& context, base::UniqueFd listener, Admission admission, const Dispatcher& dispatcher)
    : impl_(std::make_shared<Impl>(context, std::move(listener), admission, dispatcher)) {}

Server::~Server() { stop(); }

void Server::start() {
    impl_->wait_for_more();
}

void Server::stop() noexcept {
    if (impl_->stopped) return;
    impl_->stopped = true;
    error_code ignored;
    impl_->listener.close(ignored);
    const auto all = impl_->open;
    for (const auto& connection : all) connection->close();
    impl_->aside.stop();
}

std::size_t Server::connections() const noexcept { return impl_->open.size(); }

}  // namespace muster::service
