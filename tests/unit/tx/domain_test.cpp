#include "unit/tx/domain_fixture.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>

#include <atomic>

#include "support/mostly_awake.hpp"

using namespace muster;
using namespace std::chrono_literals;
using base::Deadline;
using test::die_after;
using tx::Acquired;
using tx::Entered;
using tx::Tx;

namespace {

struct Fixture : test::DomainFixture {
    // What a transaction leaves whose author died: two words changed, both logged.
    void half_done() const {
        Tx::init(words[0], 1);
        Tx::init(words[1], 2);
        log[0] = {segment->offset_of(&words[0]), 1};
        log[1] = {segment->offset_of(&words[1]), 2};
        domain.sequence |= 1;
        domain.log_count = 2;
        Tx::init(words[0], 10);
        Tx::init(words[1], 20);
    }
};

// A child that holds the domain until it is told to let go.
class HoldingChild {
  public:
    explicit HoldingChild(const Fixture& f)
        : child_([&f, this] {
              if (f.enter() != Entered::yes) return 1;
              *state_ = holding;
              base::futex_wake(&*state_);
              while (__atomic_load_n(&*state_, __ATOMIC_ACQUIRE) == holding)
                  base::futex_wait(&*state_, holding, Deadline::never());
              tx::leave(f.domain);
              return 0;
          }) {
        REQUIRE(test::eventually([&] { return __atomic_load_n(&*state_, __ATOMIC_ACQUIRE) == holding; }));
    }
    void finish() {
        __atomic_store_n(&*state_, done, __ATOMIC_RELEASE);
        base::futex_wake(&*state_);
        REQUIRE(child_.join() == 0);
    }
    pid_t pid() const { return child_.pid(); }

  private:
    static constexpr std::uint32_t holding = 1, done = 2;
    test::Shared<std::uint32_t> state_;
    test::Child child_;
};

}  // namespace

TEST_CASE("a domain is entered and left") {
    Fixture f;
    CHECK(f.enter() == Entered::yes);
    CHECK(f.domain.mutex.owner() == ::getpid());
    tx::leave(f.domain);
    CHECK(f.domain.mutex.owner() == 0);
    CHECK(f.enter(Deadline::never()) == Entered::yes);
    tx::leave(f.domain);
    CHECK(f.domain.recoveries == 0);
    CHECK(f.domain.unreconciled == 0);
}

TEST_CASE("somebody else's domain is not entered before its time") {
    Fixture f;
    HoldingChild child(f);
    CHECK(f.domain.mutex.owner() == child.pid());
    CHECK(f.enter(Deadline::now()) == Entered::timed_out);
    const auto begin = std::chrono::steady_clock::now();
    CHECK(f.enter(Deadline::after(30ms)) == Entered::timed_out);
    CHECK(std::chrono::steady_clock::now() - begin >= 30ms);
    CHECK_THROWS_AS(tx::DomainLock(*f.segment, f.domain, Deadline::now()), tx::Busy);
    child.finish();
    CHECK(f.enter() == Entered::yes);
    tx::leave(f.domain);
}

TEST_CASE("who enters after a death finds the half-done mutation undone") {
    Fixture f;
    Tx::init(f.words[0], 1);
    die_after([&] {
        if (f.enter() != Entered::yes) ::_exit(1);
        alignas(Tx) std::byte place[sizeof(Tx)];  // its destructor would undo it
        Tx& tx = *new (place) Tx(*f.segment, f.domain);
        tx.set(f.words[0], 10);
        tx.set(f.words[1], 20);
    });
    CHECK(f.words[0] == 10);
    CHECK(f.domain.log_count == 2);
    CHECK(f.domain.mutex.owner_died());
    CHECK(f.enter() == Entered::recovered);
    CHECK(f.words[0] == 1);
    CHECK(f.words[1] == 0);
    CHECK(f.domain.log_count == 0);
    CHECK(f.domain.sequence % 2 == 0);
    CHECK(f.domain.recoveries == 1);
    CHECK(f.domain.unreconciled == 1);
    tx::leave(f.domain);
}

TEST_CASE("the duty to reconcile stays until somebody has done it") {
    Fixture f;
    die_after([&] { (void)f.enter(); });
    {
        const tx::DomainLock lock(*f.segment, f.domain, Deadline::now());
        CHECK(lock.recovered());
        CHECK(f.domain.unreconciled == 1);
    }
    die_after([&] { (void)f.enter(); });
    {
        const tx::DomainLock lock(*f.segment, f.domain, Deadline::now());
        CHECK(lock.recovered());
        tx::reconciled(f.domain);
    }
    const tx::DomainLock lock(*f.segment, f.domain, Deadline::now());
    CHECK_FALSE(lock.recovered());
    CHECK(f.domain.unreconciled == 0);
    CHECK(f.domain.recoveries == 2);
}

