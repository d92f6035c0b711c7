// Somebody is stopped inside a change. Whoever has a deadline is told who it is; whoever has none waits on; everything
// else goes its way; and when it goes on, so does all.
#include <catch2/catch.hpp>

#include <thread>

#include "stopped/inside.hpp"
#include "support/daemon_fixture.hpp"
#include "support/local_realm.hpp"
#include "support/soundness.hpp"

using namespace muster;
using namespace std::chrono_literals;
using test::Child;
using test::domain_at;
using test::domain_of;
using test::eventually;
using test::StoppedInside;
using test::TracedInside;

namespace {

// What the operation threw, with the code `timeout`; empty when it returned.
template <typename Operation>
std::string timeout_text(Operation&& operation) {
    try {
        operation();
        return {};
    } catch (const Error& error) {
        return error.errc() == Errc::timeout ? error.what() : std::string("another error: ") + error.what();
    }
}

bool names(const std::string& text, pid_t pid, const std::string& where) {
    INFO(text);
    CHECK(text.find("PID " + std::to_string(pid) + " (test-stopped), stopped") != text.npos);
    CHECK(text.find(" has been inside " + where + " for at least ") != text.npos);
    CHECK(text.find("kill -CONT " + std::to_string(pid)) != text.npos);
    return !text.empty();
}

// An operation without a deadline, in a process of its own: it is asleep, and ends well only when it is let.
class Waiting {
  public:
    explicit Waiting(const std::function<void()>& operation) : child_([this, &operation] {
        begun_->store(true);
        operation();
        return 0;
    }) {
        REQUIRE(eventually([&] { return begun_->load(); }));
        // Asleep, and not on its way out.
        REQUIRE(eventually([&] { return test::process_state(child_.pid()) == 'S'; }));
    }
    bool waits() const {
        const char state = test::process_state(child_.pid());
        return state != 'Z' && state != '\0';
    }
    bool done() { return child_.join() == 0; }

  private:
    const test::Shared<std::atomic<bool>> begun_;
    Child child_;
};

}  // namespace

TEST_CASE("operations with a deadline say who is stopped inside a queue and since when, and all goes on with it") {
    const test::LocalRealm realm;
    const Manager manager = realm.manager();
    auto queue = manager.queue<int>("jobs", {.maxsize = 2});
    queue.put(1);
    StoppedInside stopped(realm.session().segment(), domain_of(realm.session().segment(), "jobs"));
    const std::string inside = "object #1";

    names(timeout_text([&] { (void)queue.get_for(50ms); }), stopped.pid(), inside);
    names(timeout_text([&] { (void)queue.put_for(2, 50ms); }), stopped.pid(), inside);
    names(timeout_text([&] { (void)queue.try_get(); }), stopped.pid(), inside);
    names(timeout_text([&] { queue.put_nowait(2); }), stopped.pid(), inside);
    // The longer one has waited the more one knows.
    const std::string text = timeout_text([&] { (void)queue.get_for(600ms); });
    CHECK(std::stod(text.substr(text.find("at least ") + 9)) >= 0.5);

    Waiting getter([&] {
        if (queue.get() != 1) throw std::runtime_error("not the first");
    });
    // Nothing else in the realm is affected.
    auto dict = manager.dict<std::string, int>("others");
    dict.insert_or_assign("a", 1);
    CHECK(manager.queue<int>("another").try_get() == std::nullopt);
    CHECK(manager.erase("another"));
    CHECK(manager.lock("free").try_lock_for(1s));
    CHECK(getter.waits());

    stopped.go_on();
    CHECK(stopped.join() == 0);
    CHECK(getter.done());
    CHECK(queue.get_for(1ms) == std::nullopt);
    CHECK(queue.put_for(3, 10s));
    CHECK(test::first_violations(realm.session().segment()) == "");
}

TEST_CASE("a debugger that stops a process inside a dict's change holds up that dict alone") {
    const test::LocalRealm realm;
    const auto& segment = realm.session().segment();
    auto dict = realm.manager().dict<std::string, int>("totals");
    dict.insert_or_assign("a", 1);
    const tx::DomainRep& domain = domain_of(segment, "totals");
    TracedInside traced([&] { dict.insert_or_assign("b", 2); }, [&] { return domain.log_count != 0; });
    CHECK(domain.mutex.owner() == traced.pid());
    CHECK(sync::occupant(domain.mutex.owner()).text() ==
          "PID " + std::to_string(traced.pid()) + " (test-stopped), stopped by a debugger");

    Waiting reader([&] {
        if (dict.get("b") != 2) throw std::runtime_error("half of it");
    });
    Waiting writer([&] { dict.insert_or_assign("c", 3); });
    auto list = realm.manager().list<int>("others");
    list.push_back(1);
    CHECK(list.size() == 1);
    CHECK(reader.waits());
    CHECK(writer.waits());

    traced.go_on();
    CHECK(traced.join() == 0);
    CHECK(reader.done());
    CHECK(writer.done());
    CHECK(dict.size() == 3);
    CHECK(test::first_violations(segment) == "");
}

