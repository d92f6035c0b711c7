#include "service/server/dispatcher.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <muster/error.hpp>
#include <new>
#include <nlohmann/json.hpp>

#include "service/server/interfaces.hpp"
#include "service/server/server.hpp"

using namespace muster::service;
using nlohmann::json;

namespace {

struct Recorder : ReplySink {
    void send(std::string frame, muster::base::UniqueFd fd, bool last) override {
        if (!frame.empty()) frames.push_back(json::parse(frame));
        if (fd) ++descriptors;
        finished = finished || last;
    }
    std::vector<json> frames;
    int descriptors = 0;
    bool finished = false;
};

const char* interface_text = R"(interface a.b
method Echo(text: string) -> (text: string)
method Throw(what: string) -> ()
method Later() -> ()
method Missing() -> ()
)";

struct Fixture {
    Fixture() {
        for (const auto text : embedded_interfaces()) dispatcher.add_interface(text);
        dispatcher.add_interface(interface_text);
        dispatcher.handle("a.b.Echo", [](const auto& call) {
            call->reply({{"text", call->parameters().at("text")}});
        });
        dispatcher.handle("a.b.Throw", [](const auto& call) {
            const auto what = call->parameters().at("what").template get<std::string>();
            if (what == "bad_alloc") throw std::bad_alloc();
            if (what == "damaged") throw muster::Error(muster::Errc::damaged, "attach", "realm 'x'", "bits");
            if (what == "busy") throw muster::Error(muster::Errc::timeout, "list", "realm 'x'", "PID 7");
            if (what == "refused") throw muster::Error(muster::Errc::refused, "attach", "realm 'x'");
            if (what == "int") throw 7;
            throw std::runtime_error(what);
        });
        dispatcher.handle("a.b.Later", [this](const auto& call) { kept = call; });
    }
    json call(const std::string& method, json parameters = json::object(), bool oneway = false) {
        sink->frames.clear();
        Message message;
        message.method = method;
        message.parameters = std::make_shared<const json>(std::move(parameters));
        message.oneway = oneway;
        dispatcher.dispatch(std::make_shared<Call>(std::move(message), std::make_shared<Peer>(), sink));
        return sink->frames.empty() ? json() : sink->frames.at(0);
    }
    Dispatcher dispatcher{{"Muster", "musterd", "1", "url"}};
    std::shared_ptr<Recorder> sink = std::make_shared<Recorder>();
    std::shared_ptr<Call> kept;
};

}  // namespace

TEST_CASE_METHOD(Fixture, "a call reaches its handler and its reply comes back") {
    CHECK(call("a.b.Echo", {{"text", "hi"}}) == json{{"parameters", {{"text", "hi"}}}});
    CHECK(sink->finished);
}

TEST_CASE_METHOD(Fixture, "what does not exist is named as the standard says") {
    CHECK(call("c.d.Echo") ==
          json{{"error", "org.varlink.service.InterfaceNotFound"}, {"parameters", {{"interface", "c.d"}}}});
    CHECK(call("Echo").at("error") == "org.varlink.service.InterfaceNotFound");
    CHECK(call("a.b.Ech") ==
          json{{"error", "org.varlink.service.MethodNotFound"}, {"parameters", {{"method", "a.b.Ech"}}}});
    CHECK(call("a.b.Missing").at("error") == "org.varlink.service.MethodNotImplemented");
    CHECK(dispatcher.unhandled().back() == "io.muster.service.Status");
}

TEST_CASE_METHOD(Fixture, "parameters that do not fit never reach the handler") {
    const json reply = call("a.b.Echo", {{"text", 7}});
    CHECK(reply.at("error") == "org.varlink.service.InvalidParameter");
    CHECK(reply.at("parameters").at("parameter") == "text");
    CHECK(call("a.b.Echo", {{"text", "x"}, {"volume", 11}}).at("parameters").at("parameter") == "volume");
    CHECK(call("a.b.Echo").at("parameters").at("parameter") == "text");
}