TEST_CASE("recovery may be done again and again") {
    Fixture f;
    f.half_done();
    for (int i = 0; i < 3; ++i) {
        REQUIRE(tx::recover(*f.segment, f.domain));
        CHECK(f.words[0] == 1);
        CHECK(f.words[1] == 2);
        CHECK(f.domain.log_count == 0);
        CHECK(f.domain.sequence % 2 == 0);
    }
    // Undone, and then dead before the log was emptied.
    f.half_done();
    f.domain.log_count = 2;
    Tx::init(f.words[1], 2);
    REQUIRE(tx::recover(*f.segment, f.domain));
    CHECK(f.words[0] == 1);
    CHECK(f.words[1] == 2);
}

TEST_CASE("of two entries for one word the older one counts") {
    Fixture f;
    f.half_done();
    f.log[1] = {f.segment->offset_of(&f.words[0]), 5};
    REQUIRE(tx::recover(*f.segment, f.domain));
    CHECK(f.words[0] == 1);
}

TEST_CASE("a damaged log is not applied, not even in part, and keeps everybody out") {
    Fixture f;
    f.half_done();
    SECTION("more entries than fit") { f.domain.log_count = 9; }
    SECTION("an entry outside the segment") { f.log[0].offset = f.segment->capacity(); }
    SECTION("an entry in the header") { f.log[1].offset = 8; }
    SECTION("an entry that is not aligned") { f.log[1].offset += 4; }
    SECTION("a log outside the segment") { f.domain.log_offset = f.segment->capacity(); }
    SECTION("a log of impossible size") { f.domain.log_capacity = ~std::uint64_t{0}; }
    const std::uint64_t count = f.domain.log_count;
    CHECK_FALSE(tx::recover(*f.segment, f.domain));
    CHECK(f.words[0] == 10);
    CHECK(f.words[1] == 20);
    CHECK(f.domain.log_count == count);
    die_after([&] { (void)f.domain.mutex.lock(); });
    CHECK(f.enter() == Entered::damaged);
    CHECK(f.enter() == Entered::damaged);
    CHECK_THROWS_AS(tx::DomainLock(*f.segment, f.domain, Deadline::now()), segment::Damage);
    CHECK(f.words[0] == 10);
}

TEST_CASE("memory that is no mutex of ours is not locked") {
    Fixture f;
    std::memset(static_cast<void*>(&f.domain.mutex), 0, sizeof f.domain.mutex);  // a plain, private mutex
    CHECK(f.enter(Deadline::never()) == Entered::damaged);
    std::memset(static_cast<void*>(&f.domain.mutex), 0xff, sizeof f.domain.mutex);
    CHECK(f.enter(Deadline::never()) == Entered::damaged);
    CHECK_FALSE(f.domain.mutex.sound());
    f.domain.mutex.format();
    CHECK(f.domain.mutex.sound());
    CHECK(f.enter() == Entered::yes);
    tx::leave(f.domain);
}

TEST_CASE("a domain that is made anew never repeats a sequence number") {
    Fixture f;
    std::uint64_t last = f.domain.sequence;
    for (int i = 0; i < 4; ++i) {
        if (i % 2 == 0) f.domain.sequence |= 1;  // its last life ended inside a mutation
        tx::format(f.domain, f.at + 512, 8);
        CHECK(f.domain.sequence > last);
        CHECK(f.domain.sequence % 2 == 0);
        last = f.domain.sequence;
    }
}

TEST_CASE("the mutex tells its owner's death once, to the next who locks it") {
    Fixture f;
    tx::RobustMutex& mutex = f.domain.mutex;
    CHECK_FALSE(mutex.owner_died());
    die_after([&] { (void)mutex.lock(); });
    CHECK(mutex.owner_died());
    CHECK(mutex.lock() == Acquired::owner_died);
    REQUIRE(mutex.mark_consistent());
    mutex.unlock();
    CHECK(mutex.lock() == Acquired::yes);
    mutex.unlock();
    // Not made consistent: nobody gets it any more.
    die_after([&] { (void)mutex.lock(); });
    CHECK(mutex.lock_until(Deadline::after(5s)) == Acquired::owner_died);
    mutex.unlock();
    CHECK(mutex.lock() == Acquired::damaged);
    CHECK(mutex.lock_until(Deadline::now()) == Acquired::damaged);
}

namespace {

// Does that process sleep in a futex, as the kernel says?
bool sleeps(pid_t process) {
    char text[64]{};
    const base::UniqueFd fd{::open(("/proc/" + std::to_string(process) + "/wchan").c_str(), O_RDONLY | O_CLOEXEC)};
    return ::read(fd.get(), text, sizeof text - 1) > 0 && std::strstr(text, "futex") != nullptr;
}

}  // namespace

