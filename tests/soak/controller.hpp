// Runs the soak: starts the workers, kills them and the service at random moments, replaces them, looks after
// those who wait, and in quiet moments holds what is there against what was noted.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "soak/crew.hpp"
#include "soak/target.hpp"
#include "soak/worker.hpp"

namespace muster::soak {

using Clock = std::chrono::steady_clock;

struct Options {
    double minutes = 0;       // 0: no bound
    std::uint64_t kills = 0;  // 0: no bound
    std::uint64_t seed = 0;
    unsigned workers = 8;
    std::string address;                         // empty: a daemon of its own
    double pace_ms = 12;                         // between two kills, on average
    std::chrono::milliseconds patience{20'000};  // with a worker that does not get on
    Sabotage sabotage = Sabotage::none;
};

struct Report {
    std::uint64_t worker_kills = 0, service_kills = 0, service_stops = 0, worker_starts = 0;
    std::map<Way, std::uint64_t> kills_by_way;
    std::uint64_t deaths_in_operation = 0, rolled_back = 0, items = 0, items_unaccounted = 0;
    std::uint64_t live_checks = 0;
    std::map<std::string, std::uint64_t> laws;  // how often each was checked
    std::array<std::uint64_t, op_count> operations{};
    std::array<std::uint64_t, op_count> deaths{};
    std::vector<std::string> violations;
    std::string log;                             // the daemon's, when something is wrong
    std::chrono::milliseconds longest_still{0};  // that a worker did not get on
    double seconds = 0;

    std::uint64_t kills() const noexcept { return worker_kills + service_kills; }
};

// Sums of what all pages' tallies allow, and what stands there.
struct Bounds {
    std::uint64_t least = 0, most = 0;
};

class Controller {
  public:
    explicit Controller(const Options& options);
    Report run();

  private:
    // --- the processes (controller.cpp) ---
    void soak();
    void start_missing();
    void start(unsigned index);
    void reap();
    void account(unsigned index, int code);
    void kill_somebody();
    void tend_service();
    void watch();
    void stand_in();
    void stand_in_for_sync();  // (audit_sync.cpp)
    void put_tokens(unsigned count);
    void end_crew();
    bool finished() const;
    bool broken() const { return block_->violations.load() != 0; }
    unsigned members() const noexcept { return options_.workers + 1; }  // the last is the inspector
    unsigned page_of(unsigned member) const noexcept {
        return member == options_.workers ? inspector : member;
    }
    std::string label(unsigned member) const;

    // --- the laws (audit.cpp, audit_sums.cpp, audit_sync.cpp) ---
    void audit(bool everything);
    bool quieten();
    void make_world();
    void check_daemon();
    void check_sessions();
    void check_items();
    Bounds check_store(Store store, const std::vector<std::string>& left);
    void check_tasks(Bounds put);
    void check_loans();
    void check_till();
    void check_sums();
    void check_sync();
    void check_own();
    void check_locks();
    void check_passing();
    void check_memory();
    void new_round();
    void check_end();
    // Notes a violation when `found` is not empty.
    void law(const std::string& name, const std::string& found);
    // For what takes a moment to become so: polled until it is empty.
    void law_in_time(const std::string& name, const std::function<std::string()>& look);
    bool is_ours(pid_t pid) const;
    std::uint64_t memory_used() const;  // bytes of the realm that objects have
    std::uint64_t recoveries() const;   // changes that were rolled back in it

    Options options_;
    std::unique_ptr<Target> target_;
    SharedBlock block_;
    Attached realm_;
    test::Random random_;
    Report report_;
    std::vector<Member> crew_;
    std::optional<World> world_;
    std::uint64_t memory_at_start_ = 0, recoveries_at_start_ = 0;
    std::size_t keeper_kib_ = 0;
    unsigned audits_ = 0;

    Clock::time_point began_, next_kill_, next_service_kill_, stopped_until_{}, service_seen_, last_look_;
    struct Watched {
        std::uint64_t progress = 0;
        std::chrono::milliseconds still{0};
        bool waited_for = false;  // when it does not get on
    };
    std::vector<Watched> watched_;
    std::array<std::uint64_t, store_count> may_be_lost_{};  // taken by those who died before they noted what

    struct Bases {
        std::array<std::int64_t, counters> counted{};
        std::array<std::int64_t, elements> counted_in_list{};
        std::array<std::int64_t, guarded> counted_under_lock{};
        std::array<std::int64_t, counters> counted_by_counter{};
        std::array<std::int64_t, attributes> counted_in_namespace{};
        std::int64_t transfers = 0, credits = 0, counted_in_value = 0;
        std::array<std::int64_t, elements> counted_in_array{};
        std::int64_t moves = 0;
        std::uint64_t unfinished = 0;
    } bases_;
};

// How the report is shown.
void print(const Report& report, const Options& options);

}  // namespace muster::soak
