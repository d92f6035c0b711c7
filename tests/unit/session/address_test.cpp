#include "session/address.hpp"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>

#include <muster/error.hpp>

#include "control_server.hpp"
#include "support/skip.hpp"

using muster::Errc;
using muster::session::Address;
using muster::session::resolve;

namespace {

Errc code_of_parse(const std::string& text) {
    try {
        Address::parse(text);
    } catch (const muster::Error& error) {
        return error.errc();
    }
    return {};
}

// Sets or unsets variables for one test.
class Environment {
  public:
    void set(const char* name, const char* value) {
        const char* before = std::getenv(name);
        saved_.try_emplace(name, before ? std::optional<std::string>(before) : std::nullopt);
        if (value)
            ::setenv(name, value, 1);
        else
            ::unsetenv(name);
    }
    ~Environment() {
        for (const auto& [name, value] : saved_) {
            if (value)
                ::setenv(name.c_str(), value->c_str(), 1);
            else
                ::unsetenv(name.c_str());
        }
    }

  private:
    std::map<std::string, std::optional<std::string>> saved_;
};

}  // namespace

TEST_CASE("an address is unix:PATH or just a path") {
    CHECK(Address::parse("unix:/run/x.sock").path() == "/run/x.sock");
    CHECK(Address::parse("/run/x.sock").path() == "/run/x.sock");
    CHECK(Address::parse("./a:b").path() == "./a:b");
    CHECK(Address::parse("/run/x.sock").text() == "unix:/run/x.sock");
}

TEST_CASE("an address that cannot be one is refused with the reason") {
    CHECK(code_of_parse("") == Errc::invalid_argument);
    CHECK(code_of_parse("unix:") == Errc::invalid_argument);
    CHECK(code_of_parse("tcp:localhost:80") == Errc::invalid_argument);
    CHECK(code_of_parse(std::string("/a\0b", 4)) == Errc::invalid_argument);
    CHECK_THROWS_WITH(Address::parse("tcp:localhost:80"), Catch::Contains("unknown scheme 'tcp'"));
}

TEST_CASE("a socket path of 107 bytes is taken and one of 108 is not") {
    const std::string longest = "/" + std::string(106, 'a');
    const auto address = Address::parse("unix:" + longest).socket_address();
    CHECK(address.sun_path == longest);
    CHECK(code_of_parse(longest + "a") == Errc::limit_exceeded);
    CHECK_THROWS_WITH(Address::parse(longest + "a"), Catch::Contains("at most 107 bytes, this one 108"));
}

TEST_CASE("the address given wins over the environment, and that over the usual places") {
    muster::test::TempDirectory directory;
    const auto socket = directory.path() + "/muster/muster.sock";
    std::filesystem::create_directory(directory.path() + "/muster");
    std::ofstream(socket) << "";
    Environment environment;
    environment.set("XDG_RUNTIME_DIR", directory.path().c_str());
    environment.set("MUSTER_ADDRESS", "unix:/from/environment");
    CHECK(resolve("/given").path() == "/given");
    CHECK(resolve().path() == "/from/environment");
    environment.set("MUSTER_ADDRESS", "");
    CHECK(resolve().path() == socket);
    environment.set("MUSTER_ADDRESS", nullptr);
    CHECK(resolve().path() == socket);
}

TEST_CASE("without any socket the error names the places and what to do") {
    if (std::filesystem::exists("/run/muster/muster.sock")) muster::test::skip("a system daemon runs here");
    muster::test::TempDirectory directory;
    Environment environment;
    environment.set("MUSTER_ADDRESS", nullptr);
    environment.set("XDG_RUNTIME_DIR", directory.path().c_str());
    CHECK_THROWS_WITH(resolve(), Catch::Contains(directory.path() + "/muster/muster.sock") &&
                                     Catch::Contains("/run/muster/muster.sock") &&
                                     Catch::Contains("musterd --user"));
    environment.set("XDG_RUNTIME_DIR", nullptr);
    CHECK_THROWS_WITH(resolve(), Catch::Contains("no /run/muster/muster.sock"));
}
