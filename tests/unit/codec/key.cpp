#include <muster/detail/key.hpp>
#include <muster/detail/order.hpp>

#include "values.hpp"

using namespace codec_test;
using muster::CanonicalKey;
using muster::Errc;
using muster::KeyBytes;
using muster::to_bytes;
using muster::Value;

namespace {

struct Corner {
    int x, y;
};
enum class Colour { red };
enum class Flag : bool { off, on };

template <typename K>
std::string key(const K& value) {
    const std::string direct = hex(KeyBytes<K>(value).bytes());
    const Bytes encoded = to_bytes(value);
    CHECK(direct == hex(CanonicalKey(encoded).bytes()));  // both ways lead to the same bytes
    return direct;
}

}  // namespace

static_assert(muster::is_canonical_by_type<int> && muster::is_canonical_by_type<std::string>);
static_assert(muster::is_canonical_by_type<char[3]> && muster::is_canonical_by_type<Colour>);
static_assert(muster::is_canonical_by_type<std::pair<int, std::string>> &&
              muster::is_canonical_by_type<std::vector<std::byte>>);
static_assert(!muster::is_canonical_by_type<bool> && !muster::is_canonical_by_type<double>);
static_assert(!muster::is_canonical_by_type<Value> && !muster::is_canonical_by_type<std::tuple<int, double>>);
static_assert(!muster::is_canonical_by_type<Corner> && !muster::is_canonical_by_type<std::map<int, int>>);
static_assert(!muster::is_canonical_by_type<Flag>);

TEST_CASE("1, 1.0 and true are one key") {
    CHECK(key(1) == "01");
    CHECK(key(1.0) == "01");
    CHECK(key(1.0F) == "01");
    CHECK(key(true) == "01");
    CHECK(key(Flag::on) == "01");
    CHECK(key(Value(1.0)) == "01");
    CHECK(key(Value(true)) == "01");
    CHECK(key(false) == "00");
    CHECK(key(-0.0) == "00");
}

TEST_CASE("integral floating-point numbers are integers as far as integers go") {
    CHECK(key(0x1p63) == key(std::uint64_t{1} << 63));
    CHECK(key(-0x1p63) == key(std::numeric_limits<std::int64_t>::min()));
    CHECK(key(0x1p64) == "cb 43 f0 00 00 00 00 00 00");
    CHECK(key(-0x1.0000000000001p63).substr(0, 2) == "cb");
    CHECK(key(-5.0) == key(-5));
    CHECK(key(1e300).substr(0, 2) == "cb");
    CHECK(key(HUGE_VAL) == "cb 7f f0 00 00 00 00 00 00");
}

TEST_CASE("other floating-point numbers take eight bytes, however they were stored") {
    CHECK(key(0.25) == "cb 3f d0 00 00 00 00 00 00");
    CHECK(key(0.25F) == key(0.25));
    CHECK(hex(CanonicalKey(bytes_of({0xca, 0x3e, 0x80, 0, 0})).bytes()) == key(0.25));
    CHECK(key(std::nan("")) == key(std::nan("")));
    CHECK(key(std::nan("1")) != key(std::nan("2")));
}

TEST_CASE("wide encodings of integers, strings and arrays are brought to the smallest") {
    CHECK(hex(CanonicalKey(bytes_of({0xd3, 0, 0, 0, 0, 0, 0, 0, 5})).bytes()) == "05");
    CHECK(hex(CanonicalKey(bytes_of({0xd9, 1, 'x'})).bytes()) == "a1 78");
    CHECK(hex(CanonicalKey(bytes_of({0xdc, 0, 1, 0xca, 0x3f, 0x80, 0, 0})).bytes()) == "91 01");
}

TEST_CASE("strings, binary, nil and numbers are different keys") {
    CHECK(key("1") != key(1));
    CHECK(key(std::string("ab")) != key(bytes_of({'a', 'b'})));
    CHECK(key(nullptr) == "c0");
    CHECK(key(std::string(1000, 'k')).size() == 3 * 1003 - 1);
    CHECK(key(Value(std::string(1000, 'k'))) == key(std::string(1000, 'k')));
}

TEST_CASE("arrays are keys element by element") {
    CHECK(key(std::tuple{1.0, true, std::string("x")}) == key(std::tuple{1, 1, std::string("x")}));
    CHECK(key(Value{1, {2.0, nullptr}}) == key(Value{1.0, {2, nullptr}}));
    CHECK(key(Corner{1, 2}) == key(std::vector<int>{1, 2}));
}

TEST_CASE("maps and object references cannot be keys, nor can what contains them") {
    CHECK(code_of([] { KeyBytes<Value> refused(Value::object()); }) == Errc::unhashable);
    CHECK(code_of([] { KeyBytes<Value> refused(Value{1, {{"a", 2}}}); }) == Errc::unhashable);
    CHECK(code_of([] { KeyBytes<muster::ObjectRef> refused({1, 2}); }) == Errc::unhashable);
    CHECK(code_of([] { KeyBytes<std::map<std::string, int>> refused({}); }) == Errc::unhashable);
}

TEST_CASE("a key that is not one whole value is damage") {
    CHECK(code_of([] { CanonicalKey refused(Bytes{}); }) == Errc::damaged);
    CHECK(code_of([] { CanonicalKey refused(bytes_of({0xa2, 'x'})); }) == Errc::damaged);
    CHECK(code_of([] { CanonicalKey refused(bytes_of({1, 2})); }) == Errc::damaged);
    CHECK(code_of([] { CanonicalKey refused(bytes_of({0xa1, 'x', 0xc0})); }) == Errc::damaged);
}

TEST_CASE("a canonical key reads back as the type it came from") {
    CHECK(muster::decode_key<bool>(KeyBytes<bool>(true).bytes()));
    CHECK(muster::decode_key<double>(KeyBytes<double>(3.0).bytes()) == 3.0);
    CHECK(muster::decode_key<float>(KeyBytes<float>(0.1F).bytes()) == 0.1F);
    using Tuple = std::tuple<bool, double, std::string>;
    const Tuple tuple{true, 2.0, "x"};
    CHECK(muster::decode_key<Tuple>(KeyBytes<Tuple>(tuple).bytes()) == tuple);
    CHECK(code_of([] { muster::decode_key<bool>(to_bytes(2)); }) == Errc::type_mismatch);
}

TEST_CASE("two values are one key exactly when they are equal") {
    const std::uint32_t seed = a_seed();
    INFO("seed " << seed);
    RandomValues random(seed);
    int same = 0;
    for (int round = 0; round < 30'000; ++round) {
        const auto number = [&]() -> Value {
            const std::uint64_t small = random.below(3);
            switch (random.below(5)) {
                case 0:
                    return small;
                case 1:
                    return static_cast<double>(small);
                case 2:
                    return small == 1;
                case 3:
                    return random.floating();
                default:
                    return random.bits();
            }
        };
        Value a = number(), b = number();
        if (random.below(4) == 0)
            a = static_cast<double>(b.is_number_unsigned() ? b.get<std::uint64_t>() : 7);
        if (random.below(3) == 0) a = Value::array({a, "s"}), b = Value::array({b, "s"});
        const Bytes left = to_bytes(a), right = to_bytes(b);
        const bool one_key = hex(CanonicalKey(left).bytes()) == hex(CanonicalKey(right).bytes());
        INFO("round " << round << ": " << a << " and " << b);
        REQUIRE(one_key == muster::equal(left, right));
        same += one_key;
    }
    CHECK(same > 1000);
}
