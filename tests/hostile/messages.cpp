// Messages that are none, never end, are too large, or ask for what is not there.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hostile/hostile.hpp"

using namespace muster::test;
using Catch::Matchers::Contains;

namespace {

std::string repeated(const std::string& text, std::size_t times) {
    std::string result;
    for (std::size_t i = 0; i < times; ++i) result += text;
    return result;
}

struct Bad {
    std::string text, reason;
};

std::vector<Bad> malformed() {
    const auto call = [](const std::string& rest) { return "{\"method\":\"org.varlink.service.GetInfo\"," + rest + "}"; };
    const auto parameters = [&](const std::string& value) { return call("\"parameters\":{\"x\":" + value + "}"); };
    std::vector<Bad> all{
        {"", "malformed JSON"},
        {" ", "malformed JSON"},
        {"{}", "'method' is missing"},
        {"[]", "must be a JSON object"},
        {"null", "must be a JSON object"},
        {"{\"method\":7}", "must be a string"},
        {call("\"parameters\":[]"), "'parameters' must be an object"},
        {call("\"more\":1"), "'more' must be true or false"},
        {call("\"oneway\":\"yes\""), "'oneway' must be true or false"},
        {call("\"fds\":3"), "no member 'fds'"},
        {call("\"more\":true") + "{}", "malformed JSON"},
        {std::string(1'000'000, '['), "nested deeper than 32"},
        {parameters(std::string(100'000, '[')), "nested deeper than 32"},
        {repeated("{\"a\":", 100'000), "nested deeper than 32"},
        {call("\"method\":\"x.Y\""), "key 'method' appears twice"},
        {parameters("{\"a\":1,\"\\u0061\":2}"), "key 'a' appears twice"},
        {call("\"more\":true,\"more\":true"), "key 'more' appears twice"},
        {parameters("[" + repeated("0,", 40'000) + "0]"), "more than 32768 values"},
        {parameters("1e999"), "malformed JSON"},
        {parameters("NaN"), "malformed JSON"},
        {parameters("'x'"), "malformed JSON"},
        {parameters("\"\t\""), "malformed JSON"},
        {call("\"more\":tru"), "malformed JSON"},
    };
    for (const char* bytes : {"\xff", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\x80"})
        all.push_back({parameters('"' + std::string(bytes) + '"'), "malformed JSON"});
    for (const char* escape : {"\\ud800", "\\udc00", "\\u12", "\\x41"})
        all.push_back({parameters('"' + std::string(escape) + '"'), "malformed JSON"});
    return all;
}

}  // namespace

TEST_CASE("every malformed message gets one reason on one line, and the end of its connection") {
    Target target;
    const auto before = target.descriptors();
    for (const Bad& bad : malformed()) {
        VarlinkSocket client(target.path());
        // The rest of what it sent is not looked at.
        if (!client.try_send(bad.text + '\0' + message("org.varlink.service.GetInfo"))) continue;
        const json reply = client.receive().value();
        INFO(bad.text.substr(0, 80) << " -> " << reply.dump());
        CHECK(reply.at("error") == "io.muster.service.ProtocolError");
        const auto reason = reply.at("parameters").at("reason").get<std::string>();
        CHECK_THAT(reason, Contains(bad.reason));
        CHECK(reason.size() < 300);
        CHECK(reason.find('\n') == reason.npos);
        CHECK_FALSE(client.receive());
    }
    target.check_served();
    CHECK(eventually([&] { return target.descriptors() <= before; }));
}

TEST_CASE("a message of exactly the limit is taken, one byte more is not") {
    Target target;
    const std::string frame = "{\"method\":\"no.such.Method\",\"parameters\":{\"x\":\"\"}}";
    for (const std::size_t size : {std::size_t{1} << 20, (std::size_t{1} << 20) + 1}) {
        std::string text = frame;
        text.insert(text.size() - 3, std::string(size - frame.size(), 'x'));
        VarlinkSocket client(target.path());
        client.send(text + '\0');
        CHECK(client.receive().value().at("error") ==
              (size > 1 << 20 ? "io.muster.service.ProtocolError" : "org.varlink.service.InterfaceNotFound"));
    }
    target.check_served();
}

TEST_CASE("messages that stop in the middle wait for their rest and keep nobody waiting") {
    Target target;
    const auto before = target.descriptors();
    const std::string whole = message("org.varlink.service.GetInfo");
    {
        std::vector<VarlinkSocket> halves;
        for (std::size_t i = 1; i < whole.size(); ++i) {
            halves.emplace_back(target.path());
            halves.back().send(whole.substr(0, i));
            if (i % 10 == 0) target.check_served();
        }
        for (std::size_t i = 1; i < whole.size(); ++i) {
            if (i % 2 == 0) continue;  // these go away as they are
            halves[i - 1].send(whole.substr(i));
            CHECK(halves[i - 1].receive().value().contains("parameters"));
        }
        for (std::size_t i = 0; i < 1000; ++i) {  // and one that dribbles
            if (i < whole.size()) halves[0].send(whole.substr(i, 1));
        }
        CHECK(halves[0].receive().value().contains("parameters"));
    }
    CHECK(eventually([&] { return target.descriptors() <= before; }));
    target.check_served();
}

TEST_CASE("a name that is none is named, and not sent back by the megabyte") {
    Target target;
    const auto error_of = [&](const std::string& method, const json& parameters = json::object()) {
        const json reply = VarlinkSocket(target.path()).call(method, parameters);
        CHECK(reply.dump().size() < 3000);
        return reply.at("error").get<std::string>();
    };
    CHECK(error_of("io.muster.service.Nothing") == "org.varlink.service.MethodNotFound");
    CHECK(error_of("io.muster.nothing.Status") == "org.varlink.service.InterfaceNotFound");
    for (const char* method : {"", ".", "Status", "io.muster.service.", ".Status", "io.muster.service.status", "a b.c",
                               "io.muster.service.Status ", "io.muster.service..Status", "\xe2\x82\xac"})
        CHECK_THAT(error_of(method), Contains("org.varlink.service."));
    const std::string large(900'000, 'x');
    CHECK(error_of(large + ".Y") == "org.varlink.service.InterfaceNotFound");
    CHECK(error_of("io.muster.service." + large) == "org.varlink.service.MethodNotFound");
    CHECK(error_of("io.muster.service.Status", {{large, 1}}) == "org.varlink.service.InvalidParameter");
    CHECK(error_of("org.varlink.service.GetInterfaceDescription", {{"interface", large}}) ==
          "org.varlink.service.InterfaceNotFound");
    CHECK(error_of("io.muster.processes.Wait", {{"select", "#" + std::string(900'000, '0') + "1"}}) ==
          "io.muster.processes.NoSuchProcess");
    const json upgrade = [&] {
        VarlinkSocket client(target.path());
        client.send_call("org.varlink.service.GetInfo", json::object(), {{"upgrade", true}});
        return client.receive().value();
    }();
    CHECK(upgrade.at("error") == "org.varlink.service.InvalidParameter");
    target.check_served();
}

TEST_CASE("what a client sent before it was gone is carried out, whatever became of the replies") {
    Target target;
    const auto spawn = [&](const char* name) {
        REQUIRE(target.witness()
                    .call("io.muster.processes.Spawn", {{"spec", {{"argv", {"sleep", "1000"}}, {"name", name}}}})
                    .contains("parameters"));
    };
    const auto ended = [&](const char* name) {
        return target.witness().call("io.muster.processes.List", {{"select", name}}).at("parameters").at("processes").empty();
    };
    const std::string ask = message("org.varlink.service.GetInterfaceDescription", {{"interface", "io.muster.processes"}});
    const auto kill = [](const char* name) {
        return message("io.muster.processes.Kill", {{"select", name}}, {{"oneway", true}});
    };
    spawn("unread");
    {
        VarlinkSocket client(target.path());
        client.send(repeated(ask, 200) + kill("unread"));  // more replies than a socket takes
    }
    CHECK(eventually([&] { return ended("unread"); }));
    spawn("deaf");
    VarlinkSocket deaf(target.path());
    ::shutdown(deaf.get(), SHUT_RD);
    deaf.send(ask + kill("deaf"));
    CHECK(eventually([&] { return ended("deaf"); }));
    spawn("waiting");
    spawn("waited-for");
    {
        VarlinkSocket client(target.path());
        client.send(message("io.muster.processes.Wait", {{"select", "waited-for"}}) + kill("waiting"));
        CHECK_FALSE(ended("waiting"));  // its Wait comes first
    }
    CHECK(eventually([&] { return ended("waiting"); }));
    target.witness().call("io.muster.processes.Kill", {{"select", "waited-for"}});
    target.check_served();
}
