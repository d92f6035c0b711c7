// What the old service left, taken over where system calls fail or memory ends: nothing of it is given up for that.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <set>
#include <string>

#include "containers/containers.hpp"
#include "service/server/call.hpp"
#include "service/store/store.hpp"
#include "service/supervisor/journal.hpp"
#include "support/child.hpp"
#include "support/failing/failures.hpp"
#include "support/failing/system_calls.hpp"
#include "support/skip.hpp"
#include "sync/sync.hpp"
#include "unit/supervisor/fake_outside.hpp"

using namespace muster;
using namespace muster::service;
using namespace muster::test;

namespace {

struct Kept : StoreOutside {
    void keep_memory(const std::string&, int memfd) override { memory = base::UniqueFd(::fcntl(memfd, F_DUPFD_CLOEXEC, 0)); }
    void watch_session(std::uint64_t token, int) override {
        if (refuses) throw std::bad_alloc();
        watched.insert(token);
    }
    void unwatch_session(std::uint64_t token) override { watched.erase(token); }
    base::UniqueFd copy() const { return base::UniqueFd(::fcntl(memory.get(), F_DUPFD_CLOEXEC, 0)); }
    base::UniqueFd memory;
    std::set<std::uint64_t> watched;
    bool refuses = false;
};

StoreOptions small() {
    StoreOptions options;
    options.memory = std::uint64_t{4} << 20;
    return options;
}

// A realm that has an object, and a session of a process that is dead.
struct LeftOver {
    LeftOver() {
        instance = old.attach(0).instance;
        containers::Directory(segment()).open_or_create("d", heap::Kind::dict, {});
        const auto mapped = segment();
        sync::Sessions sessions(mapped);
        (void)Child([&] { return sessions.claim(sync::ProcessIdentity::self()), 0; }).join();
    }
    segment::Segment segment() const { return segment::Segment::open(outside.copy(), "client"); }

    // What the next service makes of it, for which something fails in adopt().
    std::string adopted_by(Store& next, const std::function<void(const std::function<void()>&)>& failing) {
        bool thrown = false;
        auto memfd = outside.copy();
        failing([&] {
            try {
                next.adopt("realm:0", std::move(memfd));
            } catch (const std::bad_alloc&) {
                thrown = true;
            }
        });
        if (thrown) return "started anew";
        std::string found;
        for (const auto& realm : next.realms(0)) found += realm.damaged ? "damaged: " + *realm.damaged : "sound";
        next.sweep();
        if (next.attach(0).instance != instance) found += ", another one";
        for (const auto& object : next.objects(0)) found += ", " + object.name;
        if (!next.sessions(0).empty()) found += ", with a dead session";
        return found;
    }

    Kept outside;
    Store old{small(), outside};
    std::string instance;
};

}  // namespace

TEST_CASE("a realm is adopted, at once or a little later, where any system call fails") {
    if (const std::string why = no_tracing_here(); !why.empty()) skip(why);
    std::set<std::string> seen;
    for (int nth = 1;; ++nth) {
        REQUIRE(nth < 500);
        const auto outcome = with_failing_call(nth, as_it_would, [] {
            LeftOver left;
            Kept outside;
            Store next(small(), outside);
            return left.adopted_by(next, [](const auto& adopt) {
                const Counted counted;
                adopt();
            });
        });
        if (!outcome.call.fired) break;
        INFO("call " << nth << ", " << outcome.call.name << ' ' << outcome.call.path);
        seen.insert(outcome.call.name);
        CHECK(outcome.found == "sound, d");
    }
    for (const char* name : {"fcntl", "newfstatat", "mmap"}) CHECK(seen.contains(name));
}

TEST_CASE("a realm is adopted, at once or a little later, or the service starts anew, where memory ends anywhere") {
    int adopted = 0;
    for (int nth = 1;; ++nth) {
        INFO("allocation " << nth);
        LeftOver left;
        Kept outside;
        Store next(small(), outside);
        bool fired = false;
        const std::string found = left.adopted_by(next, [&](const auto& adopt) {
            FailNth failing(nth, {.steps = allocation});
            adopt();
            fired = failing.fired();
        });
        if (!fired) break;
        CHECK((found == "sound, d" || found == "started anew"));
        adopted += found == "sound, d" ? 1 : 0;
    }
    CHECK(adopted >= 1);
}

TEST_CASE("a realm that could not be opened yet is closed all the same when the daemon is shut down") {
    LeftOver left;
    Kept outside;
    Store next(small(), outside);
    {
        const FailNth failing(1, {.steps = mapping});
        next.adopt("realm:0", left.outside.copy());
        REQUIRE(failing.fired());
    }
    next.shut();
    CHECK(containers::Directory(left.segment()).closed());
}

