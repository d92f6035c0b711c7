// A start for which some allocation fails, each one in turn: no child, no descriptor, and it can be tried again.
#include <unistd.h>

#include <catch2/catch.hpp>
#include <muster/process.hpp>
#include <new>

#include "support/failing/failures.hpp"
#include "support/leftovers.hpp"

using muster::test::descriptors;
using muster::test::has_children;

TEST_CASE("a start that has no memory leaves no child and no descriptor, and can be tried again") {
    {
        muster::Process first([] { return 0; });  // what is made once
        first.start();
        first.join();
    }
    REQUIRE_FALSE(has_children());
    const auto before = descriptors();
    int failed = 0;
    for (int nth = 1;; ++nth) {
        INFO("allocation " << nth);
        REQUIRE(nth < 1000);
        muster::Process process([] { return 7; });
        bool refused = false;
        muster::test::FailNth failing(nth, {.steps = muster::test::allocation});  // the parent's alone are counted
        try {
            process.start();
        } catch (const std::bad_alloc&) {
            refused = true;
        }
        failing.end();
        const bool fired = failing.fired();
        if (refused) {
            ++failed;
            CHECK_FALSE(has_children());
            CHECK(descriptors() == before);
            process.start();
        }
        process.join();
        CHECK(process.exitcode() == 7);
        if (!fired) break;
    }
    CHECK(failed >= 3);
    CHECK_FALSE(has_children());
}
