// The methods of our interfaces, bound to the supervisor and the store. Parameters reach a handler already
// held against the interface files; what is checked here is meaning: ranges, names, whose process it is.
#pragma once

#include <functional>
#include <string>

#include "service/config.hpp"
#include "service/server/dispatcher.hpp"
#include "service/store/store.hpp"
#include "service/supervisor/supervisor.hpp"

namespace muster::service {

inline constexpr std::size_t max_spawn_count = 1000;  // of one call
inline constexpr std::size_t max_spawn_bytes = std::size_t{64}
                                               << 20;  // argv and environment of one call, times count

// Requests that the keeper has not taken: before another one is accepted.
inline constexpr std::size_t max_keeper_backlog = 10'000;
inline constexpr std::size_t max_keeper_backlog_bytes = std::size_t{64} << 20;

struct Backlog {
    std::size_t requests = 0, bytes = 0;
};

struct ApiContext {
    Config config;
    pid_t keeper_pid = 0;
    double keeper_started = 0, service_started = 0;
    std::uint32_t service_starts = 0;
    // After a handler that may have moved the supervisor's next deadline.
    std::function<void()> deadline_moved;
    std::function<void()> shut_down;
    std::function<Backlog()> keeper_backlog;
};

void add_processes_api(Dispatcher& dispatcher, Supervisor& supervisor, const ApiContext& context);
void add_objects_api(Dispatcher& dispatcher, Store& store);
void add_locks_api(Dispatcher& dispatcher, Store& store);
void add_service_api(Dispatcher& dispatcher, Supervisor& supervisor, Store& store, const ApiContext& context);

}  // namespace muster::service
