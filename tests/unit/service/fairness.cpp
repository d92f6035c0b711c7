// Who sends without a pause gets no more turns than who sends one call: counted, not timed.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>
#include <cstring>
#include <nlohmann/json.hpp>
#include <vector>

#include "service/server/budget.hpp"
#include "service/server/server.hpp"
#include "support/daemon_fixture.hpp"

using namespace muster::service;
using muster::base::UniqueFd;
using nlohmann::json;

namespace {

struct FairServer {
    FairServer() {
        dispatcher.add_interface("interface test.fair\n\nmethod Hit() -> ()\nmethod Good() -> ()\n");
        dispatcher.handle("test.fair.Hit", [this](const std::shared_ptr<Call>& call) {
            ++hits;
            call->reply(json::object());
        });
        dispatcher.handle("test.fair.Good", [this](const std::shared_ptr<Call>& call) {
            ++served;
            call->reply(json::object());
        });
        UniqueFd listener = socket_at([&](int fd, const sockaddr* address, socklen_t size) {
            return ::bind(fd, address, size) == 0 && ::listen(fd, 100) == 0;
        });
        server.emplace(context, std::move(listener), Admission{}, dispatcher);
        server->start();
    }
    ~FairServer() {
        server->stop();
        context.restart();
        while (context.poll() > 0) {
        }
    }

    template <typename Open>
    UniqueFd socket_at(Open&& open) {
        const std::string path = directory / "s";
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
        UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        REQUIRE(open(fd.get(), reinterpret_cast<const sockaddr*>(&address), socklen_t{sizeof address}));
        return fd;
    }
    // Not connected while there is no room in the backlog.
    UniqueFd client() {
        return socket_at([](int fd, const sockaddr* to, socklen_t size) {
            return ::connect(fd, to, size) == 0 || errno == EAGAIN;
        });
    }
    // A method that takes that long.
    static constexpr std::chrono::duration<double> work_time{100e-6};
    void add_work() {
        dispatcher.add_interface("interface test.slow\n\nmethod Work() -> ()\n");
        dispatcher.handle("test.slow.Work", [this](const std::shared_ptr<Call>& call) {
            for (const auto end = Pace::Clock::now() + work_time; Pace::Clock::now() < end;) {
            }
            ++hits;
            call->reply(json::object());
        });
    }
    static std::string work_text(bool oneway) { return json{{"method", "test.slow.Work"}, {"oneway", oneway}}.dump() + '\0'; }
    // As many of the message as the socket takes.
    static std::size_t fill(const UniqueFd& fd, const std::string& message) {
        std::size_t count = 0;
        for (; ::send(fd.get(), message.data(), message.size(), MSG_NOSIGNAL) == ssize_t(message.size()); ++count) {
        }
        return count;
    }

    muster::test::TempDirectory directory;
    boost::asio::io_context context{1};
    Dispatcher dispatcher{{"t", "t", "t", ""}};
    std::optional<Server> server;
    std::size_t hits = 0, served = 0;
};

std::string text_of(const char* method, bool oneway) {
    return json{{"method", std::string("test.fair.") + method}, {"oneway", oneway}}.dump() + '\0';
}

// `attackers` keep their sockets full; how many of their calls are served between the arrival of one call of another
// client's and its handling, at worst?
std::size_t worst_wait(FairServer& fixture, std::size_t attackers, bool oneway) {
    const std::string hit = text_of("Hit", oneway), good = text_of("Good", false);
    std::vector<UniqueFd> attack;
    for (std::size_t i = 0; i < attackers; ++i) attack.push_back(fixture.client());
    const UniqueFd other = fixture.client();
    while (fixture.server->connections() != attackers + 1) fixture.context.run_one();
    std::size_t worst = 0, waiting = 0;
    char reply[4096];
    for (int round = 0; round < 100; ++round) {
        for (const UniqueFd& each : attack) {
            waiting += FairServer::fill(each, hit);
            while (!oneway && ::recv(each.get(), reply, sizeof reply, 0) > 0) {
            }
        }
        for (std::size_t some = fixture.hits + attackers; fixture.hits < some;) fixture.context.run_one();
        REQUIRE(::send(other.get(), good.data(), good.size(), MSG_NOSIGNAL) == ssize_t(good.size()));
        const std::size_t before = fixture.hits, done = fixture.served;
        while (fixture.served == done) fixture.context.run_one();
        worst = std::max(worst, fixture.hits - before);
        while (::recv(other.get(), reply, sizeof reply, 0) > 0) {
        }
    }
    attack.clear();
    while (fixture.server->connections() > 1) fixture.context.run_one();  // what they had sent is done
    CHECK(waiting > 100 * attackers);  // they were at it
    return worst;
}

}  // namespace

