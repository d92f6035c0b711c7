#include "measure.hpp"

#include <algorithm>
#include <ctime>

namespace muster::bench {
namespace {

std::uint64_t read(clockid_t clock) noexcept {
    timespec now{};
    ::clock_gettime(clock, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

// So many operations that they take about the round's time, as seen after a first warm-up.
std::uint64_t calibrate(const Run& run, double round_ms) {
    const double wanted = round_ms * 1e6;
    for (std::uint64_t n = 1;; n *= 4) {
        const double took = run(n) * static_cast<double>(n);
        if (took >= wanted) return n;
        if (took >= wanted / 8) return static_cast<std::uint64_t>(static_cast<double>(n) * wanted / took);
    }
}

double in_unit(Unit unit, double figure) noexcept { return unit == Unit::rate ? 1e9 / figure : figure; }

}  // namespace

std::uint64_t now_ns() noexcept { return read(CLOCK_MONOTONIC); }
std::uint64_t busy_ns() noexcept { return read(CLOCK_THREAD_CPUTIME_ID); }

double median(std::vector<double> values) {
    if (values.empty()) return 0;
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    if (values.size() % 2 != 0) return *middle;
    return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

Figures measure(const Row& row, const Effort& effort) {
    const Setup setup = row.make();
    std::vector<const Run*> runs{&setup.ours};
    for (const Limit& limit : setup.limits) runs.push_back(&limit.run);

    const std::uint64_t begin = now_ns();
    const auto spent = [&] { return static_cast<double>(now_ns() - begin) / 1e9; };
    std::vector<std::uint64_t> operations;
    for (const Run* run : runs)
        operations.push_back(setup.fixed != 0 ? setup.fixed : calibrate(*run, effort.round_ms));

    std::vector<std::vector<double>> figures(runs.size()), ratios(runs.size());
    unsigned rounds = 0;
    for (; rounds < effort.most_rounds && (rounds < effort.least_rounds || spent() < effort.row_seconds);
         ++rounds) {
        std::vector<double> round(runs.size());
        for (std::size_t i = 0; i < runs.size(); ++i) {
            const std::size_t which = (i + rounds) % runs.size();  // nobody is always first
            round[which] = in_unit(row.unit, (*runs[which])(operations[which]));
        }
        for (std::size_t i = 0; i < runs.size(); ++i) {
            figures[i].push_back(round[i]);
            ratios[i].push_back(round[i] == 0 ? 0 : round[0] / round[i]);
        }
    }

    Figures result{.name = row.name,
                   .unit = row.unit,
                   .ours = median(figures[0]),
                   .rounds = rounds,
                   .limits = {},
                   .failure = {}};
    for (std::size_t i = 0; i < setup.limits.size(); ++i) {
        const Limit& limit = setup.limits[i];
        LimitFigures of{limit.name, median(figures[i + 1]), median(ratios[i + 1]), limit.goal, true};
        if (of.goal) of.reached = of.goal->reached(row.unit, result.ours, of.ratio);
        result.limits.push_back(std::move(of));
    }
    return result;
}

}  // namespace muster::bench
