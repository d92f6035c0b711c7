#include <catch2/catch.hpp>

#include <fcntl.h>
#include <muster/error.hpp>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <iterator>
#include <optional>
#include <string>

#include "link/channel.hpp"

using namespace muster;
using namespace muster::link;
using base::UniqueFd;

namespace {

struct Pair {
    Pair() : Pair(make_link()) {}
    explicit Pair(std::pair<UniqueFd, UniqueFd> ends) : service(std::move(ends.first)), keeper(std::move(ends.second)) {}
    ServiceEnd service;
    KeeperEnd keeper;
};

bool same_file(int a, int b) {
    struct stat one {}, other {};
    return ::fstat(a, &one) == 0 && ::fstat(b, &other) == 0 && one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

std::ptrdiff_t open_descriptors() {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), std::filesystem::directory_iterator{});
}

}  // namespace

TEST_CASE("messages arrive in order, in both directions, and then there is none") {
    Pair pair;
    pair.service.send(Signal{7, 15, true});
    pair.service.send(Ready{});
    pair.keeper.send(Stop{});
    auto first = pair.keeper.receive();
    REQUIRE(first);
    const auto& signal = std::get<Signal>(first->message);
    CHECK(signal.id == 7);
    CHECK(signal.signal == 15);
    CHECK(signal.tree);
    CHECK(std::holds_alternative<Ready>(pair.keeper.receive()->message));
    CHECK_FALSE(pair.keeper.receive());
    CHECK_FALSE(pair.keeper.closed());
    CHECK(std::holds_alternative<Stop>(pair.service.receive()->message));
}

TEST_CASE("descriptors arrive in order, close-on-exec, and leave none behind") {
    const auto before = open_descriptors();
    {
        Pair pair;
        int pipe[2];
        REQUIRE(::pipe2(pipe, O_CLOEXEC) == 0);
        const UniqueFd out(pipe[0]), err(pipe[1]);
        const UniqueFd file(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
        pair.keeper.send(Started{1, 2, 3.5, true, true}, {out.get(), file.get()});
        auto received = pair.service.receive();
        REQUIRE(received);
        REQUIRE(received->fds.size() == 2);
        CHECK(same_file(received->fds[0].get(), out.get()));
        CHECK(same_file(received->fds[1].get(), file.get()));
        CHECK((::fcntl(received->fds[0].get(), F_GETFD) & FD_CLOEXEC) != 0);
        pair.keeper.send(Stop{}, {file.get()});  // never received: closed with the socket
    }
    CHECK(open_descriptors() == before);
}

TEST_CASE("a message larger than a packet arrives whole, with its descriptors") {
    Pair pair;
    Spawn spawn{42, {}, "note"};
    spawn.spec.argv.assign(1000, std::string(3000, 'a'));
    spawn.spec.environment.assign(300, std::string(4000, 'e'));
    const UniqueFd file(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
    const auto before = open_descriptors();
    pair.service.send(spawn, {file.get()});
    auto received = pair.keeper.receive();
    REQUIRE(received);
    const auto& back = std::get<Spawn>(received->message);
    CHECK(back.spec.argv == spawn.spec.argv);
    CHECK(back.spec.environment == spawn.spec.environment);
    REQUIRE(received->fds.size() == 1);
    CHECK(same_file(received->fds[0].get(), file.get()));
    received.reset();
    CHECK(open_descriptors() == before);
}

TEST_CASE("sizes around the limit of a packet all arrive") {
    Pair pair;
    for (std::size_t size = large_message - 40; size < large_message + 40; ++size) {
        pair.service.send(ServiceState{std::string(size, 's')});
        auto received = pair.keeper.receive();
        REQUIRE(received);
        REQUIRE(std::get<ServiceState>(received->message).text.size() == size);
    }
}

TEST_CASE("what a full socket does not take is queued in order and flushed later") {
    Pair pair;
    const UniqueFd file(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
    constexpr std::uint64_t count = 2000;
    for (std::uint64_t id = 0; id < count; ++id) {
        if (id % 100 == 0)
            pair.service.send(SetNote{id, std::string(100'000, 'n')}, {file.get()});
        else
            pair.service.send(SetNote{id, std::string(1000, 'n')});
    }
    REQUIRE(pair.service.wants_write());
    for (std::uint64_t id = 0; id < count;) {
        auto received = pair.keeper.receive();
        if (!received) {
            REQUIRE(pair.service.wants_write());
            pair.service.flush();
            continue;
        }
        REQUIRE(std::get<SetNote>(received->message).id == id);
        REQUIRE(received->fds.size() == (id % 100 == 0 ? 1u : 0u));
        ++id;
    }
    CHECK_FALSE(pair.service.wants_write());
    CHECK_FALSE(pair.keeper.receive());
}

TEST_CASE("the end of the other side is told after its last message, and sending then is harmless") {
    auto ends = make_link();
    KeeperEnd keeper(std::move(ends.second));
    {
        ServiceEnd service(std::move(ends.first));
        keeper.send(Stop{});  // left unread: the kernel tells the keeper of a reset connection
        service.send(Forget{1});
        service.send(Forget{2});
    }
    CHECK(std::get<Forget>(keeper.receive()->message).id == 1);
    CHECK_FALSE(keeper.closed());
    keeper.send(Stop{});
    CHECK(std::get<Forget>(keeper.receive()->message).id == 2);
    CHECK_FALSE(keeper.receive());
    CHECK(keeper.closed());
    keeper.send(Stop{});
    CHECK_FALSE(keeper.wants_write());
}

TEST_CASE("a packet that is no message is a protocol error, and the next one is read") {
    auto ends = make_link();
    const UniqueFd raw = std::move(ends.first);
    KeeperEnd keeper(std::move(ends.second));
    for (const std::string& bytes : {std::string("x"), std::string(8, '\xff'), std::string(70'000, 'y')}) {
        REQUIRE(::send(raw.get(), bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
        CHECK_THROWS_AS(keeper.receive(), Error);
    }
    CHECK_FALSE(keeper.receive());
    CHECK_FALSE(keeper.closed());
}

TEST_CASE("too many descriptors in one message are refused") {
    Pair pair;
    const std::vector<int> many(max_descriptors + 1, 0);
    CHECK_THROWS_AS(pair.service.send(Ready{}, many), Error);
}
