// What the soak's processes share beside the objects under test: a plain mapped memory file that survives
// every death.
//
// Each worker has a page of its own, which its next incarnation goes on with: what it is doing, what it was
// about to do and has done. An intent is noted before an operation, the deed after it; what is noted as meant
// and not as done was in flight at the death, and is the only thing that may be either done or not. Thread
// safety: one process writes a page, everybody reads it; `got` is counted by whoever takes the item.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/base.hpp"
#include "soak/item.hpp"
#include "soak/operations.hpp"

namespace muster::soak {

inline constexpr unsigned most_workers = 32;
inline constexpr unsigned inspector = most_workers, controller = most_workers + 1,
                          page_count = most_workers + 2;

// Additions to one counter.
struct Tally {
    std::atomic<std::uint64_t> meant, done;
};
inline constexpr unsigned counters = 8, elements = 4, guarded = 4, attributes = 4;

// The model of an object that one worker alone changes.
struct Own {
    static constexpr unsigned most = 96, most_pairs = 6;
    enum Object : unsigned { dict, list, queue, count };
    struct Model {
        std::uint32_t size;
        std::array<std::uint32_t, most> entries;
    };
    std::atomic<std::uint32_t>
        state;  // bit 0: which model is in force; bit 1: a change to the other is in flight
    std::array<Model, 2> models;
    // Of a change that is made pair by pair: its steps. 0: it is atomic.
    std::uint32_t pairs;
    std::array<std::uint32_t, most_pairs> pair;
};

enum class Put : std::uint8_t { never, meant, done, withdrawn };

struct Page {
    std::atomic<Op> op;
    std::atomic<std::uint64_t> progress;  // grows at the beginning and the end of each operation
    std::atomic<bool> parked;
    std::array<std::atomic<std::uint64_t>, op_count> counts;

    std::array<std::atomic<std::uint32_t>, store_count> next;    // the number of its next item
    std::array<std::atomic<std::uint32_t>, store_count> taking;  // items that the present operation may take
    std::array<std::array<std::atomic<Put>, items_per_round>, store_count> put;
    std::array<std::array<std::atomic<std::uint8_t>, items_per_round>, store_count> got;
    std::atomic<bool> owes_token;
    Tally tasks_done;
    std::array<Tally, counters> counted;
    std::array<Tally, elements> counted_in_list;
    std::array<Tally, guarded> counted_under_lock;
    std::array<Tally, counters> counted_by_counter;
    std::array<Tally, attributes> counted_in_namespace;
    std::array<Tally, 1> transfers;  // by transactions
    std::array<Tally, 1> moves;      // of coins
    std::array<Tally, 1> counted_in_value;
    std::array<Tally, elements> counted_in_array;
    std::atomic<std::uint32_t> permits;  // that it has, also between operations
    std::atomic<std::uint64_t> loan;     // the item that it has under a lease, also between operations; 0: none
    Tally passes, rounds;                // at the barrier: who passed; whose action ran, and who passed after its action
    Tally made, used;                    // credits
    std::array<Own, Own::count> own;
};

// Written by a lock's holder alone.
struct LockState {
    std::uint64_t holder;  // worker + 1 while one is inside
    std::uint64_t token;   // the last one's
};

enum class Sabotage : std::uint32_t { none, lose, twice, torn, count, money, hold, asleep, leak, permit, coin };

struct Block {
    static constexpr unsigned most_violations = 16, longest_violation = 700;
    std::atomic<bool> pause, stop;
    std::atomic<std::uint32_t> round, world;  // `world` grows when all objects are made anew
    std::atomic<Sabotage> sabotage;           // breaks a law on purpose, once
    LockState ledger, bank;
    std::atomic<std::uint64_t> checks;  // by the inspector, of the realm under load
    std::atomic<std::uint32_t> violations;
    std::array<std::array<char, longest_violation>, most_violations> violation;
    std::array<Page, page_count> pages;

    void violate(std::string_view text) noexcept;  // from any process
    std::vector<std::string> all_violations() const;
    // True once, in one process.
    bool sabotaged(Sabotage kind) noexcept {
        return sabotage.load(std::memory_order_relaxed) == kind && sabotage.exchange(Sabotage::none) == kind;
    }
};

// The mapping. Forked children share it; others open `path()` while this process lives.
class SharedBlock {
  public:
    SharedBlock();
    explicit SharedBlock(const std::string& path);
    ~SharedBlock();
    SharedBlock(const SharedBlock&) = delete;
    SharedBlock& operator=(const SharedBlock&) = delete;
    Block& operator*() const noexcept { return *block_; }
    Block* operator->() const noexcept { return block_; }
    std::string path() const;

  private:
    void map();
    base::UniqueFd memfd_;
    Block* block_ = nullptr;
};

// An operation under way.
class Doing {
  public:
    Doing(Page& page, Op op) noexcept : page_(page), op_(op) {
        page_.op.store(op, std::memory_order_release);
        page_.progress.fetch_add(1, std::memory_order_release);
    }
    ~Doing() {
        add(page_.counts[static_cast<std::size_t>(op_)]);
        page_.progress.fetch_add(1, std::memory_order_release);
        page_.op.store(Op::none, std::memory_order_release);
    }
    Doing(const Doing&) = delete;
    Doing& operator=(const Doing&) = delete;

  private:
    static void add(std::atomic<std::uint64_t>& count) noexcept {
        count.fetch_add(1, std::memory_order_relaxed);
    }
    Page& page_;
    Op op_;
};

// An addition under way: meant now, done by done(), taken back when it is not.
class Adding {
  public:
    explicit Adding(Tally& tally) noexcept : tally_(tally) {
        tally_.meant.fetch_add(1, std::memory_order_release);
    }
    ~Adding() {
        if (!done_) tally_.meant.fetch_sub(1, std::memory_order_release);
    }
    Adding(const Adding&) = delete;
    Adding& operator=(const Adding&) = delete;
    void done() noexcept {
        tally_.done.fetch_add(1, std::memory_order_release);
        done_ = true;
    }

  private:
    Tally& tally_;
    bool done_ = false;
};

}  // namespace muster::soak
