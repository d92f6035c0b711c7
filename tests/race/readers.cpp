// Readers that take no lock, against writers. ThreadSanitizer watches (preset tsan); without it the values tell.
#include <catch2/catch.hpp>

#include "race/team.hpp"
#include "support/local_realm.hpp"

using namespace muster;
using test::Team;

namespace {

// A value that shows by itself whether it is whole: one letter, repeated, the length by the letter.
std::string whole(std::size_t seed) {
    static constexpr std::size_t lengths[] = {0, 1, 7, 40, 255, 256, 257, 4000, 70'000};
    return std::string(lengths[seed % std::size(lengths)] + seed % 3, static_cast<char>('a' + seed % 26));
}

bool is_whole(const std::string& value) {
    return value.empty() || value.find_first_not_of(value.front()) == std::string::npos;
}

}  // namespace

TEST_CASE("a dict's readers see whole values while writers change, grow and empty it") {
    const test::LocalRealm realm;
    auto dict = realm.manager().dict<int, std::string>();
    constexpr int keys = 200;
    std::atomic<std::size_t> found{0}, torn{0};
    Team team;
    for (std::size_t w = 0; w < 2; ++w)
        team.work(1500, [&, w](std::size_t i) {
            const int key = static_cast<int>((i * 7 + w) % keys);
            if (i % 5 == 4)
                dict.erase(key);
            else
                dict.set(key, 'x' + whole(i));
            if (i % 700 == 699) dict.clear();
        });
    team.watch([&](std::size_t) {
        for (int key = 0; key < keys; ++key)  // on a busy machine it may be the only turn
            if (const auto value = dict.get(key)) {
                ++found;
                if (!is_whole(value->substr(1)) && value->size() > 1) ++torn;
            }
    });
    team.watch([&](std::size_t) {
        for (const auto& [key, value] : dict.snapshot())
            if (value.front() != 'x' || (value.size() > 1 && !is_whole(value.substr(1)))) ++torn;
    });
    team.run();
    CHECK(found > 0);
    CHECK(torn == 0);
    CHECK(realm.daemon().check().violations.empty());
}

TEST_CASE("a list's readers see whole items while others insert, pop and sort") {
    const test::LocalRealm realm;
    auto list = realm.manager().list<std::string>();
    for (std::size_t i = 0; i < 50; ++i) list.append('x' + whole(i));
    std::atomic<std::size_t> seen{0}, torn{0};
    Team team;
    for (std::size_t w = 0; w < 2; ++w)
        team.work(1000, [&, w](std::size_t i) {
            if (i % 3 == 0)
                list.insert(static_cast<std::int64_t>(i % 40), 'x' + whole(i + w));
            else if (i % 3 == 1)
                list.append('x' + whole(i));
            else if (list.size() > 20)
                (void)list.pop(static_cast<std::int64_t>(i % 15));
            if (i % 300 == 299) list.sort();
        });
    team.watch([&](std::size_t i) {
        try {
            const std::string item = list.at(static_cast<std::int64_t>(i % 15));
            ++seen;
            if (item.front() != 'x' || (item.size() > 1 && !is_whole(item.substr(1)))) ++torn;
        } catch (const Error& error) {
            if (error.errc() != Errc::index_error) throw;
        }
    });
    team.watch([&](std::size_t) {
        for (const std::string& item : list.snapshot())
            if (item.front() != 'x' || (item.size() > 1 && !is_whole(item.substr(1)))) ++torn;
    });
    team.run();
    CHECK(seen > 0);
    CHECK(torn == 0);
    CHECK(realm.daemon().check().violations.empty());
}

// One change, two words: a reader sees both or neither.
TEST_CASE("what one call changes is seen at once") {
    const test::LocalRealm realm;
    auto dict = realm.manager().dict<int, std::uint64_t>();
    dict.set(0, 0);
    std::atomic<std::size_t> looks{0}, broken{0};
    Team team;
    for (int w = 0; w < 2; ++w)
        team.work(5000, [&](std::size_t) {
            dict.update(0, [](std::optional<std::uint64_t> old) {
                const std::uint64_t next = (*old & 0xffff'ffff) + 1;
                return next << 32 | next;
            });
        });
    for (int r = 0; r < 2; ++r)
        team.watch([&](std::size_t) {
            const std::uint64_t value = dict.at(0);
            ++looks;
            if (value >> 32 != (value & 0xffff'ffff)) ++broken;
        });
    team.run();
    CHECK(looks > 0);
    CHECK(broken == 0);
    CHECK((dict.at(0) & 0xffff'ffff) == 10'000);
}

TEST_CASE("names come and go while others look for them") {
    const test::LocalRealm realm;
    const Manager manager = realm.manager();
    std::atomic<std::size_t> opened{0}, wrong{0};
    Team team;
    for (std::size_t w = 0; w < 2; ++w)
        team.work(400, [&, w](std::size_t i) {
            const std::string name = "n" + std::to_string((i + w) % 8);
            try {
                manager.dict<int, int>(name).set(1, 1);
            } catch (const Error& error) {  // erased by the other one
                if (error.errc() != Errc::destroyed) throw;
            }
            (void)manager.erase("n" + std::to_string((i * 3 + w) % 8));
        });
    team.watch([&](std::size_t i) {
        try {
            if (auto dict = manager.find<Dict<int, int>>("n" + std::to_string(i % 8))) {
                ++opened;
                const auto value = dict->get(1);
                if (value && *value != 1) ++wrong;
            }
        } catch (const Error& error) {
            if (error.errc() != Errc::destroyed) throw;
        }
    });
    team.watch([&](std::size_t) {
        for (const std::string& name : manager.names())
            if (name.size() != 2 || name.front() != 'n') ++wrong;
    });
    team.run();
    CHECK(opened > 0);
    CHECK(wrong == 0);
    for (const std::string& name : manager.names()) manager.erase(name);
    CHECK(realm.daemon().check().violations.empty());
}
