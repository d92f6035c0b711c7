// The child's side of a pool of processes.
#pragma once

#include <cstdlib>
#include <functional>
#include <optional>

#include "pool/board.hpp"
#include "pool/lanes.hpp"

namespace muster::pool {

struct WorkerTask {
    Lane tasks, results;
    Place* place;
    std::function<void()> initializer;
    std::optional<unsigned> most_tasks;  // then it ends
};

// In the worker, from its start to its end: the exit code.
int work(WorkerTask& task);

}  // namespace muster::pool
