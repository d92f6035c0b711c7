// The two queues between a pool and its workers, as bytes. What is written there, and in which order:
//
//   an item of `tasks`:     [number, task ...], a task: [address of its RunTask, body]
//   a message of `results`: [outcome, item, place, value]       of the task at that place of the item
//                           [error, item, place, error]
//                           [returned, item, 0, nil]            the item came back from a worker that died, and was taken out
//                           [not_ready, 0, 0, error]            the initializer threw
//                           nil                                 look around
//   error: [code, operation, subject, detail]
#pragma once

#include <utility>

#include <muster/queue.hpp>

namespace muster::pool {

enum class Message : std::uint8_t { outcome = 0, error = 1, returned = 2, not_ready = 3 };

class Lane : public muster::detail::QueueBase {
  public:
    explicit Lane(const muster::detail::QueueBase& queue) : QueueBase(queue) {}
    void put(muster::detail::Bytes bytes) { (void)QueueBase::put(bytes, {}); }
    using QueueBase::get_many;
    // Blocks; the item's bytes are in `out`.
    muster::detail::LeaseToken lease(muster::detail::Buffer& out) {
        out.set_origin({});
        return std::move(*QueueBase::lease_bytes(out, {}));
    }
};

}  // namespace muster::pool