TEST_CASE("the journal of forked processes is adopted, or an error, where any system call fails") {
    if (const std::string why = no_tracing_here(); !why.empty()) skip(why);
    int failures = 0;
    for (int nth = 1;; ++nth) {
        REQUIRE(nth < 100);
        const auto outcome = with_failing_call(nth, as_it_would, []() -> std::string {
            const Journal old = Journal::create(8);
            base::UniqueFd memfd(::fcntl(old.memfd(), F_DUPFD_CLOEXEC, 0));
            const Counted counted;
            try {
                return Journal::adopt(std::move(memfd)) ? "adopted" : "none of ours";
            } catch (const Error& error) {
                return error.errc() == Errc::damaged ? "damaged" : "failed";
            }
        });
        if (!outcome.call.fired) break;
        INFO("call " << nth << ", " << outcome.call.name);
        CHECK((outcome.found == "failed" || outcome.found == "adopted"));
        failures += outcome.found == "failed" ? 1 : 0;
    }
    CHECK(failures >= 2);  // fstat, mmap
}

TEST_CASE("a forked process that lives is taken over as living, or the service starts anew, where any system call fails") {
    if (const std::string why = no_tracing_here(); !why.empty()) skip(why);
    int failures = 0;
    for (int nth = 1;; ++nth) {
        REQUIRE(nth < 100);
        const auto outcome = with_failing_call(nth, as_it_would, []() -> std::string {
            const Child forked([] {
                ::pause();
                return 0;
            });
            FakeOutside outside;
            Supervisor first{{}, outside};
            first.announce({::geteuid(), ::getpid()}, forked.pid(), "f");
            auto known = outside.journal.read();
            Supervisor second{{}, outside};
            const Counted counted;
            try {
                second.restore_forked(known.at(0));
            } catch (const Error&) {
                return "started anew";
            }
            return known[0]->ended() ? "ended" : "lives";
        });
        if (!outcome.call.fired) break;
        INFO("call " << nth << ", " << outcome.call.name << ' ' << outcome.call.path);
        CHECK((outcome.found == "lives" || outcome.found == "started anew"));
        failures += outcome.found == "started anew" ? 1 : 0;
    }
    CHECK(failures >= 3);  // pidfd_open, openat, read
}

namespace {

// The next service, and a session of this process that may register with it.
struct Registering {
    Registering() { next.adopt("realm:0", left.outside.copy()); }
    void bind() { next.bind(0, ::getpid(), id.index, id.generation, "me"); }

    LeftOver left;
    Kept outside;
    Store next{small(), outside};
    segment::Segment mapped = left.segment();
    sync::SessionId id = sync::Sessions(mapped).claim(sync::ProcessIdentity::self());
};

}  // namespace

TEST_CASE("a session is bound and watched, or neither, where any system call fails") {
    if (const std::string why = no_tracing_here(); !why.empty()) skip(why);
    int failures = 0;
    const auto bound = [](Registering& session) -> std::string {
        std::string what = "bound, ";
        try {
            session.bind();
        } catch (const CallError& error) {
            what = error.name() + ", ";
        } catch (const std::exception&) {
            what = "failed, ";
        }
        return what + std::to_string(session.outside.watched.size());
    };
    for (int nth = 1;; ++nth) {
        REQUIRE(nth < 100);
        const auto outcome = with_failing_call(nth, as_it_would, [&] {
            Registering session;
            std::string found;
            {
                const Counted counted;
                found = bound(session);
            }
            return found + ", then " + bound(session);
        });
        if (!outcome.call.fired) break;
        INFO("call " << nth << ", " << outcome.call.name);
        CAPTURE(outcome.found);
        CHECK((outcome.found == "failed, 0, then bound, 1" || outcome.found == "bound, 1, then bound, 1"));
        failures += outcome.found.starts_with("failed") ? 1 : 0;
    }
    CHECK(failures >= 1);  // pidfd_open
}

TEST_CASE("a session that cannot be watched is not bound, and can be later") {
    Registering session;
    session.outside.refuses = true;
    for (int i = 0; i < 3; ++i) {
        CHECK_THROWS_AS(session.bind(), std::bad_alloc);
        REQUIRE(session.next.sessions(0).size() == 1);
        CHECK_FALSE(session.next.sessions(0)[0].registered);
    }
    session.outside.refuses = false;
    session.bind();
    CHECK(session.outside.watched.size() == 1);
    CHECK(session.next.sessions(0)[0].registered);
}
