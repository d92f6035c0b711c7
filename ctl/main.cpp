// musterctl: starts and inspects processes and shared objects of a muster daemon.
#include <csignal>
#include <exception>

#include "ctl/commands/commands.hpp"
#include "ctl/context.hpp"
#include "ctl/exit_code.hpp"

namespace {

constexpr const char* description =
    "Starts, watches and stops processes, and reads and changes shared objects, through musterd.";

constexpr const char* footer =
    "Selectors: a process is named by its name, its PID, or its id as #N (quote it in a shell).\n"
    "Values and keys are read as JSON where they are valid JSON, else as the text they are: `runs`, `3`, "
    "`{\"n\":4}`;\n"
    "`--string` takes them as text in any case. What follows `--` is taken as it is.\n"
    "Results go to stdout, diagnostics to stderr, one line each.\n\n"
    "Exit codes: 0 done; 1 the answer is no (absent key, empty or full queue, still running); 2 usage;\n"
    "3 no daemon answers; 4 refused or failed, the line names the error.\n"
    "`run --wait` and `lock run` give the program's own code: 128+N after signal N, 124 when the time ran "
    "out,\n"
    "125 own failure, 126 not executable, 127 not found.\n";

}  // namespace

int main(int argc, char** argv) {
    using namespace muster::ctl;
    std::signal(SIGPIPE, SIG_IGN);  // a reader that has seen enough is no failure
    try {
        Context context;
        return parse_and_run(argc, argv, description, [&](Parser& parser) {
            context.describe(parser);
            parser.footer(footer);
            add_commands(parser, context);
        });
    } catch (const muster::Error& error) {
        complain(error);
        return exit_code(error.errc());
    } catch (const std::exception& error) {
        complain(one_line(error.what()));
        return exit_failed;
    }
}
