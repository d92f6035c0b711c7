// Pipe's ends: messages, waiting, closing, and deaths.
#include <catch2/catch.hpp>

#include <csignal>
#include <thread>

#include "support/child.hpp"
#include "support/fails_with.hpp"
#include "support/local_realm.hpp"
#include "support/require_whole.hpp"

using namespace muster;
using namespace std::chrono_literals;
using test::Child;
using test::eventually;
using test::fails_with;
using test::require_whole;
using test::sleep_for_ever;

TEST_CASE("messages go both ways, whole, in their order, of any size and kind") {
    const test::LocalRealm realm;
    auto [a, b] = realm.manager().pipe();
    REQUIRE(a.readable());
    REQUIRE(a.writable());
    REQUIRE(!a.poll());
    REQUIRE(!a.try_recv());
    REQUIRE(!a.recv_for(1ms));
    REQUIRE(!a.poll(1ms));
    REQUIRE_THROWS_MATCHES((void)a.poll(-1ms), Error, fails_with(Errc::invalid_argument));
    b.send({"Hello", nullptr, 42});
    b.send("");
    b.send(std::string(200'000, 'x'));
    a.send(1);
    REQUIRE(a.poll());
    REQUIRE(b.recv() == 1);
    REQUIRE(a.recv() == Value({"Hello", nullptr, 42}));
    REQUIRE(a.recv() == "");
    REQUIRE(a.recv() == std::string(200'000, 'x'));
    REQUIRE(!a.poll());

    b.send_bytes("");  // an empty message is a message
    b.send_bytes("longer than that");
    REQUIRE(a.poll());
    REQUIRE(a.recv_bytes() == "");
    REQUIRE_THROWS_MATCHES(a.recv_bytes(4), Error, fails_with(Errc::limit_exceeded));
    REQUIRE(a.recv_bytes(16) == "longer than that");
    require_whole(realm);
}

TEST_CASE("an end of a one-way pipe says so when it is used the wrong way") {
    const test::LocalRealm realm;
    auto [reader, writer] = realm.manager().pipe<int>(false);
    REQUIRE(reader.readable());
    REQUIRE(!reader.writable());
    REQUIRE(writer.writable());
    REQUIRE(!writer.readable());
    REQUIRE_THROWS_MATCHES(reader.send(1), Error, fails_with(Errc::invalid_argument));
    REQUIRE_THROWS_MATCHES(writer.recv(), Error, fails_with(Errc::invalid_argument));
    REQUIRE_THROWS_MATCHES((void)writer.poll(), Error, fails_with(Errc::invalid_argument));
    writer.send(7);
    REQUIRE(reader.recv() == 7);
}

TEST_CASE("a closed end is closed; the other one reads what is left and then the end of file") {
    const test::LocalRealm realm;
    auto [a, b] = realm.manager().pipe<std::string>();
    b.send("last");
    const auto copy = b;
    b.close();
    b.close();
    REQUIRE(b.closed());
    REQUIRE_THROWS_MATCHES(copy.send("more"), Error, fails_with(Errc::closed));
    REQUIRE_THROWS_MATCHES((void)b.try_recv(), Error, fails_with(Errc::closed));
    REQUIRE(a.recv() == "last");
    REQUIRE(a.poll());
    REQUIRE_THROWS_MATCHES(a.recv(), Error, fails_with(Errc::end_of_file));
    REQUIRE_THROWS_MATCHES(a.send("to nobody"), Error, fails_with(Errc::broken_pipe));
}

TEST_CASE("dropping the last handle of an end closes it, and wakes who waits for it") {
    const test::LocalRealm realm;
    auto ends = std::make_optional(realm.manager().pipe<int>());
    const auto a = ends->first;
    std::atomic<bool> ended{false};
    std::thread waiter([&] {
        try {
            a.recv();
        } catch (const Error& error) {
            ended = error.errc() == Errc::end_of_file;
        }
    });
    ends.reset();
    waiter.join();
    REQUIRE(ended);
}

TEST_CASE("parent and child talk over a pipe, and neither needs to close the other's end") {
    const test::LocalRealm realm;
    auto [ours, theirs] = realm.manager().pipe<std::string>();
    Child child([end = theirs] {
        for (;;) {
            const std::string message = end.recv();
            if (message == "stop") return 0;
            end.send(message + "!");
        }
    });
    for (int i = 0; i < 200; ++i) {
        ours.send(std::to_string(i));
        REQUIRE(ours.recv() == std::to_string(i) + "!");
    }
    ours.send("stop");
    REQUIRE(child.join() == 0);
    REQUIRE_THROWS_MATCHES(ours.recv(), Error, fails_with(Errc::end_of_file));
    REQUIRE_THROWS_MATCHES(ours.send("x"), Error, fails_with(Errc::broken_pipe));
}

TEST_CASE("the child sees that its parent closed, though it has a copy of the parent's end") {
    const test::LocalRealm realm;
    auto [ours, theirs] = realm.manager().pipe<int>();
    ours.send(1);
    Child child([end = theirs] {
        int count = 0;
        try {
            for (;; ++count) (void)end.recv();
        } catch (const Error& error) {
            return error.errc() == Errc::end_of_file ? count : 90;
        }
    });
    ours.send(2);
    ours.close();
    REQUIRE(child.join() == 2);
}

TEST_CASE("a killed peer is seen by who waits, with and without the service, used its end or not") {
    const test::LocalRealm realm;
    for (const bool used : {true, false})
        for (const bool waits_before : {true, false})
            for (const bool daemon : {true, false}) {
                INFO("used " << used << ", waits before " << waits_before << ", daemon " << daemon);
                auto [a, b] = realm.manager().pipe<int>();
                const test::Shared<std::atomic<int>> ready;
                Child child([&ready, used, end = b] {
                    if (used) end.send(5);
                    ready->store(1);
                    sleep_for_ever();
                    return 0;
                });
                REQUIRE(eventually([&] { return ready->load() == 1; }));
                std::optional<Errc> code;
                std::thread waiter;
                const auto wait = [&, end = a] {
                    try {
                        if (used && end.recv() != 5) return;
                        (void)end.recv();
                    } catch (const Error& error) {
                        code = error.errc();
                    }
                };
                if (waits_before) waiter = std::thread(wait);
                child.kill(SIGKILL);
                child.join();
                if (daemon) (void)realm.daemon().reclaim_dead({});
                if (!waits_before) waiter = std::thread(wait);
                waiter.join();
                REQUIRE(code == Errc::end_of_file);
                REQUIRE_THROWS_MATCHES(a.send(1), Error, fails_with(Errc::broken_pipe));
            }
    require_whole(realm);
}

TEST_CASE("who sends to a killed reader is told, at the latest when it would wait") {
    const test::LocalRealm realm;
    auto [a, b] = realm.manager().pipe<int>(true, 3);
    const test::Shared<std::atomic<int>> ready;
    Child reader([&ready, end = b] {
        (void)end.recv();
        ready->store(1);
        sleep_for_ever();
        return 0;
    });
    a.send(0);
    REQUIRE(eventually([&] { return ready->load() == 1; }));
    for (int i = 0; i < 3; ++i) REQUIRE(a.try_send(i));
    REQUIRE(!a.try_send(3));
    REQUIRE(!a.send_for(3, 1ms));
    std::optional<Errc> code;
    std::thread sender([&, end = a] {
        try {
            end.send(3);
        } catch (const Error& error) {
            code = error.errc();
        }
    });
    reader.kill(SIGKILL);
    sender.join();
    REQUIRE(code == Errc::broken_pipe);
}

TEST_CASE("a pipe between two threads waits for both, whoever comes first") {
    const test::LocalRealm realm;
    auto [a, b] = realm.manager().pipe<int>(true, 2);
    long sum = 0;
    std::thread receiver([&sum, end = a]() mutable {  // before anybody has used the other end
        try {
            for (;;) sum += end.recv();
        } catch (const Error& error) {
            if (error.errc() != Errc::end_of_file) sum = -1;
        }
    });
    for (int i = 1; i <= 2000; ++i) b.send(i);
    b.close();
    receiver.join();
    REQUIRE(sum == 2000L * 2001 / 2);
}

TEST_CASE("senders killed at random leave whole messages, in their order") {
    const test::LocalRealm realm;
    for (int round = 0; round < 25; ++round) {
        auto [a, b] = realm.manager().pipe<std::string>();
        const test::Shared<std::atomic<int>> sent;
        Child sender([&sent, end = b] {
            for (int i = 0;; ++i) {
                end.send(std::to_string(i) + std::string(static_cast<std::size_t>(i % 400), ' '));
                sent->store(i + 1);
            }
            return 0;
        });
        REQUIRE(eventually([&] { return sent->load() > 30 + round * 11; }));
        sender.kill(SIGKILL);
        sender.join();
        int next = 0;
        try {
            for (;; ++next) {
                const int number = std::stoi(a.recv());
                REQUIRE(number == next);
            }
        } catch (const Error& error) {
            REQUIRE(error.errc() == Errc::end_of_file);
        }
        REQUIRE((next == sent->load() || next == sent->load() + 1));
    }
    require_whole(realm);
}
