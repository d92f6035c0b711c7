#include <muster/detail/order.hpp>

#include "values.hpp"

using namespace codec_test;
using muster::to_bytes;
using muster::Value;
using Order = std::partial_ordering;

namespace {

template <typename A, typename B>
Order order(const A& a, const B& b) {
    const Bytes left = to_bytes(a), right = to_bytes(b);
    const Order found = muster::compare(left, right);
    CHECK(muster::compare(right, left) == 0 <=> found);
    if (found == 0) CHECK(muster::equal(left, right));
    if (found < 0 || found > 0) CHECK_FALSE(muster::equal(left, right));
    return found;
}

template <typename A, typename B>
bool equal(const A& a, const B& b) {
    const Bytes left = to_bytes(a), right = to_bytes(b);
    const bool found = muster::equal(left, right);
    CHECK(muster::equal(right, left) == found);
    return found;
}

// The oracle: long double holds every int64, uint64 and double without rounding.
long double exactly(const Value& number) {
    if (number.is_boolean()) return number.get<bool>() ? 1 : 0;
    if (number.is_number_unsigned()) return static_cast<long double>(number.get<std::uint64_t>());
    if (number.is_number_integer()) return static_cast<long double>(number.get<std::int64_t>());
    return static_cast<long double>(number.get<double>());
}
static_assert(std::numeric_limits<long double>::digits >= 64);

}  // namespace

TEST_CASE("numbers compare by value, across kinds and without rounding") {
    CHECK(order(1, 2) == Order::less);
    CHECK(order(-1, 1U) == Order::less);
    CHECK(order(-300, -5) == Order::less);
    CHECK(order(1, 1.0) == Order::equivalent);
    CHECK(order(true, 1) == Order::equivalent);
    CHECK(order(true, 0.5) == Order::greater);
    CHECK(order(-0.0, 0) == Order::equivalent);
    CHECK(order(-1, -0.5) == Order::less);
    CHECK(order(-1, -1.5) == Order::greater);
    CHECK(order((1LL << 53) + 1, 0x1p53) == Order::greater);
    CHECK(order(std::numeric_limits<std::int64_t>::max(), 0x1p63) == Order::less);
    CHECK(order(std::numeric_limits<std::uint64_t>::max(), 0x1p64) == Order::less);
    CHECK(order(std::numeric_limits<std::int64_t>::min(), -0x1p63) == Order::equivalent);
    CHECK(order(std::numeric_limits<std::int64_t>::min(), -0x1.0000000000001p63) == Order::greater);
    CHECK(order(5, HUGE_VAL) == Order::less);
    CHECK(order(5, -HUGE_VAL) == Order::greater);
}

TEST_CASE("random numbers compare as exact arithmetic says") {
    const std::uint32_t seed = a_seed();
    INFO("seed " << seed);
    RandomValues random(seed);
    const auto number = [&]() -> Value {
        switch (random.below(5)) {
            case 0:
                return random.below(2) == 1;
            case 1:
                return random.bits();
            case 2:
                return -static_cast<std::int64_t>(random.bits() >> 1) - 1;
            case 3:
                return static_cast<double>(random.bits());
            default:
                return random.floating();
        }
    };
    for (int round = 0; round < 50'000; ++round) {
        const Value a = number(), b = number();
        INFO("round " << round << ": " << a << " and " << b);
        REQUIRE(order(a, b) == (exactly(a) <=> exactly(b)));
    }
}

TEST_CASE("strings and binary compare bytewise") {
    CHECK(order("a", "b") == Order::less);
    CHECK(order("ab", "a") == Order::greater);
    CHECK(order("", "a") == Order::less);
    CHECK(order("", "") == Order::equivalent);
    CHECK(order("Z", "\xC3\xA9") == Order::less);
    CHECK(order(std::string(40, 'a'), "b") == Order::less);
    CHECK(order(bytes_of({1, 255}), bytes_of({2})) == Order::less);
    CHECK(order(bytes_of({}), bytes_of({0})) == Order::less);
}

