#include "service/store/store.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <map>

#include "service/server/call.hpp"

using namespace muster;
using namespace muster::service;

namespace {

constexpr std::uint64_t capacity = 8 << 20;

struct Outside : StoreOutside {
    void keep_memory(const std::string& label, int memfd) override {
        kept[label] = base::UniqueFd(::fcntl(memfd, F_DUPFD_CLOEXEC, 0));
    }
    void watch_session(std::uint64_t token, int pidfd) override { watched[token] = pidfd; }
    void unwatch_session(std::uint64_t token) override { watched.erase(token); }
    base::UniqueFd copy(const std::string& label) {
        return base::UniqueFd(::fcntl(kept.at(label).get(), F_DUPFD_CLOEXEC, 0));
    }
    std::map<std::string, base::UniqueFd> kept;
    std::map<std::uint64_t, int> watched;
};

StoreOptions options() {
    StoreOptions result;
    result.memory = capacity;
    return result;
}

template <typename Call>
Errc code_of(Call&& call) {
    try {
        call();
    } catch (const Error& error) {
        return error.errc();
    }
    return Errc{};
}

}  // namespace

TEST_CASE("a realm is made at the first attach of its uid and given to the keeper") {
    Outside outside;
    Store store(options(), outside);
    CHECK(store.objects(1000).empty());
    CHECK(store.check(1000).violations.empty());
    CHECK(outside.kept.empty());
    const AttachReply first = store.attach(1000), again = store.attach(1000), other = store.attach(1001);
    CHECK(first.instance == again.instance);
    CHECK(first.memfd == again.memfd);
    CHECK(first.instance != other.instance);
    CHECK(first.capacity == capacity);
    CHECK(outside.kept.size() == 2);
    CHECK(outside.kept.contains("realm:1000"));
}

TEST_CASE("users see their own realm, root all") {
    Outside outside;
    Store store(options(), outside);
    store.attach(1000);
    store.attach(1001);
    CHECK(store.realms(1000).size() == 1);
    CHECK(store.realms(1000)[0].uid == 1000);
    CHECK(store.realms(1002).empty());
    CHECK(store.realms(0).size() == 2);
    CHECK(code_of([&] { store.erase(1002, "x"); }) == Errc::no_such_object);
    CHECK(code_of([&] { store.erase(1000, "x"); }) == Errc::no_such_object);
}

TEST_CASE("a user's daemon has one realm, and root is let into it") {
    Outside outside;
    StoreOptions one = options();
    one.only_uid = 1000;
    Store store(one, outside);
    CHECK(store.attach(1000).instance == store.attach(0).instance);
    CHECK(outside.kept.size() == 1);
}

TEST_CASE("the next service adopts the realms, and nothing that is none") {
    Outside outside;
    std::string instance;
    {
        Store first(options(), outside);
        instance = first.attach(1000).instance;
    }
    Store second(options(), outside);
    second.adopt("realm:1000", outside.copy("realm:1000"));
    second.adopt("something else", base::UniqueFd(::memfd_create("x", MFD_CLOEXEC)));
    second.adopt("realm:12x", base::UniqueFd(::memfd_create("x", MFD_CLOEXEC)));
    CHECK(second.realms(0).size() == 1);
    CHECK(second.attach(1000).instance == instance);
}

TEST_CASE("a realm that cannot be adopted is quarantined and shown, the others are served") {
    Outside outside;
    Store store(options(), outside);
    store.adopt("realm:1000", base::UniqueFd(::memfd_create("x", MFD_CLOEXEC)));
    CHECK(code_of([&] { store.attach(1000); }) == Errc::damaged);
    CHECK(code_of([&] { store.attach(1000); }) == Errc::damaged);
    CHECK(code_of([&] { store.objects(1000); }) == Errc::damaged);
    CHECK(code_of([&] { store.erase(1000, "x"); }) == Errc::damaged);
    CHECK_FALSE(store.check(1000).violations.empty());
    REQUIRE(store.realms(1000).size() == 1);
    CHECK(store.realms(1000)[0].damaged);
    CHECK(store.sessions(1000).empty());
    CHECK_NOTHROW(store.sweep());
    CHECK_NOTHROW(store.attach(1001));
}

TEST_CASE("a session is bound only to the process that claimed its slot") {
    Outside outside;
    Store store(options(), outside);
    store.attach(1000);
    CHECK_THROWS_AS(store.bind(1000, ::getpid(), 0, 1, "me"), CallError);
    CHECK_THROWS_AS(store.bind(1000, ::getpid(), 4'000'000'000u, 1, "me"), CallError);
    CHECK_THROWS_AS(store.bind(1000, 999'999'999, 0, 1, "me"), CallError);
    CHECK_THROWS_AS(store.bind(1000, 0, 0, 1, "me"), CallError);  // a peer of another PID namespace
    CHECK(code_of([&] { store.bind(1001, ::getpid(), 0, 1, "me"); }) == Errc::no_such_object);
    CHECK(outside.watched.empty());
    store.session_gone(17);  // of nobody's interest
    store.sweep();
    CHECK_FALSE(store.wants_retry());
}
