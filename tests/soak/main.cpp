// muster-soak: workers do everything that can be done with shared objects, and are killed; so is the service.
// What must hold nevertheless is checked all the time.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <iostream>
#include <random>

#include "soak/controller.hpp"

namespace {

using namespace muster::soak;

struct Arguments {
    Options options;
    int as_worker = -1;
    std::string block;
    double patience = 20;
    std::string sabotage;
};

const std::vector<std::string> sabotages{"none",  "lose", "twice",  "torn", "count",
                                         "money", "hold", "asleep", "leak",   "permit", "coin"};
static_assert(static_cast<int>(Sabotage::coin) == 10, "as they are numbered");

void describe(CLI::App& app, Arguments& arguments) {
    Options& options = arguments.options;
    app.add_option("--minutes", options.minutes, "how long")->type_name("N")->check(CLI::Range(0.001, 1e6));
    app.add_option("--kills", options.kills, "until so many are killed, the service's included")
        ->type_name("N")
        ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1'000'000'000}));
    app.add_option("--seed", options.seed, "of all that is random; else a new one, which the report tells")
        ->type_name("S");
    app.add_option("--workers", options.workers, "how many work at once")
        ->type_name("N")
        ->check(CLI::Range(1u, most_workers))
        ->capture_default_str();
    app.add_option("--pace", options.pace_ms, "milliseconds between two kills, on average")
        ->type_name("MS")
        ->check(CLI::Range(0.1, 60'000.0))
        ->capture_default_str();
    app.add_option("--patience", arguments.patience,
                   "seconds after which a worker that does not get on is a violation")
        ->type_name("S")
        ->check(CLI::Range(0.5, 3600.0))
        ->capture_default_str();
    app.add_option("--address", options.address,
                   "a daemon that runs, with nothing else in the realm; its service is "
                   "killed, too. Else one of its own, from this program's folder")
        ->type_name("unix:PATH");
    app.add_option("--sabotage", arguments.sabotage, "break one law on purpose, to see it noticed")
        ->type_name("WHAT")
        ->check(CLI::IsMember(sabotages));
    app.add_option("--as-worker", arguments.as_worker)->group("");  // how the daemon starts one
    app.add_option("--block", arguments.block)->group("");
    app.footer(
        "One of --minutes and --kills is needed; with both, whichever comes first.\n"
        "Exit codes: 0 all laws held; 1 one was broken; 2 usage; 3 it could not start.");
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app("Kills workers and the service at random moments and checks that nothing is lost.",
                 "muster-soak");
    Arguments arguments;
    describe(app, arguments);
    try {
        app.parse(argc, argv);
        if (arguments.as_worker < 0 && arguments.options.minutes <= 0 && arguments.options.kills == 0)
            throw CLI::RequiredError("--minutes or --kills");
    } catch (const CLI::ParseError& error) {
        if (error.get_exit_code() == 0) return app.exit(error);
        std::cerr << "muster-soak: " << error.what() << "; see muster-soak --help\n";
        return 2;
    }
    Options& options = arguments.options;
    options.patience = std::chrono::milliseconds(static_cast<std::int64_t>(arguments.patience * 1000));
    const auto sabotage = std::find(sabotages.begin(), sabotages.end(), arguments.sabotage);
    if (sabotage != sabotages.end()) options.sabotage = static_cast<Sabotage>(sabotage - sabotages.begin());
    if (app.count("--seed") == 0) options.seed = std::random_device()();
    std::signal(SIGPIPE, SIG_IGN);
    try {
        if (arguments.as_worker >= 0) {
            if (arguments.as_worker >= static_cast<int>(most_workers)) return 2;
            const SharedBlock block(arguments.block);
            return work(*block, static_cast<unsigned>(arguments.as_worker), options.address, options.seed,
                        nullptr);
        }
        const Report report = Controller(options).run();
        print(report, options);
        return report.violations.empty() ? 0 : 1;
    } catch (const std::exception& error) {
        std::cerr << "muster-soak: " << error.what() << '\n';
        return 3;
    }
}
