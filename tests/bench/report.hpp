// What the benches print: the machine, a table, and the same as JSON.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "measure.hpp"

namespace muster::bench {

struct Machine {
    std::string processor, kernel, compiler, build_type;
    unsigned cores = 0;
    double load = 0;       // of the last minute, when the benches began
    bool release = false;  // optimised, and without sanitizers
};
Machine this_machine();

void print_machine(std::ostream& out, const Machine& machine);
void print_header(std::ostream& out);
void print_row(std::ostream& out, const Figures& figures);
void print_legend(std::ostream& out);
// {"machine": {...}, "rows": [{"name", "unit", "ours", "rounds", "limits": [{"name", "figure", "ratio",
// "goal", ...}]}]}
void write_json(std::ostream& out, const Machine& machine, const std::vector<Figures>& rows);

}  // namespace muster::bench
