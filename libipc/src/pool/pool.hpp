// The layer `pool`: workers, processes or threads, and the work that they are given.
//
// One core a pool (detail::PoolCore). Of processes:
//
//   submit -> pending -> [items: queue `tasks`, leased] -> worker -> [messages: queue `results`] -> receiver -> Call
//
// An item is a bundle of tasks under a number of its own, a worker's lease its mark that it has it. A worker notes in a word
// of the board (board.hpp) how far it is; so after its death the receiver knows which task it was at, which are done and which
// were not begun. DESIGN.md, "Pools", says why nothing is lost.
#pragma once

#include <muster/detail/call.hpp>
#include <muster/pool.hpp>

namespace muster::pool {

// Throws value_error, start_failed and what Process::start does.
std::shared_ptr<detail::PoolCore> make_process_core(const Manager& manager, PoolOptions options);
std::shared_ptr<detail::PoolCore> make_thread_core(ThreadPoolOptions options);

}  // namespace muster::pool