TEST_CASE("a change of microseconds is waited for awake", "[processors]") {
    test::skip_on_one_processor();
    const Fixture f;
    std::atomic<int> begun{0}, entered{0};
    // One holds the domain; the other asks for it then, and is the next to hold it while the first asks.
    CHECK(test::mostly_awake(500, [&](int which) {
        if (which == 0) {
            entered += f.enter(Deadline::never()) == Entered::yes;
            ++begun;
            test::busy_for(2us);
            tx::leave(f.domain);
            for (const auto end = Deadline::Clock::now() + 1ms; begun % 2 != 0 && Deadline::Clock::now() < end;) {
            }
        } else {
            for (const auto end = Deadline::Clock::now() + 1ms; begun % 2 != 1 && Deadline::Clock::now() < end;) {
            }
            entered += f.enter(Deadline::never()) == Entered::yes;
            ++begun;
            tx::leave(f.domain);
        }
    }));
    CHECK(entered == begun);
}

TEST_CASE("whoever waits for a domain gets it when its owner dies") {
    Fixture f;
    test::Shared<std::uint32_t> held;
    const pid_t waiter = ::getpid();
    test::Child owner([&] {
        (void)f.enter();
        __atomic_store_n(&*held, 1u, __ATOMIC_RELEASE);
        // Until the parent sleeps in the futex; then dies holding the lock.
        const bool asleep = test::eventually([&] { return sleeps(waiter); });
        if (asleep) ::kill(::getpid(), SIGKILL);
        return 1;
    });
    REQUIRE(test::eventually([&] { return __atomic_load_n(&*held, __ATOMIC_ACQUIRE) == 1; }));
    CHECK(f.enter(Deadline::after(60s)) == Entered::recovered);
    CHECK(f.domain.mutex.owner() == ::getpid());
    tx::leave(f.domain);
    CHECK(owner.join() == -SIGKILL);
}

namespace {

// A waiter is woken, we are faster, and it dies. False: the machine was too busy for that, and it had the lock before us.
bool die_when_the_turn_has_come() {
    Fixture f;
    cpu_set_t before, one;
    REQUIRE(::sched_getaffinity(0, sizeof before, &before) == 0);
    CPU_ZERO(&one);
    CPU_SET(static_cast<std::size_t>(::sched_getcpu()), &one);
    REQUIRE(f.enter() == Entered::yes);
    // Two wait, the first of them on our processor and only when we have nothing to do there.
    test::Child first([&] {
        const sched_param none{};
        if (::sched_setaffinity(0, sizeof one, &one) != 0 || ::sched_setscheduler(0, SCHED_IDLE, &none) != 0) return 1;
        return f.enter(Deadline::never()) == Entered::yes ? 2 : 3;
    });
    REQUIRE(test::eventually([&] { return sleeps(first.pid()); }));
    test::Child second([&] {
        const Entered entered = f.enter(Deadline::never());
        if (entered == Entered::yes || entered == Entered::recovered) tx::leave(f.domain);
        return entered == Entered::yes ? 0 : 1;
    });
    REQUIRE(test::eventually([&] { return sleeps(second.pid()); }));
    REQUIRE(::sched_setaffinity(0, sizeof one, &one) == 0);
    // The first is woken, but we are faster, and it dies: nobody would wake the second any more.
    tx::leave(f.domain);
    const Entered again = f.enter();
    const bool first_is_inside = again == Entered::timed_out && f.domain.mutex.owner() == first.pid();
    first.kill(SIGKILL);
    const int end = first.join();
    if (again == Entered::yes || again == Entered::recovered) tx::leave(f.domain);
    ::sched_setaffinity(0, sizeof before, &before);
    std::atomic<bool> ended{false};
    std::thread watchdog([&] {
        if (!test::eventually([&] { return ended.load(); })) second.kill(SIGKILL);
    });
    const int ended_with = second.join();
    ended = true;
    watchdog.join();
    const bool first_was_faster = first_is_inside || again == Entered::recovered || end != -SIGKILL;
    if (!first_was_faster) {
        CHECK(again == Entered::yes);
        CHECK(ended_with == 0);
    } else {
        CHECK((ended_with == 0 || ended_with == 1));  // whoever came after the dead one mended what it left
    }
    return !first_was_faster;
}

}  // namespace

TEST_CASE("a waiter that dies when its turn has come leaves nobody asleep") {
    int rounds = 0;
    while (!die_when_the_turn_has_come()) REQUIRE(++rounds < 50);
}
