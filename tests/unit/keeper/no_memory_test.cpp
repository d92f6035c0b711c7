// A keeper for which one allocation fails, each one in turn: a start is answered or known to the next service, an
// ending is told or in the whole state, memory to be kept is kept.
#include <sys/mman.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <csignal>
#include <stdexcept>

#include "harness.hpp"
#include "keeper/proc.hpp"
#include "support/failing/failures.hpp"

using namespace muster;
using namespace muster::keeper::test;
using base::UniqueFd;

TEST_CASE("a keeper without memory for a moment loses no start, no ending and no memory") {
    int refusals = 0, restarts = 0;
    bool fired = true;
    for (int nth = 1; fired; ++nth) {
        INFO("allocation " << nth);
        REQUIRE(nth < 1000);
        RunningKeeper keeper;
        keeper.take_over();
        keeper.settle();
        const UniqueFd memory(::memfd_create("kept", MFD_CLOEXEC));
        link::SpawnSpec spec = shell("exit 7");
        spec.out.kind = link::Output::Kind::log;
        muster::test::FailNth failing(nth, {.steps = muster::test::allocation, .pid = keeper.pid()});
        keeper.send(link::KeepMemory{"kept"}, {memory.get()});
        keeper.send(link::Spawn{1, std::move(spec), "a note"});

        std::optional<link::StartFailed> refused;
        std::optional<link::Ending> ending;
        const auto listen = [&] {
            while (auto received = keeper.link().receive()) {
                if (const auto* failed = std::get_if<link::StartFailed>(&received->message)) refused = *failed;
                if (const auto* exited = std::get_if<link::Exited>(&received->message)) ending = exited->ending;
            }
            keeper.link().flush();
            return refused || ending || keeper.link().closed();
        };
        REQUIRE(eventually(listen));
        fired = failing.fired();
        failing.end();

        const bool restarted = !refused && !ending;
        if (restarted)
            ++restarts;
        else
            ::kill(keeper.service_pid(), SIGKILL);
        const HandOver state = keeper.take_over();
        CHECK(state.memories.contains("kept"));
        const auto child = state.children.find(1);
        if (refused) {
            ++refusals;
            CHECK(refused->error == ENOMEM);
            CHECK(child == state.children.end());
        } else if (child != state.children.end()) {
            CHECK(child->second.child.note == "a note");
            ending = child->second.child.ending;
            if (!ending) ending = keeper.expect<link::Exited>().ending;
        }
        if (ending) CHECK(ending->exit_code == 7);
        CHECK((refused || ending || restarted));
        CHECK(keeper::children_of(keeper.pid()).size() == 1);  // the service; no child without a record, no zombie
    }
    CHECK(refusals >= 3);
    CHECK(restarts >= 1);
}
