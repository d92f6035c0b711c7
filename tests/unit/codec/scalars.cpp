#include <limits>

#include "values.hpp"

using namespace codec_test;
using muster::decode;
using muster::Errc;
using muster::to_bytes;

TEST_CASE("integers take their smallest encoding") {
    CHECK(hex_of(0) == "00");
    CHECK(hex_of(127) == "7f");
    CHECK(hex_of(128) == "cc 80");
    CHECK(hex_of(255) == "cc ff");
    CHECK(hex_of(256) == "cd 01 00");
    CHECK(hex_of(65535) == "cd ff ff");
    CHECK(hex_of(65536) == "ce 00 01 00 00");
    CHECK(hex_of(0xffff'ffffU) == "ce ff ff ff ff");
    CHECK(hex_of(0x1'0000'0000LL) == "cf 00 00 00 01 00 00 00 00");
    CHECK(hex_of(-1) == "ff");
    CHECK(hex_of(-32) == "e0");
    CHECK(hex_of(-33) == "d0 df");
    CHECK(hex_of(-128) == "d0 80");
    CHECK(hex_of(-129) == "d1 ff 7f");
    CHECK(hex_of(-32769) == "d2 ff ff 7f ff");
    CHECK(hex_of(std::numeric_limits<std::int64_t>::min()) == "d3 80 00 00 00 00 00 00 00");
}

TEMPLATE_TEST_CASE("every integral type reads its limits back and refuses what is beyond", "", signed char,
                   unsigned char, char, short, unsigned short, int, unsigned, long, unsigned long, long long,
                   unsigned long long, wchar_t, char32_t) {
    using Limits = std::numeric_limits<TestType>;
    for (const TestType value : {Limits::min(), Limits::max(), TestType(0), TestType(1), TestType(100)})
        CHECK(decode<TestType>(to_bytes(value)) == value);
    if constexpr (sizeof(TestType) < 8) {
        const auto above = static_cast<std::int64_t>(Limits::max()) + 1;
        const auto below = static_cast<std::int64_t>(Limits::min()) - 1;
        CHECK(code_of([&] { decode<TestType>(to_bytes(above)); }) == Errc::value_error);
        CHECK(code_of([&] { decode<TestType>(to_bytes(below)); }) == Errc::value_error);
    } else if constexpr (Limits::is_signed) {
        CHECK(code_of([&] { decode<TestType>(to_bytes(std::uint64_t{1} << 63)); }) == Errc::value_error);
    } else {
        CHECK(code_of([&] { decode<TestType>(to_bytes(-1)); }) == Errc::value_error);
    }
}

TEST_CASE("an encoding wider than needed still reads as the integer it holds") {
    CHECK(decode<int>(bytes_of({0xcf, 0, 0, 0, 0, 0, 0, 0, 7})) == 7);
    CHECK(decode<unsigned>(bytes_of({0xd3, 0, 0, 0, 0, 0, 0, 0, 7})) == 7);
    CHECK(decode<signed char>(bytes_of({0xd1, 0xff, 0xff})) == -1);
}

TEST_CASE("floating-point numbers take four bytes when nothing is lost") {
    CHECK(hex_of(0.25) == "ca 3e 80 00 00");
    CHECK(hex_of(0.25F) == "ca 3e 80 00 00");
    CHECK(hex_of(0.1) == "cb 3f b9 99 99 99 99 99 9a");
    CHECK(hex_of(-0.0) == "ca 80 00 00 00");
    CHECK(hex_of(1e300).substr(0, 2) == "cb");
    CHECK(decode<double>(to_bytes(0.1)) == 0.1);
    CHECK(decode<double>(to_bytes(0.25)) == 0.25);
    CHECK(std::signbit(decode<double>(to_bytes(-0.0))));
    CHECK(std::isnan(decode<double>(to_bytes(std::nan("")))));
    CHECK(decode<double>(to_bytes(-HUGE_VAL)) == -HUGE_VAL);
    CHECK(decode<float>(to_bytes(HUGE_VALF)) == HUGE_VALF);
    CHECK(std::isnan(decode<float>(to_bytes(std::nanf("")))));
}

TEST_CASE("a float rounds a double and refuses one beyond its range") {
    CHECK(decode<float>(to_bytes(0.1)) == 0.1F);
    CHECK(code_of([] { decode<float>(to_bytes(1e300)); }) == Errc::value_error);
    CHECK(code_of([] { decode<float>(to_bytes(-1e300)); }) == Errc::value_error);
}

TEST_CASE("an integer reads as a floating-point number, and nothing reads the other way") {
    CHECK(decode<double>(to_bytes(-7)) == -7.0);
    CHECK(decode<double>(to_bytes(std::numeric_limits<std::uint64_t>::max())) == 0x1p64);
    CHECK(decode<float>(to_bytes(3)) == 3.0F);
    CHECK(code_of([] { decode<int>(to_bytes(1.0)); }) == Errc::type_mismatch);
    CHECK(code_of([] { decode<int>(to_bytes(true)); }) == Errc::type_mismatch);
    CHECK(code_of([] { decode<bool>(to_bytes(1)); }) == Errc::type_mismatch);
    CHECK(code_of([] { decode<double>(to_bytes(true)); }) == Errc::type_mismatch);
}

TEST_CASE("a mismatch names what was expected and what was found") {
    CHECK(detail_of([] { decode<int>(to_bytes("x")); }) == "expected integer, found string");
    CHECK(detail_of([] { decode<bool>(to_bytes(nullptr)); }) == "expected boolean, found nil");
    CHECK(detail_of([] { decode<std::string>(to_bytes(1)); }) == "expected string, found integer");
    CHECK(detail_of([] { decode<double>(to_bytes(std::vector<int>{})); }) == "expected number, found array");
    CHECK(detail_of([] { decode<std::monostate>(to_bytes(0.5)); }) ==
          "expected nil, found floating-point number");
    CHECK(detail_of([] { decode<muster::ObjectRef>(to_bytes(true)); }) ==
          "expected handle, found boolean");
}

TEST_CASE("strings of every length class read back") {
    for (const std::size_t size : {0U, 1U, 31U, 32U, 255U, 256U, 65'535U, 65'536U, 200'000U}) {
        const std::string text(size, 'x');
        CHECK(decode<std::string>(to_bytes(text)) == text);
        CHECK(to_bytes(text) == by_nlohmann(text));
        CHECK(to_bytes(std::string_view(text)) == to_bytes(text));
    }
    CHECK(hex_of("abc") == "a3 61 62 63");
    const char* pointer = "abc";
    CHECK(hex_of(pointer) == "a3 61 62 63");
    CHECK(decode<std::string>(to_bytes(std::string("a\0b", 3))) == std::string("a\0b", 3));
}

TEST_CASE("vectors and arrays of bytes are binary") {
    const std::vector<std::uint8_t> data{1, 2, 255};
    CHECK(hex_of(data) == "c4 03 01 02 ff");
    CHECK(decode<std::vector<std::uint8_t>>(to_bytes(data)) == data);
    CHECK(decode<std::vector<std::byte>>(to_bytes(data)) == bytes_of({1, 2, 255}));
    CHECK(decode<std::array<std::uint8_t, 3>>(to_bytes(data)) == std::array<std::uint8_t, 3>{1, 2, 255});
    CHECK(code_of([&] { decode<std::array<std::byte, 4>>(to_bytes(data)); }) == Errc::type_mismatch);
    CHECK(code_of([&] { decode<std::string>(to_bytes(data)); }) == Errc::type_mismatch);
    for (const std::size_t size : {0U, 255U, 256U, 65'535U, 65'536U}) {
        const std::vector<std::uint8_t> many(size, 7);
        CHECK(to_bytes(many) == by_nlohmann(muster::Value::binary(many)));
        CHECK(decode<std::vector<std::uint8_t>>(to_bytes(many)) == many);
    }
}

TEST_CASE("nil, enums and durations keep their meaning") {
    enum class Colour : std::uint8_t { red = 1, blue = 200 };
    CHECK(hex_of(nullptr) == "c0");
    CHECK(hex_of(std::monostate{}) == "c0");
    CHECK(decode<std::nullptr_t>(to_bytes(nullptr)) == nullptr);
    CHECK(hex_of(Colour::blue) == "cc c8");
    CHECK(decode<Colour>(to_bytes(Colour::blue)) == Colour::blue);
    CHECK(code_of([] { decode<Colour>(to_bytes(256)); }) == Errc::value_error);
    using namespace std::chrono_literals;
    CHECK(hex_of(90s) == "5a");
    CHECK(decode<std::chrono::milliseconds>(to_bytes(-1500ms)) == -1500ms);
    const auto now = std::chrono::system_clock::now();
    CHECK(decode<std::chrono::system_clock::time_point>(to_bytes(now)) == now);
}

TEST_CASE("a handle is extension 1 with realm, kind, id and generation") {
    const muster::ObjectRef ref{0x01020304, 0xa0b0c0d0, 2, 0x11121314151617};
    CHECK(hex_of(ref) == "d8 01 11 12 13 14 15 16 17 02 01 02 03 04 a0 b0 c0 d0");
    CHECK(decode<muster::ObjectRef>(to_bytes(ref)) == ref);
    CHECK(code_of([] { decode<muster::ObjectRef>(bytes_of({0xd4, 1, 9})); }) == Errc::damaged);
    CHECK(code_of([] { decode<muster::ObjectRef>(bytes_of({0xd4, 2, 9})); }) == Errc::type_mismatch);
}

TEST_CASE("a Writer grows past its inline bytes and starts again after clear") {
    muster::Writer out;
    std::string expected;
    for (int i = 0; i < 1000; ++i) {
        out.integer(i % 128);
        expected.push_back(static_cast<char>(i % 128));
    }
    CHECK(hex(out.bytes()) == hex(std::as_bytes(std::span(expected))));
    out.clear();
    out.string("a");
    CHECK(hex(out.bytes()) == "a1 61");
}
