// The workers of a pool of processes: started, and replaced by whoever looks after them.
//
// Thread safety: one thread at a time, but pids() and signal_all(), which any may call.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <muster/process.hpp>

#include "pool/board.hpp"
#include "pool/end_watch.hpp"
#include "pool/worker.hpp"

namespace muster::pool {

// How one of them ended.
struct Ended {
    std::size_t place;  // of the board
    Claim claim;        // what it had
    std::uint32_t thing;
    bool was_ready;
    std::string text;   // "worker Process-3 (pid 4711) was ended by SIGKILL"
};

class Crew {
  public:
    // `prototype` is what each of them is given, with a place of its own.
    Crew(std::size_t size, WorkerTask prototype);

    std::size_t size() const noexcept { return board_.size(); }
    std::size_t alive() const noexcept;
    Place& place(std::size_t i) const noexcept { return board_[i]; }

    // Starts one in each free place. Throws what Process::start does; those that run go on.
    void fill();
    // Those that have ended since the last time, whose places are free now.
    std::vector<Ended> collect();
    std::vector<int> sentinels() const;

    std::vector<pid_t> pids() const;
    void signal_all(int number) noexcept;
    // SIGTERM, and SIGKILL to those that are there after a second. All have ended when it returns.
    void end_all() noexcept;

  private:
    const WorkerTask prototype_;
    Board board_;
    mutable std::mutex mutex_;
    std::vector<std::optional<Process>> processes_;
};

}  // namespace muster::pool
