#include "unit/tx/domain_fixture.hpp"

using namespace muster;
using Fixture = test::DomainFixture;
using test::log_entries;
using tx::Tx;

TEST_CASE("what is set is there after the commit") {
    Fixture f;
    const std::uint64_t before = f.sequence();
    {
        Tx tx(*f.segment, f.domain);
        tx.set(f.words[0], 11);
        tx.set(f.halves[1], 12);
        CHECK(f.words[0] == 11);
        CHECK(f.sequence() % 2 == 1);
        CHECK(tx.entries() == 2);
        CHECK(tx.entries_left() == log_entries - 2);
        tx.commit();
        CHECK(tx.entries() == 0);
    }
    CHECK(f.words[0] == 11);
    CHECK(f.halves[1] == 12);
    CHECK(f.sequence() == before + 2);
    CHECK(f.domain.log_count == 0);
}

TEST_CASE("what is not committed has never been") {
    Fixture f;
    Tx::init(f.words[0], 1);
    Tx::init(f.halves[0], 2);
    Tx::init(f.halves[1], 3);
    const std::uint64_t before = f.sequence();
    {
        Tx tx(*f.segment, f.domain);
        tx.set(f.words[0], 10);
        tx.set(f.halves[1], 30);
        tx.set(f.words[0], 100);
    }
    CHECK(f.words[0] == 1);
    CHECK(f.halves[0] == 2);
    CHECK(f.halves[1] == 3);
    CHECK(f.sequence() == before + 2);
    CHECK(f.domain.log_count == 0);
}

TEST_CASE("an exception undoes the transaction") {
    Fixture f;
    const auto fail = [&] {
        Tx tx(*f.segment, f.domain);
        tx.set(f.words[3], 1);
        throw std::runtime_error("no");
    };
    CHECK_THROWS(fail());
    CHECK(f.words[3] == 0);
    CHECK(f.sequence() % 2 == 0);
}

TEST_CASE("an explicit roll-back leaves the transaction usable") {
    Fixture f;
    Tx tx(*f.segment, f.domain);
    tx.set(f.words[0], 1);
    tx.freed();
    tx.roll_back();
    CHECK(f.words[0] == 0);
    CHECK_FALSE(tx.has_freed());
    tx.set(f.words[1], 2);
    tx.commit();
    CHECK(f.words[1] == 2);
}

TEST_CASE("bytes are written over words that were, and undone") {
    Fixture f;
    const std::string old = "the old text of 27 letters.", fresh = "another one";
    char* place = reinterpret_cast<char*>(f.words);
    Tx::init_bytes(place, old.data(), old.size());
    {
        Tx tx(*f.segment, f.domain);
        tx.write(place, fresh.data(), fresh.size());
        CHECK(tx.entries() == 2);
        CHECK(std::string(place, fresh.size()) == fresh);
    }
    CHECK(std::string(place, old.size()) == old);
}

TEST_CASE("one word is published without a log") {
    Fixture f;
    const std::uint64_t before = f.sequence();
    Tx::publish(f.domain, f.words[2], 9);
    CHECK(f.words[2] == 9);
    CHECK(f.sequence() == before + 2);
    Tx::publish(f.domain, f.words[2], 10);
    CHECK(f.sequence() == before + 4);
}

TEST_CASE("a transaction that changes nothing moves no number") {
    Fixture f;
    const std::uint64_t before = f.sequence();
    {
        Tx tx(*f.segment, f.domain);
        tx.commit();
    }
    CHECK(f.sequence() == before);
}

TEST_CASE("the log holds as many entries as it says, and the next is a broken invariant") {
    Fixture f;
    {
        Tx tx(*f.segment, f.domain);
        for (std::uint64_t i = 0; i < log_entries; ++i) tx.set(f.words[i], i + 1);
        CHECK(tx.entries_left() == 0);
    }
    for (std::uint64_t i = 0; i < log_entries; ++i) CHECK(f.words[i] == 0);
    test::Child child([&] {
        ::signal(SIGABRT, SIG_DFL);
        (void)!::freopen("/dev/null", "w", stderr);
        Tx tx(*f.segment, f.domain);
        for (std::uint64_t i = 0; i <= log_entries; ++i) tx.set(f.words[i], i + 1);
        return 0;
    });
    CHECK(child.join() == -SIGABRT);
    CHECK(f.words[log_entries] == 0);  // refused before it was changed
    REQUIRE(tx::recover(*f.segment, f.domain));
    for (std::uint64_t i = 0; i < log_entries; ++i) CHECK(f.words[i] == 0);
}

TEST_CASE("readers copy out between changes, and say so when they cannot") {
    Fixture f;
    std::uint64_t copy = 0;
    CHECK(tx::read_validated(f.domain, [&] { copy = f.words[0]; }));
    Tx tx(*f.segment, f.domain);
    tx.set(f.words[0], 5);
    int calls = 0;
    CHECK_FALSE(tx::read_validated(f.domain, [&] { ++calls; }));
    CHECK(calls == 0);
    tx.commit();
    CHECK(tx::read_validated(f.domain, [&] { copy = f.words[0]; }));
    CHECK(copy == 5);
}

TEST_CASE("a reader that a writer overtook tries again") {
    Fixture f;
    int calls = 0;
    CHECK(tx::read_validated(f.domain, [&] {
        if (++calls == 1) Tx::publish(f.domain, f.words[0], 1);
    }));
    CHECK(calls == 2);
    CHECK_FALSE(tx::read_validated(f.domain, [&] { Tx::publish(f.domain, f.words[0], 1); }, 3));
}

TEST_CASE("damage that a writer explains is no damage, other damage is told") {
    Fixture f;
    int calls = 0;
    CHECK(tx::read_validated(f.domain, [&] {
        if (++calls > 1) return;
        Tx::publish(f.domain, f.words[0], 1);
        throw segment::Damage{"torn"};
    }));
    CHECK_THROWS_AS(tx::read_validated(f.domain, [&] { throw segment::Damage{"real"}; }), segment::Damage);
}