TEST_CASE_METHOD(Fixture, "whatever a handler throws is one error reply") {
    CHECK(call("a.b.Throw", {{"what", "bad_alloc"}}).at("error") == "io.muster.service.OutOfMemory");
    CHECK(call("a.b.Throw", {{"what", "damaged"}}).at("error") == "io.muster.service.Damaged");
    CHECK(call("a.b.Throw", {{"what", "busy"}}).at("error") == "io.muster.service.Busy");
    CHECK(call("a.b.Throw", {{"what", "refused"}}).at("error") == "io.muster.service.NotPermitted");
    CHECK(call("a.b.Throw", {{"what", "int"}}).at("error") == "io.muster.service.Internal");
    CHECK(call("a.b.Throw", {{"what", "oops"}}).at("parameters").at("reason") == "oops");
    CHECK(call("a.b.Echo", {{"text", "still here"}}).contains("parameters"));
}

TEST_CASE_METHOD(Fixture, "a call that is kept may be answered later, one that is dropped fails by itself") {
    CHECK(call("a.b.Later").is_null());
    REQUIRE(kept);
    kept->reply_more({{"n", 1}});
    kept->reply(json::object());
    kept->reply(json::object());  // the second last reply goes nowhere
    REQUIRE(sink->frames.size() == 2);
    CHECK(sink->frames[0].at("continues") == true);

    CHECK(call("a.b.Later").is_null());
    kept = nullptr;
    REQUIRE(sink->frames.size() == 1);
    CHECK(sink->frames[0].at("error") == "io.muster.service.Internal");
}

TEST_CASE_METHOD(Fixture, "a oneway call gets no reply, an abandoned one neither") {
    CHECK(call("a.b.Echo", {{"text", "hi"}}, true).is_null());
    CHECK(call("a.b.Nothing", json::object(), true).is_null());
    call("a.b.Later");
    int told = 0;
    kept->on_abandoned([&] { ++told; });
    kept->abandon();
    kept->abandon();
    CHECK(told == 1);
    kept->reply(json::object());
    CHECK(sink->frames.empty());
}

TEST_CASE_METHOD(Fixture, "text that is no UTF-8 is replaced, not refused") {
    call("a.b.Later");
    kept->reply({{"argv", "\xff"}});
    CHECK(sink->frames.at(0).at("parameters").at("argv") == "\xEF\xBF\xBD");
}

TEST_CASE_METHOD(Fixture, "the service describes itself") {
    const json info = call("org.varlink.service.GetInfo").at("parameters");
    CHECK(info.at("product") == "musterd");
    CHECK(info.at("interfaces").size() == 5);
    for (const auto text : embedded_interfaces()) {
        const auto name = Interface::parse(text).name;
        CHECK(call("org.varlink.service.GetInterfaceDescription", {{"interface", name}})
                  .at("parameters")
                  .at("description") == text);
    }
    CHECK(call("org.varlink.service.GetInterfaceDescription", {{"interface", "x.y"}}).at("error") ==
          "org.varlink.service.InterfaceNotFound");
}

TEST_CASE("who is let in") {
    Admission admission;
    Peer peer;
    peer.uid = 1000;
    CHECK_FALSE(refusal(admission, peer, 0, 0));
    admission.only_uid = 1000;
    CHECK_FALSE(refusal(admission, peer, 0, 0));
    peer.uid = 0;
    CHECK_FALSE(refusal(admission, peer, 0, 0));
    peer.uid = 1001;
    REQUIRE(refusal(admission, peer, 0, 0));
    CHECK(refusal(admission, peer, 0, 0)->name() == "io.muster.service.NotPermitted");
    peer.uid = 1000;
    CHECK(refusal(admission, peer, admission.connections, 0)->name() == "io.muster.service.LimitExceeded");
    CHECK(refusal(admission, peer, 5, admission.connections_per_uid)->parameters().at("what") ==
          "connections of one user");
}

TEST_CASE("the peer of a socket is who the kernel says") {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    muster::base::UniqueFd one(ends[0]), two(ends[1]);
    const Peer peer = Peer::of(one.get());
    CHECK(peer.pid == ::getpid());
    CHECK(peer.uid == ::getuid());
    CHECK_THROWS_AS(Peer::of(-1), muster::Error);
}
