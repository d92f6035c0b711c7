// The way to a daemon, for which each step fails in turn: no descriptor, no child and no session is left, the error names
// the step, and the next attempt succeeds.
//
// Allocations fail where no JSON is: nlohmann::json asks for memory when an array or an object is destroyed, and a process
// that has none at that moment ends (std::terminate).
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <new>

#include <muster/manager.hpp>

#include "session/connection.hpp"
#include "support/daemon_fixture.hpp"
#include "support/failing/failures.hpp"
#include "support/leftovers.hpp"

using namespace muster;
using namespace muster::test;

namespace {

// What the error was; "" for none.
template <typename Fn>
std::string error_of(Fn&& fn) {
    try {
        fn();
    } catch (const std::bad_alloc&) {
        return "bad_alloc";
    } catch (const Error& error) {
        return error.what();
    } catch (const std::exception& error) {
        return std::string("unexpected: ") + error.what();
    }
    return {};
}

constexpr unsigned system_steps = every_step & ~unsigned{allocation};

void send_with_descriptor(int fd, std::string text, int sent) {
    text += '\0';
    iovec part{text.data(), text.size()};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &sent, sizeof sent);
    REQUIRE(::sendmsg(fd, &message, MSG_NOSIGNAL) == static_cast<ssize_t>(text.size()));
}

}  // namespace

TEST_CASE("for whatever step an attach fails, nothing is left of it, and the next one succeeds") {
    const Daemon daemon;
    const auto use = [&](int value) {
        const auto manager = Manager::connect(daemon.address());
        auto dict = manager.dict<std::string, int>("shared");
        dict.set("value", value);
        REQUIRE(manager.erase("shared"));
    };
    use(0);
    const std::size_t before = descriptors();
    int fired = 0, errors = 0;
    for (int nth = 1;; ++nth, ++fired) {
        REQUIRE(nth < 2000);
        FailNth failing(nth, {.steps = system_steps, .any_thread = true});
        const std::string error = error_of([&] {
            const auto manager = Manager::connect(daemon.address());
            auto dict = manager.dict<std::string, int>("shared");
            dict.set("value", nth);
            (void)manager.erase("shared");
        });
        failing.end();
        INFO("step " << nth << ", " << failing.step() << ": " << error);
        if (!failing.fired()) break;
        CHECK(descriptors() == before);
        if (!error.empty()) {
            ++errors;
            CHECK_THAT(error, Catch::Matchers::Contains(failing.step()));
        }
        use(nth);
        CHECK(descriptors() == before);
    }
    CHECK(errors >= 3);
    std::cout << "failed steps of an attach: " << fired << ", errors: " << errors << std::endl;
    const Ran checked = daemon.ctl({"check"});
    INFO(checked.out << checked.err);
    CHECK(checked.status == 0);
    CHECK(eventually([&] { return daemon.ctl({"sessions", "--json"}).out.find("\"pid\"") == std::string::npos; }));
}

TEST_CASE("a reply for which there is no memory leaves no descriptor that came with it") {
    const TempDirectory directory;
    const auto address = session::Address::parse("unix:" + directory / "s");
    base::UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_un at = address.socket_address();
    REQUIRE(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0);
    REQUIRE(::listen(listener.get(), 16) == 0);
    const std::string reply(600, 'r');
    const std::size_t before = descriptors();
    int refused = 0;
    for (int nth = 1;; ++nth) {
        REQUIRE(nth < 100);
        bool fired = false;
        {
            session::Connection connection(address, base::Deadline::never());
            const base::UniqueFd peer(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
            send_with_descriptor(peer.get(), reply, listener.get());
            std::string text;
            FailNth failing(nth, {.steps = allocation});
            const std::string error = error_of([&] { connection.receive(text, base::Deadline::never()); });
            failing.end();
            fired = failing.fired();
            if (fired) CHECK(error == "bad_alloc");
            if (fired) ++refused;
            if (!fired) CHECK(connection.take_descriptors().size() == 1);
        }
        CHECK(descriptors() == before);
        if (!fired) break;
    }
    CHECK(refused >= 2);
}

TEST_CASE("for whatever step a launch fails, no daemon, no child and no descriptor is left") {
    const LaunchOptions options{.memory = "16 MiB", .program = program("musterd")};
    const TempDirectory runtime;
    ::setenv("XDG_RUNTIME_DIR", runtime.path().c_str(), 1);
    { const auto once = Manager::launch(options); }
    REQUIRE_FALSE(has_children());
    const std::size_t before = descriptors();
    int fired = 0;
    for (int nth = 1;; ++nth, ++fired) {
        REQUIRE(nth < 500);
        FailNth failing(nth, {.steps = system_steps});
        const std::string error = error_of([&] { (void)Manager::launch(options); });
        failing.end();
        INFO("step " << nth << ", " << failing.step() << ": " << error);
        if (!failing.fired()) break;
        CHECK(descriptors() == before);
        CHECK_FALSE(has_children());
        CHECK(std::filesystem::is_empty(runtime.path()));
        if (!error.empty()) CHECK_THAT(error, Catch::Matchers::Contains(failing.step()));
    }
    std::cout << "failed steps of a launch: " << fired << std::endl;
}
