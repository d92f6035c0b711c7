// A start for which some allocation fails, each one in turn: no child, no descriptor, and it can be tried again.
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <filesystem>
#include <muster/process.hpp>
#include <new>

#include "support/failing/failures.hpp"

namespace {

std::size_t descriptors() {
    const std::filesystem::directory_iterator all("/proc/self/fd");
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

bool has_children() {
    siginfo_t info{};
    return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 || errno != ECHILD;
}

}  // namespace

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
