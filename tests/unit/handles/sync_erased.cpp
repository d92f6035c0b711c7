// Semaphores, conditions and barriers that are erased while somebody waits for them, or comes too late.
#include <catch2/catch.hpp>

#include <cstring>
#include <mutex>
#include <thread>

#include "handles/line.hpp"
#include "support/child.hpp"
#include "support/fails_with.hpp"
#include "support/local_realm.hpp"
#include "support/require_whole.hpp"
#include "support/sync_view.hpp"

using namespace muster;
using namespace std::chrono_literals;
using test::eventually;
using test::fails_with;

namespace {

// Of the only thread that waits for the object: the word that it sleeps on, once it has announced itself there.
std::uint32_t* sleeps_on(const test::LocalRealm& realm, heap::ObjectRef ref) {
    const sync::Sessions& sessions = realm.session().sessions();
    for (const sync::SlotId slot : sessions.slots()) {
        const auto wait = sync::wait_of(sessions, slot);
        std::uint32_t& word = sync::sleep_word(realm.session().segment(), slot.index());
        if (wait && wait->object == ref && (__atomic_load_n(&word, __ATOMIC_ACQUIRE) & 1) != 0) return &word;
    }
    return nullptr;
}

// The end of a slice changes nothing in the word: whoever changes it wakes the sleeper.
template <typename Wait, typename End>
void require_woken_by(const test::LocalRealm& realm, heap::ObjectRef ref, Errc code, Wait wait, End end) {
    std::thread waiter([&] { REQUIRE_THROWS_MATCHES(wait(), Error, fails_with(code)); });
    std::uint32_t* word = nullptr;
    CHECK(eventually([&] { return (word = sleeps_on(realm, ref)) != nullptr; }));
    const std::uint32_t before = word != nullptr ? __atomic_load_n(word, __ATOMIC_ACQUIRE) : 0;
    end();
    if (word != nullptr) CHECK(__atomic_load_n(word, __ATOMIC_ACQUIRE) >= before + 1);  // + 2, without the mark or with it
    waiter.join();
}

void wait_for_notification(Condition condition) {
    const std::scoped_lock hold(condition);
    condition.wait();
}

}  // namespace

TEST_CASE("who waits for a permit or a notification is woken when that is erased, not at the end of a slice") {
    const test::LocalRealm realm;
    const Manager manager = realm.manager();
    Semaphore semaphore = manager.semaphore("permits", 0);
    Condition condition = manager.condition("news");
    RLock lock = manager.rlock("lock");
    Condition of_lock = manager.condition("news of lock", lock);
    const auto erased = [&](const char* name, auto&& wait) {
        INFO(name);
        require_woken_by(realm, test::ref_of(realm, name), Errc::destroyed, wait, [&] { REQUIRE(manager.erase(name)); });
    };
    erased("permits", [&] { semaphore.acquire(); });
    erased("news", [&] { wait_for_notification(condition); });
    erased("news of lock", [&] { wait_for_notification(of_lock); });
    REQUIRE(!lock.locked());
    test::require_whole(realm);
}

TEST_CASE("who waits for a permit or a notification is woken when the realm is shut, or the daemon erases") {
    const test::LocalRealm realm;
    const Manager manager = realm.manager();
    Semaphore semaphore = manager.semaphore("permits", 0);
    const auto ref = [&](const char* name) { return test::ref_of(realm, name); };
    require_woken_by(realm, ref("permits"), Errc::destroyed, [&] { semaphore.acquire(); }, [&] { realm.daemon().erase("permits"); });
    Condition condition = manager.condition("news");
    require_woken_by(realm, ref("news"), Errc::closed, [&] { wait_for_notification(condition); }, [&] { realm.daemon().shut(); });
}

// Who waits looks for the dead once in a slice: it may do so at the moment when the object goes, and another one comes.
TEST_CASE("who looks for the dead in an erased semaphore, condition or barrier touches nothing of what has its place") {
    const test::LocalRealm realm;
    const Manager manager = realm.manager();
    const segment::Segment& segment = realm.session().segment();
    const auto untouched = [&](heap::Kind kind, const auto& handle) {
        const detail::ObjectState state(realm.session().shared_from_this(), test::ref_of(realm, "here"), kind, "here");
        const decltype(handle(segment, state.ref)) late = handle(segment, state.ref);
        REQUIRE(manager.erase("here"));
        auto dict = manager.dict<std::string, std::string>("there");
        for (int i = 0; i < 50; ++i) dict.set("key " + std::to_string(i), "value");
        REQUIRE(test::ref_of(realm, "there").id == state.ref.id);
        heap::ObjectRep& object = heap::object_at(segment, state.ref.id);
        const auto before = object.root;
        REQUIRE_THROWS_AS(detail::may_look(state, late), heap::Destroyed);
        REQUIRE(std::memcmp(before.data(), object.root.data(), before.size()) == 0);
        REQUIRE(dict.size() == 50);
        test::require_whole(realm);
        REQUIRE(manager.erase("there"));
    };
    (void)manager.semaphore("here");
    untouched(heap::Kind::semaphore, [](auto& in, auto ref) { return sync::Semaphore(in, ref); });
    (void)manager.condition("here");
    untouched(heap::Kind::condition, [](auto& in, auto ref) { return sync::Condition(in, ref); });
    (void)manager.barrier("here", 2);
    untouched(heap::Kind::barrier, [](auto& in, auto ref) { return sync::Barrier(in, ref); });
}

TEST_CASE("who holds a condition that is erased is told so, though another object has its place") {
    const test::LocalRealm realm;
    const Manager manager = realm.manager();
    Condition condition = manager.condition("news");
    const heap::ObjectRef ref = test::ref_of(realm, "news");
    condition.lock();
    REQUIRE(manager.erase("news"));
    (void)manager.lock("another");
    REQUIRE(test::ref_of(realm, "another").id == ref.id);
    REQUIRE_THROWS_MATCHES(condition.wait(), Error, fails_with(Errc::destroyed));
    REQUIRE_THROWS_MATCHES(condition.notify(), Error, fails_with(Errc::destroyed));
    condition.unlock();
    REQUIRE(!manager.lock("another").locked());
}
