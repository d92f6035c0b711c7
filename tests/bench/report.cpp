#include "report.hpp"

#include <sys/utsname.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <ostream>

namespace muster::bench {
namespace {

constexpr const char* line_format = "%-32s %12s  %-42s %12s %8s  %-14s %s\n";

template <typename... Arguments>
std::string format(const char* pattern, Arguments... arguments) {
    char text[256];
    std::snprintf(text, sizeof text, pattern, arguments...);
    return text;
}

// Three digits that count, with the unit that suits them.
std::string scaled(double value, const char* const (&units)[4]) {
    int unit = 0;
    for (; unit < 3 && value >= 1000; ++unit) value /= 1000;
    return format(value < 10 ? "%.2f %s" : value < 100 ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

std::string text_of(Unit unit, double figure) {
    switch (unit) {
        case Unit::nanoseconds:
            return scaled(figure, {"ns", "us", "ms", "s"});
        case Unit::rate:
            return scaled(figure, {"/s", "k/s", "M/s", "G/s"});
        case Unit::share:
            break;
    }
    return format("%.2f", figure);
}

const char* name_of(Unit unit) noexcept {
    switch (unit) {
        case Unit::nanoseconds:
            return "ns";
        case Unit::rate:
            return "per_second";
        case Unit::share:
            break;
    }
    return "share";
}

std::string text_of(Unit unit, const Goal& goal) {
    const std::string bound = unit == Unit::nanoseconds ? "<= " : ">= ";
    return bound + (goal.of == Goal::Of::ratio ? format("%.2fx", goal.value) : text_of(unit, goal.value));
}

std::string processor_name() {
    std::ifstream info("/proc/cpuinfo");
    for (std::string line; std::getline(info, line);)
        if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
    return "unknown processor";
}

}  // namespace

Machine this_machine() {
    Machine machine;
    utsname system{};
    ::uname(&system);
    machine.processor = processor_name();
    machine.kernel = std::string(system.sysname) + " " + system.release + " " + system.machine;
#if defined(__clang__)
    machine.compiler = "clang " __clang_version__;
#else
    machine.compiler = "gcc " __VERSION__;
#endif
    machine.build_type = MUSTER_BENCH_BUILD;
    machine.cores = static_cast<unsigned>(::sysconf(_SC_NPROCESSORS_ONLN));
    double load = 0;
    if (::getloadavg(&load, 1) == 1) machine.load = load;
    machine.release = MUSTER_BENCH_RELEASE;
    return machine;
}

void print_machine(std::ostream& out, const Machine& machine) {
    out << "Machine: " << machine.processor << ", " << machine.cores << " cores; " << machine.kernel << '\n'
        << "Build:   " << machine.build_type << ", " << machine.compiler << '\n';
    if (machine.load > 0.5)
        out << format("Load:    %.1f before we began: figures are high, ratios hold roughly\n", machine.load);
    if (!machine.release)
        out << "WARNING: not a release build: these figures say nothing about Muster. Use scripts/bench.\n";
    out << '\n';
}

void print_header(std::ostream& out) {
    out << format(line_format, "", "ours", "limit, in the same run", "figure", "ratio", "goal", "");
}

void print_row(std::ostream& out, const Figures& figures) {
    if (!figures.failure.empty()) {
        out << format("%-32s ", figures.name.c_str()) << "FAILED: " << figures.failure << '\n' << std::flush;
        return;
    }
    std::string name = figures.name, ours = text_of(figures.unit, figures.ours);
    for (const LimitFigures& limit : figures.limits) {
        out << format(line_format, name.c_str(), ours.c_str(), limit.name.c_str(),
                      text_of(figures.unit, limit.figure).c_str(), format("%.2fx", limit.ratio).c_str(),
                      limit.goal ? text_of(figures.unit, *limit.goal).c_str() : "",
                      !limit.goal     ? ""
                      : limit.reached ? "reached"
                                      : "NOT YET");
        name.clear();
        ours.clear();
    }
    out << std::flush;
}

void print_legend(std::ostream& out) {
    out << "\nratio: ours to the limit, the median of the rounds' ratios; of times less is better, of rates "
           "(/s) and\n"
           "shares more. A goal without x is of our own figure.\n";
}

void write_json(std::ostream& out, const Machine& machine, const std::vector<Figures>& rows) {
    using nlohmann::json;
    json table = json::array();
    for (const Figures& figures : rows) {
        json row{{"name", figures.name}, {"unit", name_of(figures.unit)}};
        if (!figures.failure.empty()) {
            row["failure"] = figures.failure;
        } else {
            row["ours"] = figures.ours;
            row["rounds"] = figures.rounds;
            row["limits"] = json::array();
            for (const LimitFigures& limit : figures.limits) {
                json one{{"name", limit.name}, {"figure", limit.figure}, {"ratio", limit.ratio}};
                if (limit.goal) {
                    one["goal"] = limit.goal->value;
                    one["goal_of"] = limit.goal->of == Goal::Of::ratio ? "ratio" : "ours";
                    one["reached"] = limit.reached;
                }
                row["limits"].push_back(std::move(one));
            }
        }
        table.push_back(std::move(row));
    }
    out << json{{"machine",
                 {{"processor", machine.processor},
                  {"cores", machine.cores},
                  {"kernel", machine.kernel},
                  {"compiler", machine.compiler},
                  {"build_type", machine.build_type},
                  {"release", machine.release},
                  {"load", machine.load}}},
                {"rows", std::move(table)}}
               .dump(2)
        << '\n';
}

}  // namespace muster::bench
