// muster-bench: each operation beside its in-process limit, both in the same run. See measure.hpp for how.
#include <CLI/CLI.hpp>
#include <fstream>
#include <iostream>

#include "realm.hpp"
#include "report.hpp"

namespace {

using namespace muster::bench;

struct Options {
    bool quick = false, list = false;
    std::string json, only;
    unsigned rounds = 0;
};

Effort effort_of(const Options& options) {
    Effort effort;
    if (options.quick) effort = {.round_ms = 3, .row_seconds = 1.5, .least_rounds = 3, .most_rounds = 200};
    if (options.rounds != 0) {
        effort.least_rounds = effort.most_rounds = options.rounds;
        effort.round_ms = 0.1;
    }
    return effort;
}

int run(const Options& options) {
    Rows rows;
    add_dict_rows(rows);
    add_list_rows(rows);
    add_queue_rows(rows);
    add_lock_rows(rows);
    add_pool_rows(rows);
    add_daemon_rows(rows);
    add_attack_rows(rows);
    std::erase_if(rows, [&](const Row& row) { return !row.name.starts_with(options.only); });
    if (options.list) {
        for (const Row& row : rows) std::cout << row.name << '\n';
        return 0;
    }
    if (rows.empty()) {
        std::cerr << "muster-bench: no row's name begins with '" << options.only << "'; --list names them\n";
        return 2;
    }
    std::ofstream json;
    if (!options.json.empty()) {
        json.open(options.json);
        if (!json) {
            std::cerr << "muster-bench: cannot write " << options.json << '\n';
            return 2;
        }
    }

    const Machine machine = this_machine();
    print_machine(std::cout, machine);
    print_header(std::cout);
    std::vector<Figures> all;
    bool failed = false;
    for (const Row& row : rows) {
        Figures figures{.name = row.name, .unit = row.unit, .limits = {}, .failure = {}};
        try {
            figures = measure(row, effort_of(options));
        } catch (const std::exception& error) {
            figures.failure = error.what();
            failed = true;
        }
        print_row(std::cout, figures);
        all.push_back(std::move(figures));
    }
    print_legend(std::cout);
    if (json.is_open()) {
        write_json(json, machine, all);
        if (!json.flush()) {
            std::cerr << "muster-bench: cannot write " << options.json << '\n';
            failed = true;
        }
    }
    return failed ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app("Measures Muster beside the limit of each operation.", "muster-bench");
    Options options;
    app.add_flag("--quick", options.quick, "all within three minutes");
    app.add_option("--json", options.json, "also write the figures there")->type_name("FILE");
    app.add_option("--only", options.only, "only rows whose names begin so")->type_name("PREFIX");
    app.add_option("--rounds", options.rounds, "so many short rounds of each row: to try out, not to measure")
        ->type_name("N");
    app.add_flag("--list", options.list, "the rows' names, and nothing else");
    app.footer("Exit codes: 0 measured, whatever the figures; 1 a row could not be measured; 2 usage.");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        const int code = app.exit(error);
        return code == 0 ? 0 : 2;
    }
    return run(options);
}