TEST_CASE_METHOD(FairServer, "a call waits for no more than a few calls of each other client, however many these send") {
    for (const bool oneway : {true, false})
        for (const std::size_t attackers : {1u, 5u, 50u}) {
            const std::size_t worst = worst_wait(*this, attackers, oneway);
            INFO(attackers << " clients, " << (oneway ? "oneway" : "with replies"));
            CHECK(worst <= 3 * attackers + 8);
        }
}

TEST_CASE_METHOD(FairServer, "a message that comes byte by byte is read now and then, not byte by byte") {
    std::size_t unread = 0;  // that a socket takes
    {
        int ends[2];
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
        const UniqueFd one(ends[0]), two(ends[1]);
        while (::send(one.get(), "x", 1, MSG_NOSIGNAL) == 1) ++unread;
    }
    const UniqueFd attacker = client(), other = client();
    while (server->connections() != 2) context.run_one();
    const std::string good = text_of("Good", false);
    const auto begin = Pace::Clock::now();
    std::size_t sent = 0;
    for (std::size_t i = 0; i < 100 * unread; ++i) {
        sent += ::send(attacker.get(), "x", 1, MSG_NOSIGNAL) == 1;
        context.poll();
    }
    const std::chrono::duration<double> passed = Pace::Clock::now() - begin;
    CHECK(sent >= unread);
    CHECK(static_cast<double>(sent) <= static_cast<double>(unread) * (12 + passed.count() / 0.064));
    // It is read to its end all the same, and the other is served meanwhile.
    REQUIRE(::send(other.get(), good.data(), good.size(), MSG_NOSIGNAL) == ssize_t(good.size()));
    while (served == 0) context.run_one();
    ::shutdown(attacker.get(), SHUT_WR);
    char reply[4096];
    ssize_t size = -1;
    while ((size = ::recv(attacker.get(), reply, sizeof reply, 0)) < 0) context.run_one();
    CHECK(std::string(reply, static_cast<std::size_t>(size)).find("ProtocolError") != std::string::npos);
}

TEST_CASE_METHOD(FairServer, "of a message that does not end no more is read than the pace allows") {
    std::vector<UniqueFd> attack;
    for (int i = 0; i < 4; ++i) attack.push_back(client());
    while (server->connections() != attack.size()) context.run_one();
    const std::string piece(64 * 1024, 'x');
    const auto begin = Pace::Clock::now();
    std::size_t sent = 0;
    for (int round = 0; round < 2000; ++round) {
        for (UniqueFd& each : attack) {
            const auto now = ::send(each.get(), piece.data(), piece.size(), MSG_NOSIGNAL);
            if (now > 0) sent += static_cast<std::size_t>(now);
            if (now < 0 && errno != EAGAIN) each = client();  // refused at a megabyte
        }
        context.poll();
    }
    const std::chrono::duration<double> passed = Pace::Clock::now() - begin;
    // A read of each connection is under way when the pace is taken, and each socket holds some.
    const double most = large_input_burst + passed.count() * large_input + 8.0 * 64 * 1024 * 4 + (passed.count() * 50 + 1) * 64 * 1024;
    CHECK(static_cast<double>(sent) < 3 * most);
    CHECK(sent > 2 << 20);
}

TEST_CASE_METHOD(FairServer, "calls that do not wait for answers take a share of the time, and others are served meanwhile") {
    add_work();
    const std::string work = work_text(true), good = text_of("Good", false);
    const UniqueFd other = client();
    std::vector<UniqueFd> attack;
    for (int i = 0; i < 4; ++i) attack.push_back(client());
    while (server->connections() != attack.size() + 1) context.run_one();
    std::size_t asked = 0;
    char reply[4096];
    const auto begin = Pace::Clock::now();
    while (hits < 1000) {
        for (const UniqueFd& one : attack) fill(one, work);
        if (asked == served) {
            REQUIRE(::send(other.get(), good.data(), good.size(), MSG_NOSIGNAL) == ssize_t(good.size()));
            ++asked;
        }
        context.poll();
        while (::recv(other.get(), reply, sizeof reply, 0) > 0) {
        }
    }
    const std::chrono::duration<double> passed = Pace::Clock::now() - begin;
    // Four connections may be a call ahead each, and what is due within a millisecond is not waited for.
    CHECK(static_cast<double>(hits) * work_time.count() <= flood_burst + passed.count() * flood_share + 4 * work_time.count() + 0.002);
    CHECK(served > 100);  // its calls have no share
}