TEST_CASE("arrays compare by the first elements that differ, then by length") {
    CHECK(order(Value{3, "hello"}, Value{5, 100}) == Order::less);
    CHECK(order(Value{1, 2}, Value{1, 2, 0}) == Order::less);
    CHECK(order(Value{1, {2, 3}}, Value{1.0, {2, 4}}) == Order::less);
    CHECK(order(Value{1, {2, 3}, 9}, Value{1.0, {true, 4}, 0}) == Order::greater);
    CHECK(order(Value::array(), Value::array()) == Order::equivalent);
    CHECK(order(Value{1, nullptr, 2}, Value{1, nullptr, 3}) == Order::less);
    CHECK(order(Value{1, "a"}, Value{1, 2}) == Order::unordered);
    CHECK(order(Value{1, nullptr}, Value{1, 2}) == Order::unordered);
}

TEST_CASE("what has no natural order is unordered") {
    CHECK(order("1", 1) == Order::unordered);
    CHECK(order(nullptr, 1) == Order::unordered);
    CHECK(order(nullptr, nullptr) == Order::unordered);
    CHECK(order(Value::object(), Value::object()) == Order::unordered);
    CHECK(order(muster::ObjectRef{1, 1}, muster::ObjectRef{1, 1}) == Order::unordered);
    CHECK(order("a", bytes_of({'a'})) == Order::unordered);
    CHECK(order(std::nan(""), 1) == Order::unordered);
    CHECK(order(std::nan(""), std::nan("")) == Order::unordered);
}

TEST_CASE("equality is natural, through arrays and maps") {
    CHECK(equal(1, true));
    CHECK(equal(nullptr, nullptr));
    CHECK_FALSE(equal(nullptr, 0));
    CHECK_FALSE(equal("1", 1));
    CHECK_FALSE(equal(std::nan(""), std::nan("")));
    CHECK(equal(Value{1, 2.0, "x"}, Value{1.0, 2, "x"}));
    CHECK_FALSE(equal(Value{1, 2}, Value{1, 2, 3}));
    CHECK(equal(Value{{"a", 1}, {"b", {2.0}}}, Value{{"a", true}, {"b", {2}}}));
    CHECK_FALSE(equal(Value{{"a", 1}}, Value{{"b", 1}}));
    CHECK_FALSE(equal(Value{{"a", 1}}, Value{{"a", 1}, {"b", 1}}));
    CHECK_FALSE(equal(Value{{"a", 1}}, Value{{"a", 2}}));
    CHECK(equal(muster::ObjectRef{1, 2}, muster::ObjectRef{1, 2}));
    CHECK_FALSE(equal(muster::ObjectRef{1, 2}, muster::ObjectRef{1, 3}));
}

TEST_CASE("maps are equal in any order of their entries") {
    const Bytes one = bytes_of({0x82, 0xa1, 'a', 1, 0xa1, 'b', 2}),
                other = bytes_of({0x82, 0xa1, 'b', 2, 0xa1, 'a', 1});
    CHECK(muster::equal(one, other));
    CHECK(muster::equal(bytes_of({0x82, 1, 5, 2, 6}), bytes_of({0x82, 0xca, 0x40, 0, 0, 0, 6, 0xc3, 5})));
    CHECK(muster::equal(bytes_of({0x91, 0x81, 0x80, 5}), bytes_of({0x91, 0x81, 0x80, 5})));
}

TEST_CASE("random values equal themselves and differ from a changed copy") {
    const std::uint32_t seed = a_seed();
    INFO("seed " << seed);
    RandomValues random(seed);
    for (int round = 0; round < 2000; ++round) {
        const Value value = random.value();
        INFO("round " << round << ": " << value.dump().substr(0, 500));
        REQUIRE(equal(value, value));
        Value changed = value;
        if (changed.is_array())
            changed.push_back("more");
        else if (changed.is_object())
            changed["a key that no random value has"] = 1;
        else
            changed = Value::array({value});
        REQUIRE_FALSE(equal(value, changed));
    }
}
