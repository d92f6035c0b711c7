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

TEST_CASE("the log holds as many entries as it says, and the next is refused and all undone") {
    Fixture f;
    {
        Tx tx(*f.segment, f.domain);
        for (std::uint64_t i = 0; i < log_entries; ++i) tx.set(f.words[i], i + 1);
        CHECK(tx.entries_left() == 0);
    }
    for (std::uint64_t i = 0; i < log_entries; ++i) CHECK(f.words[i] == 0);
    const auto one_too_many = [&] {
        Tx tx(*f.segment, f.domain);
        for (std::uint64_t i = 0; i <= log_entries; ++i) tx.set(f.words[i], i + 1);
    };
    CHECK_THROWS_AS(one_too_many(), segment::Damage);
    const auto many_at_once = [&] {
        Tx tx(*f.segment, f.domain);
        tx.set(f.words[0], 1);
        tx.save_words(f.words, log_entries);
    };
    CHECK_THROWS_AS(many_at_once(), segment::Damage);
    for (std::uint64_t i = 0; i <= log_entries; ++i) CHECK(f.words[i] == 0);
    CHECK(f.domain.log_count == 0);
    CHECK(f.sequence() % 2 == 0);
}

TEST_CASE("a transaction does not begin on a log that is not empty or lies where none can") {
    Fixture f;
    SECTION("entries in force") { f.domain.log_count = 1; }
    SECTION("over the objects") { f.domain.log_offset = f.segment->regions().objects; }
    SECTION("over the other domains") { f.domain.log_offset = f.segment->regions().segment_domain; }
    SECTION("at the end of the fixed logs") { f.domain.log_offset = f.segment->regions().extent_roots - 64; }
    SECTION("longer than the segment") { f.domain.log_capacity = f.segment->capacity(); }
    CHECK_THROWS_AS(Tx(*f.segment, f.domain), segment::Damage);
}

TEST_CASE("a log that was overwritten meanwhile stays in force and is never applied") {
    Fixture f;
    {
        Tx tx(*f.segment, f.domain);
        tx.set(f.words[0], 1);
        tx.set(f.words[1], 2);
        // A word of a domain: whatever a log names, no mutex is overwritten.
        f.log[0].offset = f.segment->regions().objects;
    }
    CHECK(f.words[0] == 1);
    CHECK(f.domain.log_count == 2);
    CHECK_THROWS_AS(Tx(*f.segment, f.domain), segment::Damage);
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
