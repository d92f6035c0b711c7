// Kills processes that use muster's public interface, by SIGKILL, at every instruction of what they do, and says what
// it found.
//
//   kill_everywhere MUSTERCTL [--all | --kills N]
//
// The daemon is the one at $MUSTER_ADDRESS, of which nobody else should be making use. Every operation is killed while
// the daemon's service lives, while it is stopped, and while it is being replaced: at N of its instructions (40), or
// with --all at every one, and each once alone and once with another process that waits for the same object.
// Exit code 0: no findings; 1: some; 2: usage; 3: it hung; 77: instructions cannot be stepped here.
#include <muster/ipc.hpp>

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>

#include "outside/campaign.hpp"

namespace {

using namespace outside;

void hung(int) {
    const auto say = [](const char* text) { (void)!::write(STDERR_FILENO, text, std::strlen(text)); };
    say("it hangs: ");
    say(at_work_on.c_str());
    say("\n");
    ::_exit(3);
}

int usage() {
    std::cerr << "usage: kill_everywhere MUSTERCTL [--all | --kills N]\n";
    return 2;
}

// With as many objects known to the realm as there will be.
Status baseline(const muster::Manager& manager, const Service& service) {
    (void)rows(manager);
    (void)manager.lock("outside-known");
    erase_all(manager);
    return service.status();
}

int run(const std::string& musterctl, std::size_t most) {
    const auto manager = muster::Manager::connect();
    const Service service(musterctl);
    const Status begin = baseline(manager, service);
    const auto all = rows(manager);
    std::size_t kills = 0, findings = 0;
    double longest = 0;
    std::printf("%-44s %-8s %12s %7s %8s %10s %9s\n", "operation", "service", "instructions", "kills", "waiters",
                "longest/ms", "findings");
    const auto found = [&](const std::string& what) {
        std::printf("  FOUND %s\n", what.c_str());
        ++findings;
    };
    for (const Mode mode : {Mode::alive, Mode::stopped, Mode::killed}) {
        Campaign campaign(manager, service, mode, most);
        for (const Row& row : all) {
            const Result result = campaign.run(row);
            std::printf("%-44s %-8s %12zu %7zu %8zu %10.0f %9zu\n", row.name.c_str(), text(mode),
                        result.instructions, result.kills, result.with_waiter, result.longest_wait * 1000,
                        result.findings.size());
            for (const std::string& finding : result.findings) found(finding);
            if (result.reached * 2 < result.kills)
                found("only " + std::to_string(result.reached) + " kills came there");
            std::fflush(stdout);
            kills += result.kills;
            longest = std::max(longest, result.longest_wait);
        }
        if (const std::string said = campaign.finish(); !said.empty()) found(said);
    }
    erase_all(manager);
    const Status end = service.status();
    if (end.memory_used != begin.memory_used || end.objects != begin.objects) {
        found(std::to_string(end.memory_used) + " bytes and " + std::to_string(end.objects) + " objects are left, of " +
              std::to_string(begin.memory_used) + " and " + std::to_string(begin.objects));
    }
    std::printf("operations: %zu\nkills: %zu\nlongest wait: %.0f ms\nfindings: %zu\n", all.size(), kills,
                longest * 1000, findings);
    return findings == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    std::size_t most = 40;
    if (argc < 2) return usage();
    if (argc == 3 && std::strcmp(argv[2], "--all") == 0)
        most = 0;
    else if (argc == 4 && std::strcmp(argv[2], "--kills") == 0 && std::atol(argv[3]) > 0)
        most = static_cast<std::size_t>(std::atol(argv[3]));
    else if (argc != 2)
        return usage();
    if (const std::string why = muster::test::no_stepping_here(); !why.empty()) {
        std::cout << "SKIP: " << why << '\n';
        return 77;
    }
    std::signal(SIGALRM, hung);
    try {
        return run(argv[1], most);
    } catch (const std::exception& error) {
        std::cerr << "kill_everywhere: " << at_work_on << ": " << error.what() << '\n';
        return 1;
    }
}
