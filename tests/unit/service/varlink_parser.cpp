#include "service/server/varlink_parser.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <random>

using namespace muster::service;
using Catch::Matchers::Contains;

namespace {

std::string framed(std::string text) { return text + '\0'; }

std::string reason_of(const std::string& bytes) {
    VarlinkParser parser;
    parser.feed(bytes);
    try {
        parser.next();
    } catch (const ProtocolError& error) {
        return error.what();
    }
    return "";
}

const std::string good = R"({"method":"a.b.C","parameters":{"x":[1,2.5,"é",null,{"y":true}]},"more":true})";

}  // namespace

TEST_CASE("a call is taken apart") {
    VarlinkParser parser;
    parser.feed(framed(good));
    const auto message = parser.next();
    REQUIRE(message);
    CHECK(message->method == "a.b.C");
    CHECK(message->more);
    CHECK_FALSE(message->oneway);
    CHECK(message->parameters->at("x").size() == 5);
    CHECK(message->parameters->at("x")[2] == "é");
    CHECK_FALSE(parser.next());
    CHECK(parser.pending() == 0);
}

TEST_CASE("absent and null parameters are an empty object") {
    for (const char* text : {R"({"method":"a.B"})", R"({"method":"a.B","parameters":null,"more":null})"}) {
        const auto message = Message::parse(text);
        CHECK(message.parameters->is_object());
        CHECK(message.parameters->empty());
    }
}

TEST_CASE("calls may come in any pieces and many at once") {
    const std::string stream = framed(good) + framed(R"({"method":"x.Y"})") + framed(good);
    for (std::size_t piece = 1; piece <= stream.size(); ++piece) {
        VarlinkParser parser;
        int calls = 0;
        for (std::size_t at = 0; at < stream.size(); at += piece) {
            parser.feed(std::string_view(stream).substr(at, piece));
            while (parser.next()) ++calls;
        }
        REQUIRE(calls == 3);
        REQUIRE(parser.pending() == 0);
    }
}

TEST_CASE("what is no call is refused with one clear reason") {
    CHECK_THAT(reason_of(framed("")), Contains("malformed JSON"));
    CHECK_THAT(reason_of(framed("nonsense")), Contains("malformed JSON at byte"));
    CHECK_THAT(reason_of(framed("[]")), Contains("must be a JSON object"));
    CHECK_THAT(reason_of(framed("{}")), Contains("'method' is missing"));
    CHECK_THAT(reason_of(framed(R"({"method":7})")), Contains("'method' must be a string"));
    CHECK_THAT(reason_of(framed(R"({"method":"a","parameters":[]})")), Contains("'parameters' must be an object"));
    CHECK_THAT(reason_of(framed(R"({"method":"a","more":1})")), Contains("'more' must be true or false"));
    CHECK_THAT(reason_of(framed(R"({"method":"a","Parameters":{}})")), Contains("no member 'Parameters'"));
    CHECK_THAT(reason_of(framed(R"({"method":"a"} trailing)")), Contains("malformed JSON"));
    CHECK_THAT(reason_of(framed(R"({"method":"a","method":"b"})")), Contains("'method' appears twice"));
    CHECK_THAT(reason_of(framed(R"({"method":"a","parameters":{"x":{"y":1,"y":2}}})")), Contains("'y' appears twice"));
    CHECK_THAT(reason_of(framed("{\"method\":\"\xff\xfe\"}")), Contains("UTF-8"));
    CHECK_THAT(reason_of(framed("{\"method\":\"\xed\xa0\x80\"}")), Contains("UTF-8"));  // a lone surrogate
    CHECK_THAT(reason_of(framed(R"({"method":"a","parameters":{"n":1e999}})")), Contains("malformed JSON"));
    CHECK_THAT(reason_of(framed(R"({"method":"a","parameters":{"n":NaN}})")), Contains("malformed JSON"));
}

