// The service of the tests: this program, started again by the keeper with --service-fd. It never gets to main().
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <deque>
#include <exception>
#include <optional>
#include <string_view>

#include "harness.hpp"

namespace {

using namespace muster;
using base::UniqueFd;

template <typename From, typename To>
void pass_on(From& received, To& to) {
    std::vector<int> fds;
    for (const UniqueFd& fd : received.fds) fds.push_back(fd.get());
    to.send(received.message, fds);
}

int run_relay(int fd, std::string_view mode) {
    namespace relay = keeper::test::relay;
    if (mode == relay::dies_at_once) return 3;
    link::ServiceEnd keeper{UniqueFd(fd)};
    std::optional<link::KeeperEnd> test;
    UniqueFd listening;
    std::deque<link::ServiceEnd::Received> waiting;
    bool stopped = false;
    for (;;) {
        pollfd watched[3] = {
            {keeper.fd(), static_cast<short>(POLLIN | (keeper.wants_write() ? POLLOUT : 0)), 0},
            {test ? test->fd() : -1, static_cast<short>(POLLIN | (test && test->wants_write() ? POLLOUT : 0)), 0},
            {test ? -1 : listening.get(), POLLIN, 0}};
        ::poll(watched, 3, -1);
        while (auto received = keeper.receive()) {
            if (std::holds_alternative<link::Hello>(received->message))
                listening.reset(::fcntl(received->fds.at(0).get(), F_DUPFD_CLOEXEC, 0));
            if (std::holds_alternative<link::Stop>(received->message)) {
                if (mode == relay::dies_on_stop) return 5;
                stopped = true;
            }
            waiting.push_back(std::move(*received));
        }
        if (keeper.closed()) return 4;
        if (watched[2].revents & POLLIN) {
            UniqueFd connection(::accept4(listening.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
            if (mode == relay::damaged) {
                [[maybe_unused]] const auto sent = ::send(keeper.fd(), "rubbish", 7, MSG_NOSIGNAL);
                for (;;) ::pause();
            }
            if (mode == relay::hangs_up) {
                ::close(fd);
                return 0;
            }
            if (connection) test.emplace(std::move(connection));
        }
        keeper.flush();
        if (!test) continue;
        while (!waiting.empty()) {
            pass_on(waiting.front(), *test);
            waiting.pop_front();
        }
        test->flush();
        while (auto received = test->receive()) {
            pass_on(*received, keeper);
            if (mode == relay::dies_after_memory && std::holds_alternative<link::KeepMemory>(received->message)) return 7;
        }
        if (test->closed()) {
            test.reset();
            if (stopped && mode == relay::obedient) return 0;
        }
    }
}

// Before main(), which is Catch2's and knows nothing of these arguments.
[[gnu::constructor]] void run_relay_if_asked(int argc, char** argv, char**) {
    if (argc < 4 || std::strcmp(argv[1], "--service-fd") != 0) return;
    try {
        ::_exit(run_relay(std::atoi(argv[2]), argv[3]));
    } catch (const std::exception& error) {
        const std::string_view text = error.what();
        [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text.data(), text.size());
        ::_exit(6);
    }
}

}  // namespace
