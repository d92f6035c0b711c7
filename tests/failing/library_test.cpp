// The library's operations, for which each step fails in turn: nothing has changed, nothing has leaked, and the same call
// then succeeds.
#include <catch2/catch.hpp>
#include <iostream>
#include <new>

#include "support/failing/failures.hpp"
#include "support/leftovers.hpp"
#include "failing/world.hpp"

using namespace muster;
using namespace muster::test;

namespace {

// What the error was; "" for none.
template <typename Fn>
std::string error_of(Fn&& fn) {
    try {
        fn();
    } catch (const std::bad_alloc&) {
        return "bad_alloc";
    } catch (const Error& error) {
        return "Error: " + std::string(error.what());
    } catch (const std::exception& error) {
        return std::string("unexpected: ") + error.what();
    }
    return {};
}

}  // namespace

TEST_CASE("for whatever step an operation fails, nothing has changed, and it can be done then") {
    (void)World().state();  // what is made once
    int fired = 0;
    for (const Operation& operation : operations()) {
        INFO(operation.name);
        std::string after;
        {
            World world;
            operation.run(world);
            after = world.state();
        }
        for (int nth = 1;; ++nth) {
            REQUIRE(nth < 2000);
            World world;
            const std::string before = world.state();
            const std::size_t open = descriptors();
            std::string error;
            FailNth failing(nth, {.any_thread = true});
            error = error_of([&] { operation.run(world); });
            failing.end();
            INFO("step " << nth << ", " << failing.step() << ": " << error);
            if (!failing.fired()) {
                REQUIRE(error.empty());
                break;
            }
            ++fired;
            CHECK(world.violations().empty());
            CHECK(descriptors() == open);
            CHECK(error.rfind("unexpected", 0) != 0);
            if (error.empty()) {  // the library went another way, or it was done
                CHECK((world.state() == after || operation.in_steps));
                continue;
            }
            if (failing.step() == "operator new") CHECK(error == "bad_alloc");
            if (operation.in_steps) continue;
            CHECK(world.state() == before);
            CHECK(error_of([&] { operation.run(world); }) == "");
            CHECK(world.state() == after);
            CHECK(world.violations().empty());
        }
    }
    CHECK(fired > 200);
    std::cout << "failed steps: " << fired << std::endl;
}
