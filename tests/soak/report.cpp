#include <cstdio>

#include "soak/controller.hpp"

namespace muster::soak {
namespace {

unsigned long long number(std::uint64_t n) { return n; }

}  // namespace

void print(const Report& report, const Options& options) {
    std::printf("muster-soak: seed %llu, %u workers, %.1f s, %.1f kills/s\n", number(options.seed),
                options.workers, report.seconds, static_cast<double>(report.kills()) / report.seconds);
    std::printf("kills: %llu; of workers %llu", number(report.kills()), number(report.worker_kills));
    for (const auto& [way, count] : report.kills_by_way)
        std::printf(", by %s %llu", name_of(way), number(count));
    std::printf("; of the service %llu, which was stopped %llu times besides\n", number(report.service_kills),
                number(report.service_stops));
    std::printf("deaths inside an operation: %llu; changes rolled back: %llu\n",
                number(report.deaths_in_operation), number(report.rolled_back));
    std::printf("longest that one did not get on: %lld ms\n",
                static_cast<long long>(report.longest_still.count()));
    std::printf("items put: %llu; gone with who died while taking: %llu\n", number(report.items),
                number(report.items_unaccounted));
    std::uint64_t all = 0;
    for (const std::uint64_t count : report.operations) all += count;
    std::printf("operations: %llu\n", number(all));
    for (std::size_t op = 1; op < op_count; ++op)
        std::printf("  %-24s %10llu, died in %llu\n", name_of(static_cast<Op>(op)),
                    number(report.operations[op]), number(report.deaths[op]));
    std::uint64_t checked = 0;
    for (const auto& [name, count] : report.laws) checked += count;
    std::printf("laws checked: %llu; the realm under load: %llu\n", number(checked),
                number(report.live_checks));
    for (const auto& [name, count] : report.laws) std::printf("  %10llu  %s\n", number(count), name.c_str());
    std::printf("violations: %zu\n", report.violations.size());
    for (const std::string& violation : report.violations) std::printf("  %s\n", violation.c_str());
    if (report.violations.empty()) return;
    if (!report.log.empty()) std::printf("the daemon said last:\n%s", report.log.c_str());
    std::printf("again: muster-soak --seed %llu --workers %u --pace %g", number(options.seed),
                options.workers, options.pace_ms);
    if (options.kills != 0) std::printf(" --kills %llu", number(options.kills));
    if (options.minutes > 0) std::printf(" --minutes %g", options.minutes);
    std::printf("  (the seed repeats what is done, not when)\n");
}

}  // namespace muster::soak