TEST_CASE_METHOD(FairServer, "who has waited for all answers has no share to keep to when he sends two calls at once") {
    add_work();
    const std::string work = work_text(false);
    const UniqueFd one = client();
    while (server->connections() != 1) context.run_one();
    char reply[4096];
    while (static_cast<double>(hits) * work_time.count() < 2 * flood_burst) {
        REQUIRE(::send(one.get(), work.data(), work.size(), MSG_NOSIGNAL) == ssize_t(work.size()));
        for (const std::size_t before = hits; hits == before;) context.run_one();
        while (::recv(one.get(), reply, sizeof reply, 0) < 0) context.run_one();
    }
    const std::size_t before = hits;
    const std::string two = work + work;
    REQUIRE(::send(one.get(), two.data(), two.size(), MSG_NOSIGNAL) == ssize_t(two.size()));
    while (context.poll() > 0) {  // whoever rests is not ready
    }
    CHECK(hits == before + 2);
}

TEST_CASE_METHOD(FairServer, "who sends what is no message is answered at a pace, each time, and others are served meanwhile") {
    const std::string malformed = std::string("{\"method\":7}") + '\0', good = text_of("Good", false);
    const UniqueFd other = client();
    std::vector<UniqueFd> attack(4);
    const auto begin = Pace::Clock::now();
    std::size_t answers = 0, waited = 0;
    char reply[4096];
    while (answers < 80) {
        for (UniqueFd& each : attack) {
            if (!each) {
                each = client();
                REQUIRE(::send(each.get(), malformed.data(), malformed.size(), MSG_NOSIGNAL) == ssize_t(malformed.size()));
            }
            const ssize_t size = ::recv(each.get(), reply, sizeof reply, 0);
            if (size < 0) continue;
            CHECK(std::string(reply, static_cast<std::size_t>(size)).find("ProtocolError") != std::string::npos);
            each.reset();
            ++answers;
        }
        if (waited == served) {
            REQUIRE(::send(other.get(), good.data(), good.size(), MSG_NOSIGNAL) == ssize_t(good.size()));
            ++waited;
        }
        context.poll();
        while (::recv(other.get(), reply, sizeof reply, 0) > 0) {
        }
    }
    const std::chrono::duration<double> passed = Pace::Clock::now() - begin;
    // Four in a row are given at most the longest pause: so many a second where the pace alone would be slower.
    const double most = malformed_burst + 4 + passed.count() * 4 / std::chrono::duration<double>(longest_pause).count();
    CHECK(static_cast<double>(answers) <= most + passed.count() * malformed_a_second);
    CHECK(served > answers);  // whose calls have no pace
}

TEST_CASE_METHOD(FairServer, "connections that are gone at once cost a look each, others a pace") {
    std::size_t handled = 0;  // by the io_context
    for (int i = 0; i < 800; ++i) {
        client();
        if (i % 80 == 79) handled += context.poll();
        CHECK(server->connections() == 0);
    }
    CHECK(handled < 800 / 4);  // eight at a turn

    const std::string hit = text_of("Hit", true);
    const auto begin = Pace::Clock::now();
    std::size_t made = 0;
    for (int i = 0; i < 20'000 && made < 4000; ++i) {
        if (const UniqueFd fd = client(); ::send(fd.get(), hit.data(), hit.size(), MSG_NOSIGNAL) > 0) ++made;
        context.poll();
    }
    const std::chrono::duration<double> passed = Pace::Clock::now() - begin;
    CHECK(static_cast<double>(hits) <= 1100 + passed.count() * 8000 + 16);
    while (hits < made) context.run_one();  // and all are let in
}

TEST_CASE("a pace lets a burst through, then so much a second, and pauses nobody for long") {
    using namespace std::chrono_literals;
    Pace pace(1000, 100, 20ms);
    const Pace::Clock::time_point start{1h};
    CHECK(pace.idle(start));
    for (int i = 0; i < 10; ++i) CHECK(pace.after(10, start) <= start);
    CHECK_FALSE(pace.idle(start));
    const auto next = pace.after(5, start);
    CHECK(next > start + 4ms);
    CHECK(next < start + 6ms);
    CHECK(pace.after(1'000'000, start) <= start + 20ms);
    CHECK(pace.after(1, start + 1h) <= start + 1h);
}

TEST_CASE("a share is of one user and of all, and small messages need none") {
    const auto budget = std::make_shared<Budget>(100'000, 60'000);
    Share one(budget, 7), two(budget, 7);
    CHECK(one.hold(allowance));
    CHECK(budget->taken() == 0);
    CHECK(one.hold(allowance + 60'000));
    CHECK_FALSE(two.hold(allowance + 1));
    CHECK(two.hold(allowance));
    CHECK_FALSE(one.could_hold(allowance + 60'001));
    {
        Share other(budget, 8);
        CHECK_FALSE(other.hold(allowance + 40'001));  // all of them together
        CHECK(other.hold(allowance + 40'000));
        CHECK(budget->left(9) == 0);
    }
    CHECK(budget->left(9) == 40'000);
    CHECK(one.hold(10));
    CHECK(budget->taken() == 0);
    CHECK(two.hold(allowance + 60'000));
}
