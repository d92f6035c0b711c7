// Where the rows' objects live: a realm without a daemon for the data path, one with a private daemon for the
// rest.
#pragma once

#include <array>
#include <cstddef>
#include <memory>

#include <muster/manager.hpp>

#include "measure.hpp"

namespace muster::bench {

using Value64 = std::array<std::byte, 64>;

// On a segment of its own of `capacity` bytes, reserved as it is used. Forked children may use it.
Manager local_manager(std::uint64_t capacity);

// The rows of each area, in the order they are shown.
void add_dict_rows(Rows& rows);
void add_list_rows(Rows& rows);
void add_queue_rows(Rows& rows);
void add_lock_rows(Rows& rows);
void add_pool_rows(Rows& rows);
void add_daemon_rows(Rows& rows);
void add_attack_rows(Rows& rows);

}  // namespace muster::bench