TEST_CASE("reasons stay one short line whatever was sent") {
    const std::string long_garbage = "{\"method\":" + std::string(100'000, '7') + "x\n\n";
    const std::string reason = reason_of(framed(long_garbage));
    CHECK(reason.size() < 300);
    CHECK(reason.find('\n') == std::string::npos);
    const std::string huge_number = R"({"method":"a","parameters":{"n":)" + std::string(100'000, '9') + "e999}}";
    CHECK(reason_of(framed(huge_number)).size() < 300);
    const std::string twin = std::string(100'000, 'k');
    CHECK(reason_of(framed("{\"" + twin + "\":1,\"" + twin + "\":1}")).size() < 300);
    CHECK(reason_of(framed("{\"method\":\"a\",\"" + twin + "\":1}")).size() < 300);
    CHECK_THAT(reason_of(framed(R"({"method":"a","x\ny\u001b\u0085":1})")), Contains(R"(no member 'x\x0ay\x1b\xc2\x85')"));
    CHECK_THAT(reason_of(framed(R"({"x\ny":1,"x\ny":1})")), Contains(R"('x\x0ay' appears twice)"));
    std::string umlauts;
    while (umlauts.size() < 1000) umlauts += "\xc3\xa4";
    CHECK_THAT(reason_of(framed("{\"method\":\"a\",\"" + umlauts + "\":1}")),
               Contains("no member '" + umlauts.substr(0, 120) + "...'"));
}

TEST_CASE("nesting is limited, however it is sent") {
    const auto nested = [](int depth) {  // the call and its parameters are two levels
        return R"({"method":"a.B","parameters":{"x":)" + std::string(std::size_t(depth), '[') +
               std::string(std::size_t(depth), ']') + "}}";
    };
    CHECK(reason_of(framed(nested(muster::service::max_depth - 2))).empty());
    CHECK_THAT(reason_of(framed(nested(muster::service::max_depth - 1))), Contains("nested deeper than 32"));
    CHECK_THAT(reason_of(framed(std::string(max_message - 10, '['))), Contains("nested deeper than 32"));
    std::string objects;
    for (int i = 0; i < 100'000; ++i) objects += "{\"a\":";
    CHECK_THAT(reason_of(framed(objects)), Contains("nested deeper than 32"));
}

TEST_CASE("a message has a largest size, and what is kept has too") {
    const std::string prefix = R"({"method":"a.B","parameters":{"x":")", suffix = "\"}}";
    const auto sized = [&](std::size_t size) {
        return prefix + std::string(size - prefix.size() - suffix.size(), 'y') + suffix;
    };
    CHECK(reason_of(framed(sized(max_message))).empty());
    CHECK_THAT(reason_of(framed(sized(max_message + 1))), Contains("more than 1048576 bytes"));

    VarlinkParser parser;  // a line without end, fed as room() allows
    const std::string chunk(64 * 1024, 'z');
    const auto feed_until_refused = [&] {
        for (int i = 0; i < 1000; ++i) {
            parser.feed(std::string_view(chunk).substr(0, parser.room()));
            REQUIRE(parser.pending() <= max_message + 1);
            parser.next();
        }
    };
    CHECK_THROWS_AS(feed_until_refused(), ProtocolError);
}

TEST_CASE("no truncation of a call is taken for a call") {
    for (std::size_t size = 0; size < good.size(); ++size) {
        CAPTURE(size);
        REQUIRE_FALSE(reason_of(framed(good.substr(0, size))).empty());
    }
}

TEST_CASE("random changes to a call give a call or a reason, never anything else") {
    const auto seed = std::random_device{}();
    CAPTURE(seed);
    std::mt19937 random(seed);
    for (int round = 0; round < 20'000; ++round) {
        std::string text = good;
        for (unsigned edits = 1 + random() % 4; edits > 0; --edits) {
            const std::size_t at = random() % text.size();
            switch (random() % 3) {
                case 0: text[at] = static_cast<char>(random()); break;
                case 1: text.erase(at, random() % 8); break;
                default: text.insert(at, std::string(random() % 8, "[{\"\\:,}]"[random() % 8])); break;
            }
            if (text.empty()) text = "x";
        }
        VarlinkParser parser;
        parser.feed(framed(text));
        try {
            while (const auto message = parser.next()) REQUIRE(message->parameters->is_object());
        } catch (const ProtocolError& error) {
            REQUIRE(std::string(error.what()).size() < 400);
        }
    }
}
