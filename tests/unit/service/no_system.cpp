// Each method of the daemon, for which each system call fails in turn: what it was to do is done, and told so, or nothing is;
// and the next call succeeds, with no descriptor more open.
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <iterator>
#include <set>
#include <string>

#include "support/child.hpp"
#include "support/failing/system_calls.hpp"
#include "support/skip.hpp"
#include "unit/service/methods.hpp"

using namespace muster::service::test;
using namespace muster::test;

namespace {

std::size_t open_descriptors() {
    const std::filesystem::directory_iterator all("/proc/self/fd");
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

}  // namespace

TEST_CASE("each method does what it was told, or nothing, where any system call fails") {
    if (const std::string why = no_tracing_here(); !why.empty()) skip(why);
    std::set<std::string> seen;
    int failures = 0;
    for (const Request& request : requests()) {
        INFO(request.method << " " << request.parameters.dump());
        const std::string after = state_after(request);
        for (int nth = 1;; ++nth) {
            REQUIRE(nth < 500);
            const auto outcome = with_failing_call(nth, as_it_would, [&] {
                std::size_t before = 0, now = 0;
                const auto result = attempt(request, after, [&](const std::function<void()>& dispatch) {
                    before = open_descriptors();
                    {
                        const Counted counted;
                        dispatch();
                    }
                    now = open_descriptors();
                    return true;
                });
                const bool leaks = result == failed && !request.repeatable && now != before;
                return std::to_string(result) + (leaks ? ", and a descriptor is left" : "");
            });
            if (!outcome.call.fired) break;
            INFO("call " << nth << ", " << outcome.call.name << ' ' << outcome.call.path);
            seen.insert(outcome.call.name);
            REQUIRE(outcome.status == 0);
            CHECK((outcome.found == std::to_string(told_so) || outcome.found == std::to_string(failed)));
            failures += outcome.found == std::to_string(failed) ? 1 : 0;
        }
    }
    CHECK(failures > 5);
    for (const char* name : {"memfd_create", "ftruncate", "fallocate", "fcntl"}) CHECK(seen.contains(name));
}

TEST_CASE("a forked process is announced, or it is told that this failed, where any system call fails") {
    if (const std::string why = no_tracing_here(); !why.empty()) skip(why);
    int failures = 0;
    for (int nth = 1;; ++nth) {
        REQUIRE(nth < 100);
        const auto outcome = with_failing_call(nth, as_it_would, [] {
            FakeOutside outside;
            muster::service::Supervisor supervisor{{}, outside};
            const Child forked([] {
                ::pause();
                return 0;
            });
            const auto announce = [&]() -> std::string {
                try {
                    supervisor.announce({::geteuid(), ::getpid()}, forked.pid(), "f");
                    return "announced";
                } catch (const muster::service::CallError& error) {
                    return error.name();
                } catch (const muster::Error&) {
                    return "failed";
                }
            };
            const std::size_t before = open_descriptors();
            std::string found;
            {
                const Counted counted;
                found = announce();
            }
            if (found == "failed" && open_descriptors() != before) found += " and left a descriptor";
            return found + ", then " + announce();
        });
        if (!outcome.call.fired) break;
        INFO("call " << nth << ", " << outcome.call.name << ' ' << outcome.call.path);
        CAPTURE(outcome.found);
        const bool failed = outcome.found == "failed, then announced";
        CHECK((failed || outcome.found == "announced, then announced"));
        failures += failed ? 1 : 0;
    }
    CHECK(failures >= 3);  // pidfd_open, openat, read
}
