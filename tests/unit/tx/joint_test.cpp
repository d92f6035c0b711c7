// A joint transaction over two domains: decided by one word, whoever mends what the dead left.
#include "unit/tx/domain_fixture.hpp"

using namespace muster;
using test::DomainFixture;
using tx::FreedLater;
using tx::Joint;
using tx::Tx;

namespace {

constexpr std::uint32_t slot = 5;

// Two domains in one page, their words beside them.
struct Pair {
    DomainFixture f;
    tx::DomainRep& other = *f.segment->at<tx::DomainRep>(f.at + 128);
    tx::Cell<std::uint64_t>& first = f.words[0];
    tx::Cell<std::uint64_t>& second = f.words[1];

    Pair() { tx::format(other, f.at + 3072, test::log_entries); }
    std::uint64_t& decided() const {
        return *f.segment->at<std::uint64_t>(f.segment->regions().slots + slot * segment::slot_size +
                                             segment::slot_joint_decided);
    }
    void lock() const {
        REQUIRE(f.enter() == tx::Entered::yes);
        REQUIRE(tx::enter(*f.segment, other, base::Deadline::now()) == tx::Entered::yes);
    }
    void unlock() const {
        tx::leave(f.domain);
        tx::leave(other);
    }
    // Both words become `value`; `at` is called after each step with its number.
    void change(std::uint64_t value, const std::function<void(int)>& at) const {
        lock();
        Joint joint(*f.segment, slot);
        FreedLater later[2];
        joint.mark(f.domain);
        at(0);
        joint.mark(other);
        at(1);
        Tx one(*f.segment, f.domain, later[0]), two(*f.segment, other, later[1]);
        one.set(first, value);
        at(2);
        two.set(second, value);
        at(3);
        joint.decide();
        at(4);
        one.commit();
        at(5);
        Joint::unmark(f.domain);
        at(6);
        two.commit();
        Joint::unmark(other);
        at(7);
        unlock();
    }
};

}  // namespace

TEST_CASE("a joint transaction changes all its domains, and leaves no mark") {
    Pair p;
    p.change(7, [](int) {});
    CHECK(p.first == 7);
    CHECK(p.second == 7);
    CHECK(p.decided() == 1);
    CHECK(p.f.domain.joint_slot == 0);
    CHECK(p.other.joint_slot == 0);
    CHECK(p.f.sequence() % 2 == 0);
    CHECK(tx::sequence_of(p.other) % 2 == 0);
    p.change(8, [](int) {});
    CHECK(p.decided() == 2);
    CHECK(p.second == 8);
}

TEST_CASE("one that is not decided is undone in every domain, and its number is given out again") {
    Pair p;
    CHECK_THROWS_AS(p.change(7, [](int at) { if (at == 3) throw at; }), int);
    p.unlock();
    CHECK(p.first == 0);
    CHECK(p.second == 0);
    CHECK(p.decided() == 0);
    CHECK(p.f.domain.joint_slot == 0);
    CHECK(p.other.joint_slot == 0);
    p.change(9, [](int) {});
    CHECK(p.first == 9);
    CHECK(p.decided() == 1);
}

TEST_CASE("after a death every domain goes the same way, in whatever order it is mended") {
    const int step = GENERATE(range(0, 8));
    const bool other_first = GENERATE(false, true);
    Pair p;
    p.change(3, [](int) {});
    test::die_after([&] {
        p.change(4, [&](int at) { if (at == step) ::kill(::getpid(), SIGKILL); });
    });
    INFO("died after step " << step);
    const std::uint64_t expected = step < 4 ? 3 : 4;
    tx::DomainRep* const order[] = {other_first ? &p.other : &p.f.domain, other_first ? &p.f.domain : &p.other};
    for (tx::DomainRep* domain : order) {
        CHECK(tx::enter(*p.f.segment, *domain, base::Deadline::now()) == tx::Entered::recovered);
        CHECK(domain->joint_slot == 0);
        CHECK(domain->log_count == 0);
        CHECK(domain->sequence % 2 == 0);
        CHECK((domain == &p.other ? p.second : p.first) == expected);
        tx::leave(*domain);
    }
}

TEST_CASE("a mark that no thread can have set is damage, not a reason to guess") {
    Pair p;
    test::die_after([&] {
        p.change(4, [&](int at) { if (at == 3) ::kill(::getpid(), SIGKILL); });
    });
    SECTION("a number ahead of its slot's") { p.f.domain.joint_number = 3; }
    SECTION("a number that has long been done") { p.decided() = 9; }
    SECTION("no number") { p.f.domain.joint_number = 0; }
    SECTION("no slot of the segment's") { p.f.domain.joint_slot = segment::max_slots + 1; }
    CHECK(tx::enter(*p.f.segment, p.f.domain, base::Deadline::now()) == tx::Entered::damaged);
}

TEST_CASE("a transaction of many changes logs a word once, and says when its log is full") {
    DomainFixture f;
    FreedLater later;
    REQUIRE(f.enter() == tx::Entered::yes);
    {
        Tx tx(*f.segment, f.domain, later);
        for (std::uint64_t i = 0; i < 100; ++i) tx.set(f.words[i % 3], i);
        CHECK(tx.entries() == 3);
        CHECK(tx.entries_left() == test::log_entries - 3);
        const std::uint64_t four[4] = {1, 2, 3, 4};
        tx.write(&f.words[1], four, sizeof four);  // two of them are logged
        CHECK(tx.entries() == 5);
        for (std::size_t i = 5; i < 8; ++i) tx.set(f.words[i], 1);
        CHECK(tx.entries() == test::log_entries);
        tx.set(f.words[0], 77);
        CHECK_THROWS_AS(tx.set(f.words[9], 1), tx::LogFull);
    }
    for (std::size_t i = 0; i < 10; ++i) CHECK(f.words[i] == 0);
    tx::leave(f.domain);
}
