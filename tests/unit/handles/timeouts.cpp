// Every timed call of the public API with the longest times there are: they are long, not negative.
#include <catch2/catch.hpp>

#include <limits>

#include "support/child.hpp"
#include "support/daemon_fixture.hpp"
#include "support/local_realm.hpp"

using namespace muster;
using namespace std::chrono_literals;
using test::Child;
using test::eventually;

namespace {

// Runs `wait` in a child while it must not end, does `release`, and tells whether it then ended well.
template <typename Wait, typename Release>
bool waits_until(Wait&& wait, Release&& release) {
    const test::Shared<std::atomic<int>> stage;
    Child child([&] {
        stage->store(1);
        const bool ended_well = wait();
        return ended_well && stage->load() == 2 ? 0 : 1;
    });
    if (!eventually([&] { return stage->load() == 1; })) return false;
    eventually([&] { return test::process_state(child.pid()) != 'R'; });  // it sleeps, or has ended already
    stage->store(2);
    release();
    return child.join() == 0;
}

}  // namespace

TEMPLATE_TEST_CASE("the longest wait for a lock is a wait", "", std::chrono::hours, std::chrono::seconds,
                   std::chrono::nanoseconds, std::chrono::duration<double>) {
    const test::LocalRealm realm;
    Lock lock = realm.manager().lock("l");
    lock.lock();
    CHECK(waits_until([&] { return lock.try_lock_for(TestType::max()); }, [&] { lock.unlock(); }));
}

TEST_CASE("a lock is waited for until the end of time, and not until its beginning") {
    const test::LocalRealm realm;
    Lock lock = realm.manager().lock("l");
    lock.lock();
    using Hours = std::chrono::time_point<std::chrono::system_clock, std::chrono::hours>;
    CHECK_FALSE(lock.try_lock_until(Hours::min()));
    CHECK_FALSE(lock.try_lock_until(std::chrono::steady_clock::time_point::min()));
    CHECK_FALSE(lock.try_lock_for(std::chrono::hours::min()));
    CHECK_FALSE(lock.try_lock_for(std::chrono::duration<double>(std::numeric_limits<double>::quiet_NaN())));
    CHECK(waits_until([&] { return lock.try_lock_until(Hours::max()); }, [&] { lock.unlock(); }));
}

TEST_CASE("the longest wait for an item and for room is a wait") {
    const test::LocalRealm realm;
    auto queue = realm.manager().queue<int>("q", {.maxsize = 1});
    CHECK(waits_until([&] { return queue.get_for(std::chrono::hours::max()) == 1; }, [&] { queue.put(1); }));
    queue.put(2);
    CHECK(waits_until([&] { return queue.put_for(3, std::chrono::hours::max()); }, [&] { CHECK(queue.get() == 2); }));
    CHECK_THROWS_AS(queue.get_for(std::chrono::hours::min()), Error);
}
