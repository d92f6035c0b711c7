#include "session/control.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <catch2/catch.hpp>
#include <future>
#include <mutex>
#include <vector>

#include "control_server.hpp"
#include "support/skip.hpp"

using namespace std::chrono_literals;
using muster::Errc;
using muster::base::Deadline;
using muster::session::Control;
using muster::test::ControlServer;
using muster::test::json;
using muster::test::Listener;

namespace {

struct Place {
    muster::test::TempDirectory directory;
    Listener listener{directory.path() + "/s"};
    Control connect() { return Control::connect(listener.address); }
};

template <typename Call>
Errc code_of(Call&& call) {
    try {
        call();
    } catch (const muster::Error& error) {
        INFO(error.what());
        CHECK(std::string(error.what()).find('\n') == std::string::npos);
        return error.errc();
    }
    return {};
}

constexpr const char* list = "io.muster.processes.List";
constexpr const char* spawn = "io.muster.processes.Spawn";

// Methods the server got, in order.
class Record {
  public:
    void add(const json& message) {
        const std::lock_guard hold(mutex_);
        methods_.push_back(message.at("method").get<std::string>());
    }
    std::vector<std::string> methods() const {
        const std::lock_guard hold(mutex_);
        return methods_;
    }

  private:
    mutable std::mutex mutex_;
    std::vector<std::string> methods_;
};

}  // namespace

TEST_CASE("a call sends method and parameters and gives the reply's parameters") {
    Place place;
    ControlServer server(place.listener, [](auto& client, const json& message) {
        client.reply({{"got", message}});
    });
    auto control = place.connect();
    const json reply = control.call(list, {{"all", true}});
    CHECK(reply.at("got") == json{{"method", list}, {"parameters", {{"all", true}}}});
    CHECK(control.call(list, json::object()).at("got").at("parameters") == json::object());
    CHECK(server.accepted() == 1);
}

TEST_CASE("what comes back and is not a Varlink reply is a protocol error") {
    const auto [text, reason] =
        GENERATE(table<std::string, std::string>({{"nonsense", "not a JSON object"},
                                                  {"[1]", "not a JSON object"},
                                                  {R"({"parameters":3})", "not an object"},
                                                  {R"({"error":7})", "not a name"},
                                                  {R"({"continues":true})", "a stream"}}));
    Place place;
    ControlServer server(place.listener, [&, sent = text](auto& client, const json&) { client.send_text(sent); });
    auto control = place.connect();
    CHECK_THROWS_WITH(control.call(list, json::object()), Catch::Contains(reason));
    CHECK(code_of([&] { control.call(list, json::object()); }) == Errc::protocol);
}

TEST_CASE("no socket and no listener are unreachable, with what to do") {
    muster::test::TempDirectory directory;
    const auto address = muster::session::Address::parse(directory.path() + "/s");
    CHECK(code_of([&] { Control::connect(address); }) == Errc::unreachable);
    CHECK_THROWS_WITH(Control::connect(address), Catch::Contains(directory.path()) &&
                                                     Catch::Contains("no socket") &&
                                                     Catch::Contains("musterd --user"));
    { Listener gone(address.path()); }
    CHECK(code_of([&] { Control::connect(address); }) == Errc::unreachable);
    CHECK_THROWS_WITH(Control::connect(address), Catch::Contains("nobody listens"));
}

TEST_CASE("a socket that the user may not open is refused") {
    if (::geteuid() != 0) muster::test::skip("needs root to become another user");
    Place place;  // its directory is root's alone
    const pid_t child = ::fork();
    if (child == 0) {
        if (::setuid(65534) != 0) ::_exit(99);
        try {
            Control::connect(place.listener.address);
        } catch (const muster::Error& error) {
            ::_exit(error.errc() == Errc::refused ? 0 : 1);
        }
        ::_exit(2);
    }
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
}

TEST_CASE("a call that may be repeated survives a broken connection") {
    Place place;
    ControlServer server(place.listener, [](auto& client, const json&) {
        if (client.number <= 3)
            client.closing = true;  // read, and gone before the answer
        else
            client.reply({{"connection", client.number}});
    });
    auto control = place.connect();
    CHECK(control.call(list, json::object()).at("connection") == 4);
}

TEST_CASE("a spawn that the daemon may have read is not repeated") {
    Place place;
    Record record;
    ControlServer server(place.listener, [&](auto& client, const json& message) {
        record.add(message);
        client.closing = true;
    });
    auto control = place.connect();
    CHECK_THROWS_WITH(control.call(spawn, json::object()),
                      Catch::Contains("spawn: ") && Catch::Contains("may have been carried out"));
    CHECK(record.methods().size() == 1);
}

TEST_CASE("a spawn that the daemon surely did not read is repeated") {
    Place place;
    Record record;
    ControlServer server(
        place.listener,
        [&](auto& client, const json& message) {
            record.add(message);
            client.reply({{"connection", client.number}});
        },
        [](auto& client) {
            if (client.number > 2) return;
            // The first closes at once, the second with the request waiting unread.
            pollfd readable{client.fd.get(), POLLIN, 0};
            if (client.number == 2) ::poll(&readable, 1, 5000);
            client.closing = true;
        });
    auto control = place.connect();
    CHECK(control.call(spawn, json::object()).at("connection") == 3);
    CHECK(record.methods().size() == 1);
}

