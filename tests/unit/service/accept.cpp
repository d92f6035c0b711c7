// A server that has no memory for a while, from each allocation on in turn: it goes on accepting.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>
#include <chrono>
#include <new>

#include "service/server/server.hpp"
#include "support/child.hpp"
#include "support/failing/failures.hpp"

using namespace muster;

namespace {

// Bound to a name of the kernel's choice.
base::UniqueFd listener() {
    base::UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const sa_family_t family = AF_UNIX;
    REQUIRE(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&family), sizeof family) == 0);
    REQUIRE(::listen(fd.get(), 16) == 0);
    return fd;
}

base::UniqueFd connect_to(const sockaddr_un& address, socklen_t size) {
    base::UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), size) == 0);
    return fd;
}

}  // namespace

TEST_CASE("a server goes on accepting after it had no memory") {
    for (int nth = 1; nth <= 12; ++nth) {
        INFO("allocation " << nth);
        boost::asio::io_context context;
        const service::Dispatcher dispatcher({"Muster", "test", "0", ""});
        base::UniqueFd socket = listener();
        sockaddr_un address{};
        socklen_t size = sizeof address;
        REQUIRE(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
        service::Server server(context, std::move(socket), {}, dispatcher);
        const auto run = [&] {  // as the service does
            try {
                context.restart();
                context.run_for(std::chrono::milliseconds(1));
            } catch (const std::bad_alloc&) {
            }
        };
        server.start();
        run();
        const auto first = connect_to(address, size);
        test::FailNth failing(nth, {.steps = test::allocation, .times = 20});
        run();
        run();
        failing.end();
        const std::size_t before = server.connections();
        const auto second = connect_to(address, size);
        CHECK(test::eventually([&] { return run(), server.connections() > before; }));
        server.stop();
        run();
    }
}
