// Each method of the daemon, for which each allocation fails in turn: what it was to do is done, and told so, or nothing is;
// and the next call succeeds.
//
// Where nlohmann::json destroys an array or an object it asks for memory, and a process that has none at that moment ends
// (std::terminate). The service may: the keeper starts the next one, on what the segment and the keeper have. That it is
// the exception is checked.
#include <catch2/catch.hpp>

#include "support/child.hpp"
#include "support/failing/failures.hpp"
#include "unit/service/methods.hpp"

using namespace muster::service::test;

TEST_CASE("each method does what it was told, or nothing, where memory ends anywhere") {
    int failures = 0, ends = 0, calls = 0;
    for (const Request& request : requests()) {
        INFO(request.method << " " << request.parameters.dump());
        const std::string after = state_after(request);
        for (int nth = 1;; ++nth) {
            INFO("allocation " << nth);
            const int outcome = muster::test::Child([&] {
                return attempt(request, after, [&](const std::function<void()>& dispatch) {
                    muster::test::FailNth failing(nth, {.steps = muster::test::allocation});
                    dispatch();
                    return failing.fired();
                });
            }).join();
            REQUIRE(outcome >= told_so);
            CHECK(outcome != wrong);
            if (outcome == all_succeed) break;
            ++calls;
            failures += outcome == failed ? 1 : 0;
            ends += outcome == terminated ? 1 : 0;
        }
    }
    WARN(calls << " calls: " << failures << " failed, " << ends << " ended the service");
    CHECK(failures > calls / 2);
    CHECK(ends < calls / 3);
}
