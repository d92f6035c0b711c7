#include <algorithm>

#include "values.hpp"

using namespace codec_test;
using muster::decode;
using muster::Errc;
using muster::to_bytes;
using muster::Value;

TEST_CASE("a Value has the bytes that nlohmann gives it and reads back, whatever it holds") {
    const std::uint32_t seed = a_seed();
    INFO("seed " << seed);
    RandomValues random(seed);
    for (int round = 0; round < 3000; ++round) {
        const Value value = random.value();
        INFO("round " << round << ": " << value.dump().substr(0, 500));
        const Bytes ours = to_bytes(value);
        REQUIRE(ours == by_nlohmann(value));
        REQUIRE(decode<Value>(ours) == value);
        REQUIRE(Value::from_msgpack(ours) == value);
        muster::Reader in(ours);
        REQUIRE(in.raw().size() == ours.size());
    }
}

TEST_CASE("integers in a Value keep their sign and their width") {
    const Value largest = std::numeric_limits<std::uint64_t>::max();
    CHECK(decode<Value>(to_bytes(largest)) == largest);
    CHECK(decode<Value>(to_bytes(std::numeric_limits<std::int64_t>::min())) ==
          std::numeric_limits<std::int64_t>::min());
    CHECK(decode<Value>(to_bytes(7)).is_number_unsigned());
    CHECK(decode<Value>(to_bytes(-7)).is_number_integer());
    CHECK(decode<Value>(to_bytes(1.0)).is_number_float());
}

TEST_CASE("bytes that nlohmann can read, we read the same, and no others") {
    const std::uint32_t seed = a_seed();
    INFO("seed " << seed);
    RandomValues random(seed);
    int accepted = 0;
    for (int round = 0; round < 60'000; ++round) {
        Bytes bytes;
        if (random.below(2)) bytes = to_bytes(random.value(2));
        if (bytes.empty() || bytes.size() > 2000) bytes.resize(1 + random.below(12));
        for (std::uint64_t i = random.below(bytes.size() + 1); i > 0; --i)
            bytes[random.below(bytes.size())] = static_cast<std::byte>(random.below(256));
        const Value theirs = Value::from_msgpack(bytes, true, false);
        std::optional<Value> ours;
        try {
            ours = decode<Value>(bytes);
        } catch (const muster::Error& error) {
            REQUIRE(error.errc() == Errc::damaged);
        }
        INFO("round " << round << ": " << hex(bytes));
        if (theirs.is_discarded()) {
            // What only we read: maps with keys that are no strings, and those give arrays of pairs.
            if (ours)
                REQUIRE(std::any_of(bytes.begin(), bytes.end(), [](std::byte byte) {
                    return muster::detail::kind_of(static_cast<unsigned>(byte)) == muster::Kind::map;
                }));
        } else {
            ++accepted;
            REQUIRE(ours);
            REQUIRE(to_bytes(*ours) == by_nlohmann(theirs));
        }
    }
    CHECK(accepted > 100);
}

TEST_CASE("a map with keys that JSON does not know reads as pairs") {
    CHECK(decode<Value>(bytes_of({0x82, 0xa1, 'a', 0x01, 0x02, 0xc0})) ==
          Value::parse(R"([["a",1],[2,null]])"));
    CHECK(decode<Value>(bytes_of({0x81, 0x90, 0x81, 0x01, 0x02})) == Value::parse(R"([[[],[[1,2]]]])"));
}

TEST_CASE("of equal keys in a map the last one counts") {
    CHECK(decode<Value>(bytes_of({0x82, 0xa1, 'a', 0x01, 0xa1, 'a', 0x02})) == Value{{"a", 2}});
}

TEST_CASE("a discarded value and a subtype beyond one byte are refused") {
    CHECK(code_of([] { to_bytes(Value(Value::value_t::discarded)); }) == Errc::value_error);
    CHECK(code_of([] { to_bytes(Value::binary({1}, 256)); }) == Errc::value_error);
}

TEST_CASE("an object reference goes through a Value unharmed") {
    const muster::ObjectRef ref{7, 0xffff'ffff};
    const Value value = muster::to_value(ref);
    CHECK(value.is_binary());
    CHECK(value.get_binary().subtype() == 1);
    CHECK(to_bytes(value) == to_bytes(ref));
    CHECK(muster::object_ref_of(value) == ref);
    CHECK_FALSE(muster::object_ref_of(Value::binary({1, 2, 3, 4, 5, 6, 7, 8})));
    CHECK_FALSE(muster::object_ref_of(Value::binary({1}, 1)));
    CHECK_FALSE(muster::object_ref_of(1));
}

TEST_CASE("any Value that was read has a JSON text") {
    CHECK(muster::to_json_text(Value{{"a", {1, nullptr}}}) == R"({"a":[1,null]})");
    CHECK(muster::to_json_text(Value{1}, 2) == "[\n  1\n]");
    const Value broken = decode<Value>(bytes_of({0x81, 0xa1, 0xff, 0xa2, 0xc3, 0x28}));
    CHECK(muster::to_json_text(broken) == "{\"\xEF\xBF\xBD\":\"\xEF\xBF\xBD(\"}");
    CHECK(muster::to_json_text(std::nan("")) == "null");
}

TEST_CASE("JSON text is read with a bounded depth and a clear error") {
    CHECK(muster::from_json_text(R"({"n": [1, "2", 0.25, null]})") == Value{{"n", {1, "2", 0.25, nullptr}}});
    CHECK(code_of([] { muster::from_json_text("{\"n\": "); }) == Errc::value_error);
    CHECK(code_of([] { muster::from_json_text(""); }) == Errc::value_error);
    CHECK(code_of([] { muster::from_json_text("1 2"); }) == Errc::value_error);
    CHECK(code_of([] { muster::from_json_text("\"\xff\""); }) == Errc::value_error);
    const std::string open(128, '['), close(128, ']');
    CHECK(to_bytes(muster::from_json_text(open + close)).size() == 128);
    CHECK(code_of([&] { muster::from_json_text("[" + open + close + "]"); }) == Errc::limit_exceeded);
    CHECK(code_of([] { muster::from_json_text(std::string(1'000'000, '[')); }) == Errc::limit_exceeded);
}
