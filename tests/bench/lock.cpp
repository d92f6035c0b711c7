// Lock against pthread mutexes in shared memory, alone and contended by two processes.
#include <atomic>
#include <mutex>

#include "realm.hpp"
#include "shared.hpp"

namespace muster::bench {
namespace {

template <typename Lockable>
auto lock_and_unlock(Lockable& lockable) {
    return [&lockable] { const std::scoped_lock hold(lockable); };
}

Setup uncontended() {
    const auto lock = std::make_shared<Lock>(local_manager(16u << 20).lock("bench"));
    const auto plain = make_mutex(), robust = make_mutex(Mutex::Robust::yes);
    const auto holding = [](auto owner, Run run) { return [owner, run](std::uint64_t n) { return run(n); }; };
    return {.ours = holding(lock, loop(lock_and_unlock(*lock))),
            .limits = {
                {"pthread mutex", holding(plain, loop(lock_and_unlock(**plain))), Goal{Goal::Of::ratio, 3}},
                {"robust pthread mutex", holding(robust, loop(lock_and_unlock(**robust))),
                 Goal{Goal::Of::ratio, 1.5}}}};
}

// Both processes take and release for a while; each counts.
struct Counts {
    alignas(64) std::atomic<std::uint64_t> here{0};
    alignas(64) std::atomic<std::uint64_t> there{0};
};

class Contest {
  public:
    // `held`: how long the lock is kept each time, in ns.
    explicit Contest(std::uint64_t held) : held_(held), lock_(local_manager(16u << 20).lock("bench")) {
        partner_ = std::make_unique<Partner>(
            std::vector<Duet>{contend(lock_), contend(**plain_), contend(**robust_)});
    }
    enum Which : std::size_t { ours, plain, robust };

    // `n` operations are aimed at. Per operation of the two together, and how fairly: twice the poorer's
    // part.
    struct Outcome {
        double nanoseconds, share;
    };
    Outcome run(Which which, std::uint64_t n) {
        const double took = partner_->run(which, n);
        const auto a = static_cast<double>(counts_->here.load()),
                   b = static_cast<double>(counts_->there.load());
        return {took / (a + b), 2 * std::min(a, b) / (a + b)};
    }

  private:
    // For 100 ns an operation: a fixed number would let the slower side end alone, and uncontended.
    template <typename Lockable>
    Duet contend(Lockable& lockable) {
        const auto side = [&lockable, held = held_](std::atomic<std::uint64_t>& count) {
            return [&lockable, &count, held](std::uint64_t n) {
                std::uint64_t done = 0;
                for (const std::uint64_t end = now_ns() + n * 100; now_ns() < end;) {
                    for (int i = 0; i < 16; ++i, ++done) {
                        lockable.lock();
                        if (held > 0)
                            for (const std::uint64_t let_go = now_ns() + held; now_ns() < let_go;) {
                            }
                        lockable.unlock();
                    }
                }
                count.store(done);
            };
        };
        return {side(counts_->here), side(counts_->there)};
    }

    std::uint64_t held_;
    Lock lock_;
    std::shared_ptr<Shared<Mutex>> plain_ = make_mutex(), robust_ = make_mutex(Mutex::Robust::yes);
    Shared<Counts> counts_;
    std::unique_ptr<Partner> partner_;
};

Setup contended(std::uint64_t held, double Contest::Outcome::*figure, Goal goal) {
    const auto contest = std::make_shared<Contest>(held);
    const auto by = [&](Contest::Which which) {
        return [contest, which, figure](std::uint64_t n) { return contest->run(which, n).*figure; };
    };
    return {.ours = by(Contest::ours),
            .limits = {{"robust pthread mutex", by(Contest::robust), goal},
                       {"pthread mutex", by(Contest::plain)}},
            .fixed = 200'000};
}

}  // namespace

void add_lock_rows(Rows& rows) {
    rows.push_back({"lock+unlock", Unit::nanoseconds, uncontended});
    rows.push_back({"lock, two processes contend", Unit::rate, [] {
                        return contended(0, &Contest::Outcome::nanoseconds, {Goal::Of::ratio, 0.8});
                    }});
    rows.push_back({"lock, share of the poorer", Unit::share, [] {
                        return contended(0, &Contest::Outcome::share, {Goal::Of::figure, 0.9});
                    }});
    constexpr std::uint64_t a_while = 1000;
    rows.push_back({"lock held 1 us, two processes contend", Unit::rate, [] {
                        return contended(a_while, &Contest::Outcome::nanoseconds, {Goal::Of::ratio, 0.8});
                    }});
    rows.push_back({"lock held 1 us, share of the poorer", Unit::share, [] {
                        return contended(a_while, &Contest::Outcome::share, {Goal::Of::figure, 0.9});
                    }});
}

}  // namespace muster::bench