TEST_CASE("the hook speaks first on each further connection") {
    Place place;
    Record record;
    ControlServer server(place.listener, [&](auto& client, const json& message) {
        record.add(message);
        if (message.value("oneway", false)) return;
        if (client.number == 1)
            client.closing = true;
        else
            client.reply(json::object());
    });
    auto control = place.connect();
    control.on_reconnect([](Control& c) { c.oneway("io.muster.service.Register", {{"session", 3}}); });
    control.call(list, json::object());
    CHECK(record.methods() == std::vector<std::string>{list, "io.muster.service.Register", list});
}

TEST_CASE("a daemon that does not answer is unreachable at the deadline and its late reply is not mistaken") {
    Place place;
    std::promise<void> late;
    ControlServer server(place.listener, [&](auto& client, const json& message) {
        if (message.at("parameters").at("n") == 1) {
            late.get_future().wait();
            client.reply({{"n", 1}});
        } else {
            client.reply({{"n", 2}});
        }
    });
    auto control = place.connect();
    CHECK(code_of([&] { control.call(list, {{"n", 1}}, Deadline::after(30ms)); }) == Errc::unreachable);
    late.set_value();
    CHECK(control.call(list, {{"n", 2}}).at("n") == 2);
}

TEST_CASE("a oneway waits for nothing, even where nobody reads") {
    Place place;  // nobody accepts: as with a stopped service
    auto control = place.connect();
    int handed_over = 0;
    while (control.oneway("io.muster.processes.Announce", {{"pid", 1}, {"name", std::string(1000, 'x')}}))
        ++handed_over;
    CHECK(handed_over > 10);  // then the socket is full and so is our own store
    Record record;
    ControlServer server(place.listener, [&](auto& client, const json& message) {
        record.add(message);
        if (!message.value("oneway", false)) client.reply(json::object());
    });
    control.call(list, json::object());  // all arrive, in order, before it
    CHECK(record.methods().size() == static_cast<std::size_t>(handed_over) + 1);
}

TEST_CASE("a oneway to nobody says so") {
    muster::test::TempDirectory directory;
    auto listener = std::make_unique<Listener>(directory.path() + "/s");
    auto control = Control::connect(listener->address);
    listener.reset();
    CHECK_FALSE(control.oneway("io.muster.processes.Announce", json::object()));
}

TEST_CASE("a descriptor comes with its reply, close-on-exec") {
    Place place;
    ControlServer server(place.listener, [](auto& client, const json&) {
        const muster::base::UniqueFd memory(::memfd_create("test", MFD_CLOEXEC));
        if (::ftruncate(memory.get(), 4711) != 0) return;
        client.send({{"parameters", json::object()}}, memory.get());
    });
    auto control = place.connect();
    std::vector<muster::base::UniqueFd> descriptors;
    control.call("io.muster.service.Attach", json::object(), Deadline::after(5s), &descriptors);
    REQUIRE(descriptors.size() == 1);
    CHECK(::lseek(descriptors[0].get(), 0, SEEK_END) == 4711);
    CHECK((::fcntl(descriptors[0].get(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("a stream gives each reply until it ends, and begins anew after a break") {
    Place place;
    ControlServer server(place.listener, [](auto& client, const json& message) {
        if (!message.value("more", false)) return;
        client.send({{"parameters", {{"n", client.number * 10}}}, {"continues", true}});
        if (client.number == 1)
            client.closing = true;
        else
            client.send({{"parameters", {{"n", 99}}}});
    });
    auto control = place.connect();  // connection 1 is its own
    std::vector<int> seen;
    CHECK(control.stream("io.muster.processes.Watch", json::object(), [&](const json& reply) {
        seen.push_back(reply.at("n").get<int>());
        return true;
    }));
    CHECK(seen == std::vector<int>{20, 99});
    int first = 0;
    CHECK(control.stream("io.muster.processes.Watch", json::object(), [&](const json& reply) {
        first = reply.at("n").get<int>();
        return false;
    }));
    CHECK(first == 30);
}

TEST_CASE("a long call of one thread holds up nobody else's") {
    Place place;
    std::promise<void> waiting;
    std::atomic<bool> release{false};
    ControlServer::Client* waiter = nullptr;
    ControlServer server(place.listener, [&](auto& client, const json& message) {
        const auto method = message.at("method").get<std::string>();
        if (method == "io.muster.processes.Wait") {
            waiter = &client;
            waiting.set_value();
        } else {
            client.reply(json::object());
            if (release) waiter->reply({{"ended", true}});
        }
    });
    auto control = place.connect();
    auto ended = std::async(std::launch::async, [&] {
        return control.call("io.muster.processes.Wait", json::object(), Deadline::never());
    });
    waiting.get_future().wait();
    control.call(list, json::object());
    release = true;
    control.call(list, json::object());
    CHECK(ended.get().at("ended") == true);
}

TEST_CASE("a control channel is not the forked child's") {
    Place place;
    ControlServer server(place.listener, [](auto& client, const json&) { client.reply(json::object()); });
    auto control = place.connect();
    const pid_t child = ::fork();
    if (child == 0) {
        bool refused = false;
        try {
            control.call(list, json::object());
        } catch (const muster::Error& error) {
            refused = error.errc() == Errc::invalid_argument;
        }
        ::_exit(refused && !control.oneway(list, json::object()) ? 0 : 1);
    }
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
    CHECK_NOTHROW(control.call(list, json::object()));
}

TEST_CASE("text that is not UTF-8 is refused before it is sent") {
    Place place;
    auto control = place.connect();
    CHECK(code_of([&] { control.call(spawn, {{"argv", {"\xff"}}}); }) == Errc::invalid_argument);
}
