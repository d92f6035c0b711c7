#include "service/store/store.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <map>

#include "containers/containers.hpp"
#include "service/server/call.hpp"
#include "support/child.hpp"
#include "support/fails_with.hpp"
#include "sync/sync.hpp"

using namespace muster;
using namespace muster::service;
using muster::test::code_of;

namespace {

constexpr std::uint64_t capacity = 8 << 20;

struct Watching : StoreOutside {
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

// A child that stays inside a domain until it is killed.
struct Inside {
    Inside(const segment::Segment& segment, tx::DomainRep& domain)
        : child([&] {
              const tx::DomainLock lock(segment, domain, base::Deadline::never());
              tx::begin_writing(domain.sequence);  // the first thing that a transaction does
              *entered = true;
              for (;;) ::pause();
              return 0;
          }) {
        REQUIRE(muster::test::eventually([&] { return entered->load(); }));
    }
    muster::test::Shared<std::atomic<bool>> entered;
    muster::test::Child child;
};

}  // namespace

TEST_CASE("a realm is made at the first attach of its uid and given to the keeper") {
    Watching outside;
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
    Watching outside;
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
    Watching outside;
    StoreOptions one = options();
    one.only_uid = 1000;
    Store store(one, outside);
    CHECK(store.attach(1000).instance == store.attach(0).instance);
    CHECK(outside.kept.size() == 1);
}

TEST_CASE("the next service adopts the realms, and nothing that is none") {
    Watching outside;
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
    Watching outside;
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

TEST_CASE("a process that has been inside an object for long is told of, and is no damage") {
    Watching outside;
    Store store(options(), outside);
    store.attach(1000);
    const auto segment = segment::Segment::open(outside.copy("realm:1000"), "client");
    const auto ref = containers::Directory(segment).open_or_create("held", heap::Kind::list, {}).ref;
    {
        const Inside inside(segment, heap::object_at(segment, ref.id).domain);
        const auto report = store.check(1000);
        REQUIRE(report.violations.size() == 1);
        CHECK(report.violations[0].invariant == session::somebody_inside);
        CHECK(report.violations[0].object == "held");
    }
    CHECK_FALSE(store.realms(1000)[0].damaged);
    CHECK_NOTHROW(store.attach(1000));
    CHECK(store.check(1000).violations.empty());
}

TEST_CASE("a realm is adopted while a process is inside what the dead must be taken out of") {
    Watching outside;
    Store first(options(), outside);
    first.attach(1000);
    const auto segment = segment::Segment::open(outside.copy("realm:1000"), "client");
    sync::Sessions sessions(segment);
    muster::test::Child dead([&] { return sessions.claim(sync::ProcessIdentity::self()), 0; });
    REQUIRE(dead.join() == 0);
    REQUIRE(sessions.count() == 1);
    Store second(options(), outside);
    {
        const Inside inside(segment, *segment.at<tx::DomainRep>(segment.regions().sessions_domain));
        second.adopt("realm:1000", outside.copy("realm:1000"));
        CHECK_FALSE(second.realms(1000)[0].damaged);
        CHECK(sessions.count() == 1);
    }
    second.sweep();
    CHECK(sessions.count() == 0);
    CHECK_NOTHROW(second.attach(1000));
}

TEST_CASE("root's list of sessions is an error rather than short while a process is inside a realm") {
    Watching outside;
    Store store(options(), outside);
    store.attach(1000);
    store.attach(1001);
    const auto segment = segment::Segment::open(outside.copy("realm:1000"), "client");
    {
        const Inside inside(segment, *segment.at<tx::DomainRep>(segment.regions().sessions_domain));
        CHECK(code_of([&] { store.sessions(0); }) == Errc::timeout);
        CHECK(code_of([&] { store.sessions(1000); }) == Errc::timeout);
        CHECK(store.sessions(1001).empty());
        CHECK_FALSE(store.realms(1000)[0].damaged);
    }
    CHECK(store.sessions(0).empty());
}

TEST_CASE("a session is bound only to the process that claimed its slot") {
    Watching outside;
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
