// Paired measurement: a row runs ours and its limits in turn, in short rounds, and what counts is the median
// of each round's ratio. A machine that drifts, or that others use meanwhile, slows both sides of a ratio
// alike.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace muster::bench {

// Nanoseconds of CLOCK_MONOTONIC.
std::uint64_t now_ns() noexcept;
// Nanoseconds of processor time of this thread. For what never sleeps it is the elapsed time of a machine
// that does nothing else, also on one that does.
std::uint64_t busy_ns() noexcept;

double median(std::vector<double> values);

// The compiler must make the value, and may assume nothing of memory afterwards.
template <typename T>
inline void keep(const T& value) noexcept {
    asm volatile("" : : "g"(&value) : "memory");
}

// Runs `n` operations and returns one figure: nanoseconds per operation, unless the row says otherwise.
using Run = std::function<double(std::uint64_t n)>;

// A Run of a loop over `op`. A quarter as many go before untimed: the other side has had the caches.
template <typename Op>
Run loop(Op op, std::uint64_t (*clock)() noexcept = busy_ns) {
    return [op, clock](std::uint64_t n) mutable {
        for (std::uint64_t i = 0; i < n / 4; ++i) op();
        const std::uint64_t begin = clock();
        for (std::uint64_t i = 0; i < n; ++i) op();
        return static_cast<double>(clock() - begin) / static_cast<double>(n);
    };
}
// For operations of which a part is done by others, or asleep.
template <typename Op>
Run elapsed_loop(Op op) {
    return loop(std::move(op), now_ns);
}

enum class Unit {
    nanoseconds,  // per operation; less is better
    rate,         // operations a second, reported from nanoseconds per operation; more is better
    share,        // of 1; more is better, and the figure is what Run returns
};

struct Goal {
    enum class Of { ratio, figure } of = Of::ratio;  // figure: of ours, in the row's unit
    double value = 0;
    bool reached(Unit unit, double ours, double ratio) const noexcept {
        const double actual = of == Of::ratio ? ratio : ours;
        return unit == Unit::nanoseconds ? actual <= value : actual >= value;
    }
};

struct Limit {
    std::string name;
    Run run;
    std::optional<Goal> goal = {};
};

// What a row needs while it runs; whatever the Runs refer to lives in them.
struct Setup {
    Run ours;
    std::vector<Limit> limits;
    std::uint64_t fixed = 0;  // operations a round; 0 = as many as take a round's time
};

struct Row {
    std::string name;
    Unit unit = Unit::nanoseconds;
    std::function<Setup()> make;
};
using Rows = std::vector<Row>;

struct Effort {
    double round_ms = 4;     // of each contender
    double row_seconds = 4;  // of the whole row, its preparation excepted
    unsigned least_rounds = 5;
    unsigned most_rounds = 400;
};

struct LimitFigures {
    std::string name;
    double figure = 0, ratio = 0;  // ratio: ours to this one, in the row's unit
    std::optional<Goal> goal;
    bool reached = true;
};
struct Figures {
    std::string name;
    Unit unit = Unit::nanoseconds;
    double ours = 0;
    unsigned rounds = 0;
    std::vector<LimitFigures> limits;
    std::string failure;  // why there are no figures
};

// Throws what the row throws.
Figures measure(const Row& row, const Effort& effort);

}  // namespace muster::bench
