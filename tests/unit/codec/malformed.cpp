#include <memory>

#include <muster/detail/key.hpp>
#include <muster/detail/order.hpp>

#include "values.hpp"

using namespace codec_test;
using muster::decode;
using muster::Errc;
using muster::to_bytes;
using muster::Value;

namespace {

struct Record {
    int id;
    std::string name;
    std::map<int, std::optional<double>> rates;
    std::variant<bool, std::vector<std::byte>> extra;
};

// Decodes into a copy of its own size, so that a sanitizer sees one byte read too many.
template <typename T>
std::optional<Errc> failure(std::span<const std::byte> bytes) {
    const std::unique_ptr<std::byte[]> exact(new std::byte[bytes.size()]);
    std::copy(bytes.begin(), bytes.end(), exact.get());
    try {
        decode<T>({exact.get(), bytes.size()});
        return std::nullopt;
    } catch (const muster::Error& error) {
        return error.errc();
    }
}

bool is_decoding_error(std::optional<Errc> code) {
    return !code || *code == Errc::damaged || *code == Errc::type_mismatch || *code == Errc::value_error;
}

template <typename T>
void damaged_when_cut(const T& value) {
    const Bytes whole = to_bytes(value);
    REQUIRE_FALSE(failure<T>(whole));
    for (std::size_t size = 0; size < whole.size(); ++size) {
        INFO(size << " of " << hex(whole));
        REQUIRE(failure<T>(std::span(whole).first(size)) == Errc::damaged);
        REQUIRE(failure<Value>(std::span(whole).first(size)) == Errc::damaged);
    }
    Bytes longer = whole;
    longer.push_back(std::byte{0xc0});
    REQUIRE(failure<T>(longer) == Errc::damaged);
    REQUIRE(failure<Value>(longer) == Errc::damaged);
}

}  // namespace

TEST_CASE("every truncation and every extra byte is damage") {
    damaged_when_cut(7);
    damaged_when_cut(-7'000'000'000);
    damaged_when_cut(0.1);
    damaged_when_cut(0.5F);
    damaged_when_cut(true);
    damaged_when_cut(std::string("some text that is longer than thirty-one bytes"));
    damaged_when_cut(std::string(300, 'x'));
    damaged_when_cut(bytes_of({1, 2, 3}));
    damaged_when_cut(muster::ObjectRef{1, 2});
    damaged_when_cut(std::vector<int>(20, 1000));
    damaged_when_cut(std::map<std::string, int>{{"a", 1}, {"b", 2}});
    damaged_when_cut(Record{1, "n", {{1, 0.5}, {2, std::nullopt}}, bytes_of({1, 2})});
}

TEST_CASE("every truncation of a random value is damage") {
    const std::uint32_t seed = a_seed();
    INFO("seed " << seed);
    RandomValues random(seed);
    for (int round = 0; round < 300; ++round) {
        const Bytes whole = to_bytes(random.value(3));
        if (whole.size() > 600) continue;
        for (std::size_t size = 0; size < whole.size(); ++size)
            REQUIRE(failure<Value>(std::span(whole).first(size)) == Errc::damaged);
    }
}

TEST_CASE("a count that the bytes cannot hold is damage before memory is asked for") {
    CHECK(failure<std::vector<Record>>(bytes_of({0xdd, 0xff, 0xff, 0xff, 0xff, 0x00})) == Errc::damaged);
    CHECK(failure<Value>(bytes_of({0xdd, 0xff, 0xff, 0xff, 0xff, 0x00})) == Errc::damaged);
    CHECK(failure<Value>(bytes_of({0xdf, 0xff, 0xff, 0xff, 0xff, 0x00, 0x00})) == Errc::damaged);
    CHECK(failure<std::string>(bytes_of({0xdb, 0xff, 0xff, 0xff, 0xff, 0x00})) == Errc::damaged);
    CHECK(failure<Value>(bytes_of({0xc6, 0xff, 0xff, 0xff, 0xff, 0x00})) == Errc::damaged);
    CHECK(failure<Value>(bytes_of({0xc9, 0xff, 0xff, 0xff, 0xff, 0x01, 0x00})) == Errc::damaged);
}

TEST_CASE("the undefined leading byte is damage for every type") {
    const Bytes undefined = bytes_of({0xc1});
    CHECK(failure<int>(undefined) == Errc::damaged);
    CHECK(failure<bool>(undefined) == Errc::damaged);
    CHECK(failure<double>(undefined) == Errc::damaged);
    CHECK(failure<std::string>(undefined) == Errc::damaged);
    CHECK(failure<std::optional<int>>(undefined) == Errc::damaged);
    CHECK(failure<std::vector<int>>(undefined) == Errc::damaged);
    CHECK(failure<std::map<int, int>>(undefined) == Errc::damaged);
    CHECK(failure<Value>(undefined) == Errc::damaged);
    CHECK(failure<Value>(bytes_of({0x91, 0xc1})) == Errc::damaged);
}

TEST_CASE("random bytes give a value or an error of decoding, for every consumer") {
    const std::uint32_t seed = a_seed();
    INFO("seed " << seed);
    RandomValues random(seed);
    Bytes previous = bytes_of({0xc0});
    for (int round = 0; round < 50'000; ++round) {
        Bytes bytes(random.below(24));
        for (std::byte& byte : bytes) byte = static_cast<std::byte>(random.below(256));
        if (!bytes.empty() && random.below(2)) bytes[0] = static_cast<std::byte>(0x80 + random.below(0x20));
        INFO("round " << round << ": " << hex(bytes));
        REQUIRE(is_decoding_error(failure<Value>(bytes)));
        REQUIRE(is_decoding_error(failure<Record>(bytes)));
        REQUIRE(is_decoding_error(failure<int>(bytes)));
        REQUIRE(is_decoding_error(failure<std::vector<std::pair<std::string, int>>>(bytes)));
        try {
            muster::CanonicalKey key(bytes);
        } catch (const muster::Error& error) {
            REQUIRE((error.errc() == Errc::unhashable || error.errc() == Errc::damaged));
        }
        try {
            muster::compare(bytes, previous);
            muster::equal(bytes, bytes);
        } catch (const muster::Error& error) {
            REQUIRE(error.errc() == Errc::damaged);
        }
        previous = std::move(bytes);
    }
}