TEST_CASE("a lock's holder who is stopped is known, and waiting for it ends in time") {
    const test::LocalRealm realm;
    Lock lock = realm.manager().lock("ledger");
    Child holder([&] {
        lock.lock();
        ::raise(SIGSTOP);
        lock.unlock();
        return 0;
    });
    REQUIRE(eventually([&] { return test::process_state(holder.pid()) == 'T'; }));
    CHECK_FALSE(lock.try_lock_for(150ms));
    REQUIRE(lock.owner());
    CHECK(lock.owner()->pid == holder.pid());
    holder.kill(SIGCONT);
    CHECK(holder.join() == 0);
    CHECK(lock.try_lock_for(10s));
    CHECK_FALSE(lock.previous_owner_died());
}

TEST_CASE("who is stopped inside the page table holds up only those who need pages") {
    const test::LocalRealm realm;
    const auto& segment = realm.session().segment();
    const Manager manager = realm.manager();
    auto queue = manager.queue<std::string>("jobs");
    auto dict = manager.dict<std::string, int>("totals");
    queue.put("small");
    dict.insert_or_assign("a", 1);
    StoppedInside stopped(segment, domain_at(segment, segment.regions().segment_domain));

    CHECK(queue.get_for(1s) == "small");
    CHECK(queue.put_for("again", 1s));
    dict.insert_or_assign("a", 2);
    CHECK(dict.get("a") == 2);
    CHECK(manager.dict<std::string, int>("totals").size() == 1);  // opens
    names(timeout_text([&] { (void)queue.put_for(std::string(100'000, 'x'), 50ms); }), stopped.pid(),
          "the realm's page table");
    CHECK(queue.size() == 1);
    Waiting maker([&] { (void)manager.list<int>("new"); });

    stopped.go_on();
    CHECK(stopped.join() == 0);
    CHECK(maker.done());
    CHECK(queue.put_for(std::string(100'000, 'x'), 10s));
    CHECK(test::first_violations(segment) == "");
}

TEST_CASE("who is stopped inside the directory holds up nobody who has a handle") {
    const test::LocalRealm realm;
    const auto& segment = realm.session().segment();
    const Manager manager = realm.manager();
    auto queue = manager.queue<int>("jobs");
    Lock lock = manager.lock("ledger");
    StoppedInside stopped(segment, domain_at(segment, segment.regions().directory_domain));

    CHECK(queue.put_for(1, 1s));
    CHECK(queue.get_for(1s) == 1);
    CHECK(lock.try_lock());
    lock.unlock();
    Waiting opener([&] { (void)manager.dict<std::string, int>("new"); });

    stopped.go_on();
    CHECK(stopped.join() == 0);
    CHECK(opener.done());
    CHECK(test::first_violations(segment) == "");
}

TEST_CASE("an object is erased while somebody is stopped inside it, and freed when he goes on") {
    const test::LocalRealm realm;
    const auto& segment = realm.session().segment();
    const Manager manager = realm.manager();
    const std::uint64_t before = heap::Extents(segment).used_bytes();
    manager.dict<std::string, int>("first").insert_or_assign("a", 1);
    manager.dict<std::string, int>("second").insert_or_assign("a", 1);
    StoppedInside stopped(segment, domain_of(segment, "first"));
    CHECK(manager.erase("first"));
    CHECK_FALSE(manager.erase("first"));
    // The one behind him is not kept by him, and the name can be used again.
    CHECK(manager.erase("second"));
    CHECK(heap::Extents(segment).used_bytes() == before + heap::body_bytes);
    manager.dict<std::string, int>("first").insert_or_assign("b", 2);
    CHECK(manager.dict<std::string, int>("first").size() == 1);
    CHECK(manager.erase("first"));

    stopped.go_on();
    CHECK(stopped.join() == 0);
    manager.lock("last");
    CHECK(manager.erase("last"));
    CHECK(heap::Extents(segment).used_bytes() == before);
    CHECK(test::first_violations(segment) == "");
}

TEST_CASE("who is stopped with a stale handle keeps its entry from being used again, and nothing else") {
    const test::LocalRealm realm;
    const auto& segment = realm.session().segment();
    const Manager manager = realm.manager();
    (void)manager.lock("gone");
    tx::DomainRep& domain = domain_of(segment, "gone");
    REQUIRE(manager.erase("gone"));
    StoppedInside stopped(segment, domain);
    auto fresh = manager.dict<std::string, int>("fresh");
    fresh.insert_or_assign("a", 1);
    CHECK(&domain_of(segment, "fresh") != &domain);
    CHECK(manager.erase("fresh"));
    auto again = manager.dict<std::string, int>("again");  // an entry from behind his in the list, or in front
    CHECK(&domain_of(segment, "again") != &domain);
    stopped.go_on();
    CHECK(stopped.join() == 0);
    CHECK(manager.names() == std::vector<std::string>{"again"});
    (void)manager.lock("one more");
    CHECK(test::first_violations(segment) == "");
}
